# zsh.awk: makes batonctl's completion for zsh of what it says itself.
#
#   awk -f zsh.awk USAGE COMPLETION
#
# USAGE is what `batonctl --help` prints: verbs and options.  COMPLETION is what
# `batonctl --completion` prints for bash: it knows which verbs take a file.

# Within single quotes, as _describe wants it.
function described(s)
{
	gsub(/'/, "'\\''", s)
	gsub(/:/, "\\\\:", s)
	return s
}

# The same for _arguments, where brackets have a meaning.
function quoted(s)
{
	s = described(s)
	gsub(/[][]/, "\\\\&", s)
	return s
}

# "-s, --socket SOCKET" or "[--wait]", as specifications of _arguments.
function option(s, help,    part, n, value, spec)
{
	gsub(/[][]/, "", s)
	n = split(s, part, /,? +/)
	value = part[n] ~ /^-/ ? "" : part[n--]
	if (value != "")
		spec = ":" value ":" (value ~ /SOCKET|FILE|BINARY|PATH/ ? "_files" : "")
	help = help != "" ? help : part[n] == "--help" ? "print the usage" : "print the version"
	if (n == 1)
		return "'" part[1] "[" quoted(help) "]" spec "'"
	return "'(" part[1] " " part[2] ")'{" part[1] "," part[2] "}'[" quoted(help) "]" spec "'"
}

function add_verb(s, help,    part, n, i)
{
	n = split(s, part, / +/)
	verbs[++count] = part[1]
	helps[count] = help
	for (i = 2; i <= n; i++) {
		if (part[i] ~ /^\[?-/) {
			word = part[i]
			if (part[i] !~ /\]$/ && part[i] ~ /^\[/)
				word = word " " part[++i]
			own[count] = own[count] " " word
			gsub(/[][]/, "", word)
			sub(/ .*/, "", word)
			special[word] = 1
			of[count, ++owned[count]] = word
		} else {
			argument[count] = part[i]
			gsub(/[][.]/, "", argument[count])
		}
	}
}

FNR == NR && /^Verbs:/  { part_of = "verbs"; next }
FNR == NR && /^Options/ { part_of = "options"; next }
FNR == NR && /^Exit/    { part_of = ""; next }
FNR == NR && part_of != "" && /^  [^ ]/ {
	s = substr($0, 3)
	help = ""
	if ((at = match(s, /  +/)) > 0) {
		help = substr(s, at + RLENGTH)
		s = substr(s, 1, at - 1)
	}
	if (part_of == "verbs") {
		add_verb(s, help)
		next
	}
	n = split(s, each, /; /)
	for (i = 1; i <= n; i++) {
		name = each[i]
		sub(/^-[a-zA-Z], /, "", name)
		sub(/ .*/, "", name)
		options[++noptions] = name
		specs[name] = option(each[i], help)
	}
	next
}
FNR == NR               { next }
/^\t\t[a-z-]+\) verb=/ && /files='-f'/ {
	name = $1
	sub(/\)$/, "", name)
	files[name] = 1
}

END {
	if (count == 0 || noptions == 0) {
		print "zsh.awk: no verbs or no options in " ARGV[1] >"/dev/stderr"
		exit 1
	}
	print "#compdef batonctl"
	print "# Made of `batonctl --help`."
	print "_batonctl()\n{"
	print "\tlocal curcontext=$curcontext state word"
	print "\tlocal -a verbs specs line"
	print "\tverbs=("
	for (i = 1; i <= count; i++)
		print "\t\t'" verbs[i] ":" described(helps[i]) "'"
	print "\t)\n\tspecs=("
	for (i = 1; i <= noptions; i++)
		if (!(options[i] in special))
			print "\t\t" specs[options[i]]
	print "\t\t'1:verb:->verb'\n\t)"
	print "\tfor word in ${words[2,CURRENT-1]}; do\n\t\tcase $word in"
	for (i = 1; i <= count; i++) {
		line = ""
		for (j = 1; j <= owned[i]; j++)
			line = line " " specs[of[i, j]]
		if (argument[i] != "")
			line = line " '2:" argument[i] ":" (verbs[i] in files ? "_files" : "") "'"
		if (line != "")
			print "\t\t(" verbs[i] ") specs+=(" substr(line, 2) ") ;;"
	}
	print "\t\tesac\n\tdone"
	print "\t_arguments -C $specs"
	print "\t[[ $state != verb ]] || _describe verb verbs"
	print "}\n_batonctl \"$@\""
}
