#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: what `vsm probe` finds on a CPU with VMX. Usage: probe-cases.sh VSM ENGINE. Speaks TAP.
vsm=$1
engine=$2
number=0
failed=0

report() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" = 0 ]; then echo "ok $number - $2"; else
		echo "not ok $number - $2"
		failed=$((failed + 1))
	fi
}

echo 1..5
"$vsm" probe --json > report.json
report $? "the probe ends with the status of a host that is ready"
grep -q '"vmx": true' report.json && grep -q '"kvm": "vmx"' report.json
report $? "it finds VMX, and a KVM that uses it"
grep -q "\"engine\": \"$engine\"" report.json
report $? "the engine is $engine"
tests=$(grep -c '"id": "live\.' report.json)
[ "$tests" -ge 13 ]
report $? "it has run its self-tests ($tests)"
# One finding is some lines: its name, then its status.
wrong=$(sed -n '/"id": "live\./,/"status"/p' report.json | tr -d ' ",' | paste -sd ' ' | sed 's/id:/\n/g' |
	grep '^live' | grep -v 'status:ok' | cut -d ' ' -f 1)
[ "$engine" = attr ] || wrong=$(echo "$wrong" | grep -v '^live.restrictions$')
[ -z "$wrong" ]
report $? "each self-test that this KVM can pass is ok $wrong"
[ $failed = 0 ]
