#!/bin/sh
# What cppcheck finds in the sources, but for what is known to be no fault.
set -eu
cd "${SOURCE:-.}"
command -v cppcheck >/dev/null || { echo 'skipped: no cppcheck'; exit 77; }
queue=$(echo '#include <sys/queue.h>' | cc -E -xc - | sed -n 's/^# 1 "\(.*queue.h\)".*/\1/p')
cppcheck -j2 -q --enable=warning,portability --std=c11 --error-exitcode=1 -D_GNU_SOURCE --include="$queue" \
	--include=tests/unit/cppcheck.h \
	--suppressions-list=tests/unit/cppcheck.suppressed --suppress=missingIncludeSystem -Isrc src
echo 'ok: nothing that is not known'
