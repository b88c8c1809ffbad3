#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: what `vsm probe` says of this kernel, its report kept in the log for build-aux/hosts.
# Usage: probe-cases.sh VSM VERDICT [IMAGE]. VERDICT 0: all that is needed is here; 2: nothing runs, and with IMAGE it is shown that
# `vsm run` refuses it. Speaks TAP.
vsm=$1
verdict=$2
image=$3
timeout=60
# On a kernel that lacks something, a self-test that hangs is expected.
[ "$verdict" = 0 ] || timeout=5

report() { # STATUS NUMBER NAME
	[ "$1" = 0 ] || printf 'not '
	echo "ok $2 - $3"
}

"$vsm" probe --json --timeout $timeout
[ $? = "$verdict" ]
report $? 1 "vsm probe has verdict $verdict here"
if [ -n "$image" ]; then
	"$vsm" run "$image" --memory 128M > out 2>&1
	status=$?
	sed 's/^/# /' out
	[ $status != 0 ] && grep -q 'use Linux 6.4 or later' out
	report $? 2 'no partition is made where a violation would hang its VP, and the reason is given'
	echo 1..2
else
	echo 1..1
fi
