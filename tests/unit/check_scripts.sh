#!/bin/sh
# The shell scripts are without the faults that shellcheck knows.
set -eu
cd "${SOURCE:-.}"
command -v shellcheck >/dev/null || { echo 'skipped: no shellcheck'; exit 77; }
shellcheck -x tools/run tools/test tools/need tools/before tools/shutdown tests/fuzz/run tests/unit/tsan tests/unit/check_analysis.sh tests/unit/check_scripts.sh .ci/run completion/baton.bash debian/baton.postinst debian/baton.prerm
echo 'ok: the scripts are clean'
