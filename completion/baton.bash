# bash completion of baton
# shellcheck shell=bash
_baton()
{
	local cur=${COMP_WORDS[COMP_CWORD]} words='-c --config --check --print-config --help --version'
	case ${COMP_WORDS[COMP_CWORD-1]} in
	-c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
	esac
}
complete -o filenames -F _baton baton
