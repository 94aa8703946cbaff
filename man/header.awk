# header.awk: makes baton.h(3) of baton.h.
#
#   awk -f header.awk HEADER TEMPLATE
#
# In TEMPLATE the line `@synopsis` becomes all functions, and `@description` what the header
# says: its head, then for each `/* --- part --- */` a subsection, with functions as a list
# (their names, and the comment above or behind them) and all else, structs with their own
# comments, as it stands.  Functions without a comment share the one that stands alone above
# them; one that has none at all is an error.

function text(s)
{
	gsub(/\\/, "\\e", s)
	return s ~ /^[.']/ ? "\\&" s : s
}

# A comment's lines, joined by newlines, as mdoc: a line that is indented stays as it is.
function prose(s,    line, n, i, out, literal)
{
	n = split(s, line, "\n")
	for (i = 1; i <= n; i++) {
		if (line[i] ~ /^( |\t)/ && !literal) {
			sub(/\.Pp\n$/, "", out)
			out = out ".Bd -literal -offset indent\n"
			literal = 1
		}
		if (line[i] !~ /^( |\t)/ && literal) {
			out = out ".Ed\n"
			literal = 0
			if (line[i] == "")
				line[i] = ".Pp"
		}
		if (literal)
			out = out text(line[i]) "\n"
		else if (line[i] == "" || line[i] == ".Pp")
			out = out (i < n ? ".Pp\n" : "")
		else
			out = out sentences(text(line[i])) "\n"
	}
	return out (literal ? ".Ed\n" : "")
}

# A sentence that begins within a line begins a new one.
function sentences(s)
{
	gsub(/[.!?]  /, "&\n", s)
	gsub(/  \n/, "\n", s)
	gsub(/\n[.']/, "\n\\\\\\&&", s)
	return s
}

# A paragraph of its own, unless it is the first of its part.
function paragraph(s)
{
	if (s == "")
		return
	description = description (description ~ /\.Ss [^\n]*\n$/ || s ~ /^\.Bd/ ? "" : ".Pp\n") s
}

function close_list()
{
	if (listing)
		description = description ".El\n"
	listing = 0
}

function literal(code)
{
	close_list()
	paragraph(prose(comment))
	gsub(/\\/, "\\e", code)
	gsub(/\n[.']/, "\n\\\\\\&&", code)
	description = description ".Bd -literal\n" code ".Ed\n"
}

# Its arguments, at commas that are in no bracket, each as one word of a macro.
function arguments(s,    i, c, depth, word, out)
{
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		depth += (c == "(") - (c == ")")
		if (c == "," && depth == 0) {
			out = out " \"" word "\""
			word = ""
		} else if (c != " " || word != "")
			word = word c
	}
	return out " \"" word "\""
}

# "int baton_offload_at(struct baton_ctx *ctx, ...);" or "#define baton_offload(ctx, task) ..."
function function_of(decl,    name, type, rest, at)
{
	if (decl ~ /^#define/) {
		sub(/^#define +/, "", decl)
		name = decl
		sub(/\(.*/, "", name)
		rest = substr(decl, length(name) + 2)
		sub(/\).*/, "", rest)
		synopsis = synopsis ".Fn " name arguments(rest) "\n"
		return name
	}
	sub(/ *__attribute__.*/, "", decl)
	sub(/;.*/, "", decl)
	at = match(decl, /baton_[a-z0-9_]+\(/)
	type = substr(decl, 1, at - 1)
	sub(/ +$/, "", type)
	name = substr(decl, at, RLENGTH - 1)
	rest = substr(decl, at + RLENGTH)
	sub(/\)$/, "", rest)
	synopsis = synopsis ".Ft \"" type "\"\n.Fn " name arguments(rest) "\n"
	return name
}

function list_of(names, n,    i, head, place)
{
	if (!listing)
		description = description ".Bl -tag -width Ds\n"
	listing = 1
	for (i = 1; i <= n; i++)
		head = head (i > 1 ? " , " : "") "Fn " names[i]
	description = description ".It " head "\n"
	if (behind != "")
		comment = comment (comment != "" ? "\n" : "") behind
	if (comment == "" && last == "")
		fail(names[1] " has no comment")
	description = description prose(comment != "" ? comment : last)
	if (comment != "")
		last = ""
}

# What stands between two blank lines, with the comment before it.
function chunk(code,    line, n, i, names, count, decl, plain)
{
	behind = ""
	n = split(code, line, "\n")
	for (i = 1; i <= n; i++) {
		if (line[i] == "")
			continue
		decl = decl (decl != "" ? " " : "") line[i]
		if (decl ~ /\\$/) {
			sub(/ *\\$/, "", decl)
			continue
		}
		gsub(/[ \t]+/, " ", decl)
		if (decl ~ /^#define baton_/ || (decl ~ /^[a-z].*baton_[a-z0-9_]+\(.*;/ && decl !~ /[{}]/)) {
			if (match(decl, /; *\/\*.*\*\//)) {
				behind = substr(decl, RSTART + 1)
				gsub(/^ *\/\* *| *\*\/$/, "", behind)
			}
			names[++count] = function_of(decl)
			decl = ""
		} else if (decl ~ /^struct [a-z_]+;/)
			decl = "" # a type that is only named
		else if (decl ~ /;$/ || decl ~ /^#define/ || decl ~ /}$/) {
			plain = 1
			decl = ""
		}
	}
	if (plain || (count == 0 && decl != "")) {
		literal(code)
		last = ""
	}
	if (count > 0) {
		if (plain) { # the comment stands above it
			comment = "Called by what is defined above."
			behind = ""
		}
		list_of(names, count)
	} else if (!plain && comment != "") {
		close_list()
		paragraph(prose(comment))
		last = ""
	}
	comment = ""
}

function fail(why)
{
	print "header.awk: " why >"/dev/stderr"
	failed = 1
	exit 1
}

function end_chunk()
{
	if (code != "")
		chunk(code)
	code = ""
}

# A comment that nothing follows at once is of what comes next, or of the part.
function end_comment()
{
	if (comment == "" || code != "")
		return
	close_list()
	paragraph(prose(comment))
	last = comment
	comment = ""
}

FNR != NR { exit_header = 1 }

!exit_header && /^#(ifndef BATON_H|define BATON_H|include|endif|ifdef)/ { skip = /^#ifdef/; next }
!exit_header && skip     { next } # extern "C"

!exit_header && /^\/\* --- .* --- *-* \*\/$/ {
	end_chunk()
	end_comment()
	close_list()
	s = $0
	gsub(/^\/\* -+ | -+ \*\/$/, "", s)
	description = description ".Ss " toupper(substr(s, 1, 1)) substr(s, 2) "\n"
	last = ""
	next
}
!exit_header && depth == 0 && code == "" && /^\/\*/ {
	end_comment()
	in_comment = 1
	sub(/^\/\* ?/, "")
}
in_comment {
	ends = sub(/ *\*\/$/, "")
	sub(/^ \* ?/, "")
	sub(/^ \*$/, "")
	if (!($0 == "" && (comment == "" || ends)))
		comment = comment (comment != "" ? "\n" : "") $0
	in_comment = !ends
	next
}
!exit_header && $0 == "" && depth == 0 {
	if (code != "")
		end_chunk()
	else
		end_comment()
	next
}
!exit_header {
	s = $0
	gsub(/\/\*.*\*\//, "", s) # braces in comments
	depth += gsub(/{/, "{", s) - gsub(/}/, "}", s)
	code = code $0 "\n"
	next
}

exit_header && !done {
	end_chunk()
	close_list()
	done = 1
}
/^@synopsis$/    { printf "%s", synopsis; next }
/^@description$/ { printf "%s", description; next }
                 { print }
