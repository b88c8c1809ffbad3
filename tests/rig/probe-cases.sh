#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Checks the verdict of `vsm probe` on this kernel, in the rig. Usage: probe-cases.sh VSM VERDICT [IMAGE]. VERDICT 0:
# VSM runs; 2: VSM does not run, and `vsm run` must refuse IMAGE.
vsm=$1
verdict=$2
image=$3
timeout=60
# On a kernel with missing features a self-test may hang.
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
	report $? 2 'vsm run refuses a kernel on which a violation would hang a VP, with the reason'
	echo 1..2
else
	echo 1..1
fi
