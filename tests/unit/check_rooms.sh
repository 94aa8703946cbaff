#!/bin/sh
# The rooms and who may include whom: base <- conf, wire <- master <- main;
# base, conf, wire <- worker <- service <- main; ctl sees base and wire.
# The path of a line says which process runs it.
set -eu
cd "${SOURCE:-.}/src"
bad=0

# allow ROOM MAY-INCLUDE...
allow() {
	room=$1
	shift
	# shellcheck disable=SC2013 # a room is one word
	for seen in $(grep -rhoE '^# *include "[a-z]+/' "$room" | sed 's/.*"//; s,/,,' | sort -u); do
		case " $* $room " in
		*" $seen "*) ;;
		*)
			echo "$room/ includes $seen/:"
			grep -rnE "^# *include \"$seen/" "$room"
			bad=1
			;;
		esac
	done
}

allow base
allow conf base
allow wire base
allow master base conf wire
allow worker base conf wire
allow service base conf wire worker
allow ctl base wire

# shellcheck disable=SC2044 # no blanks in our names
for f in $(find . -name '*.c' ! -name main.c); do
	own=${f#./}
	own=${own%.c}.h
	if [ -f "$own" ] && [ "$(grep -m1 '^# *include' "$f")" != "#include \"$own\"" ]; then
		echo "$f does not include $own first"
		bad=1
	fi
done
if grep -nE 'goto ' -r .; then
	echo 'goto is not used here'
	bad=1
fi
[ "$bad" = 0 ] && echo 'ok: the rooms are as they should be'
exit $bad
