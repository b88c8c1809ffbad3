#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests how `vsm run` reports an exception of the secure kernel, in the rig.
# Usage: crash-cases.sh VSM IMAGE. IMAGE is call-tests.elf. Prints TAP.
vsm=$1
image=$2
. ./tap.sh
explain() { sed 's/^/# /' out err; }

"$vsm" run "$image" --testdev --cpus 2 --append test=crash --serial file:out 2> err
[ $? = 4 ]
report $? "an exception in VTL1 ends the machine as a crash"

text=$(sed -n 's/^    \(exception 14 (error 0x2) in VTL1 of VP0: rip .*\)/\1/p' err)
rip=$(echo "$text" | sed -n 's/.* rip \(0x[0-9a-f]*\) .*/\1/p')
offset=$(echo "$text" | sed -n 's/.*(image + \(0x[0-9a-f]*\)).*/\1/p')
[ -n "$rip" ] && [ -n "$offset" ] && [ $((rip - offset)) -gt 0 ] && [ $(((rip - offset) % 0x200000)) = 0 ] &&
	[ $((offset)) -lt 65536 ]
report $? "the crash report has the exception, and RIP as an address of the linked image"

grep -q '^Bail out! exception 14 ' out
report $? "VTL1 prints the exception to the console"

end_cases
