# verbs.awk: puts batonctl's verbs and options into its manual page, or into a completion.
#
#   awk -f verbs.awk USAGE TEMPLATE
#
# USAGE is what `batonctl --help` prints.  In TEMPLATE the line `@verbs` (or `@options`) becomes
# a list of them in mdoc; between it and `@end`, `@for NAME` begins text that is added to the
# entry of NAME.  Text for a verb or option that the program does not have is an error; one
# that has no text is in the list all the same.

function text(s)
{
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	return s ~ /^[.']/ ? "\\&" s : s
}

function sentence(s)
{
	s = toupper(substr(s, 1, 1)) substr(s, 2)
	return text(s) (s ~ /[.?!]$/ ? "" : ".")
}

# "[--wait]", "BINARY]", "-s,": one word of a synopsis.
function word(w,    before, behind)
{
	if (sub(/^\[/, "", w))
		before = "Oo "
	if (sub(/\]$/, "", w))
		behind = " Oc"
	if (sub(/,$/, "", w))
		behind = behind " ,"
	if (sub(/^-/, "", w))
		w = "Fl " text(w)
	else
		w = "Ar " text(w)
	return before w behind
}

function synopsis(s,    part, n, i, line)
{
	n = split(s, part, / +/)
	for (i = 1; i <= n; i++)
		line = line " " word(part[i])
	return line
}

function add(kind, name, head, help)
{
	heads[kind, ++count[kind]] = head
	helps[kind, count[kind]] = help
	names[kind, count[kind]] = name
	known[kind, name] = 1
}

function add_option(s, help,    name)
{
	name = s
	sub(/^-[a-zA-Z], /, "", name)
	sub(/ .*/, "", name)
	add("options", name, synopsis(s), help)
}

function print_list(kind,    i)
{
	print ".Bl -tag -width Ds"
	for (i = 1; i <= count[kind]; i++) {
		print ".It" heads[kind, i]
		if (helps[kind, i] != "")
			print sentence(helps[kind, i])
		printf "%s", more[kind, names[kind, i]]
	}
	print ".El"
}

FNR == NR && /^Verbs:/   { part = "verbs"; next }
FNR == NR && /^Options/  { part = "options"; next }
FNR == NR && /^Exit/     { part = ""; next }
FNR == NR && part != "" && /^  [^ ]/ {
	s = substr($0, 3)
	help = ""
	if ((at = match(s, /  +/)) > 0) {
		help = substr(s, at + RLENGTH)
		s = substr(s, 1, at - 1)
	}
	if (part == "options") {
		n = split(s, each, /; /)
		for (i = 1; i <= n; i++)
			add_option(each[i], help)
		next
	}
	name = s
	sub(/ .*/, "", name)
	rest = s == name ? "" : synopsis(substr(s, length(name) + 2))
	add("verbs", name, " Ic " text(name) rest, help)
	next
}
FNR == NR                { next }

/^@(verbs|options)$/     { kind = substr($0, 2); next }
/^@for / && kind != "" {
	name = $2
	if (!((kind, name) in known)) {
		printf "verbs.awk: %s:%d: batonctl has no %s\n", FILENAME, FNR, name >"/dev/stderr"
		exit failed = 1
	}
	next
}
/^@end$/                 { print_list(kind); kind = ""; next }
kind != ""               { more[kind, name] = more[kind, name] $0 "\n"; next }
                         { print }

END {
	if (!failed && (count["verbs"] == 0 || count["options"] == 0)) {
		print "verbs.awk: no verbs or no options in " ARGV[1] >"/dev/stderr"
		exit 1
	}
}
