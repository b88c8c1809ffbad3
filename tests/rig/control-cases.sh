#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests the control socket and saved machines, in the rig. The guest is the conformance suite, which must also
# pass. Usage: control-cases.sh VSM IMAGE. Prints TAP.
vsm=$1
image=$2
. ./tap.sh

ask() { "$vsm" inspect c.sock "$@"; }

# Waits until the control socket answers; fails if the machine has ended.
wait_for_socket() {
	while kill -0 $pid 2> /dev/null; do
		ask machine > /dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}

start() { # OPTION...
	"$vsm" run "$@" --control c.sock --serial file:out 2> err &
	pid=$!
	wait_for_socket
}

# Returns whether all.tap has a complete run of the suite without a failure.
check_suite() {
	sed -i 's/\r$//' all.tap
	plan=$(sed -n 's/^1\.\.//p' all.tap)
	[ -n "$plan" ] && [ "$(grep -c '^ok ' all.tap)" = "$plan" ] && ! grep -q '^not ok' all.tap
	good=$?
	[ $good = 0 ] || sed 's/^/# /' all.tap err
	return $good
}

# Runs the suite in several processes: saves the machine every SECONDS and restores it in a new process with the next ENGINE.
in_pieces() { # SECONDS COMMAND_LINE SAVES [ENGINE]...
	seconds=$1
	command_line=$2
	wanted=$3
	shift 3
	[ $# -gt 0 ] || set -- auto
	saves=0
	: > all.tap
	start "$image" --cpus 2 --testdev --engine "$1" --append "$command_line"
	while sleep "$seconds" && ask pause 2> /dev/null; do
		ask save machine && ask quit || break
		wait $pid
		cat out >> all.tap
		saves=$((saves + 1))
		first=$1
		shift
		set -- "$@" "$first"
		start --restore machine --engine "$1"
	done
	wait $pid
	status=$?
	cat out >> all.tap
	echo "# saved and restored $saves times"
	check_suite && [ $status = 1 ] && [ $saves -ge "$wanted" ]
}

in_pieces 1 "" 3
report $? "the conformance suite passes while it is saved and restored several times"
[ "$(stat -c %a machine)" = 600 ]
report $? "a saved machine is accessible only to its owner"

in_pieces 2 "test=soak seconds=12" 3
report $? "random load on every VP and VTL runs without errors while it is saved and restored"

if [ "$(cat /sys/module/kvm_amd/parameters/nested 2> /dev/null)" = 1 ]; then
	in_pieces 2 "test=soak seconds=12" 3 nested uffd
	report $? "random load runs without errors when engine nested saves it and engine uffd restores it, and the reverse"
fi

start "$image" --cpus 2 --testdev --append "test=soak seconds=12"
pauses=0
while ask pause 2> /dev/null; do
	ask vp/0/vtl/1/registers > /dev/null 2>&1
	ask resume 2> /dev/null
	ask vp/1/vtl/0/lapic > /dev/null 2>&1
	ask partition/protection/0 > /dev/null 2>&1
	[ $((pauses % 5)) = 0 ] && ask save running 2> /dev/null
	pauses=$((pauses + 1))
done
wait $pid
status=$?
cp out all.tap
echo "# paused $pauses times"
check_suite && [ $status = 1 ] && [ $pauses -ge 3 ]
report $? "no interrupt and no timer is lost by pauses, inspections and saves"

"$vsm" run "$image" --cpus 2 --testdev --append "test=protect" --control c.sock --paused --serial file:out 2> err &
pid=$!
wait_for_socket
ask events > events &
listener=$!
sleep 1
ask resume
wait $pid
wait $listener
report $? "the stream of events ends with the machine"
counted=$(sed -n 's/.* \([0-9]*\) intercepts.*/\1/p' err)
told=$(grep -c 'INTERCEPT_' events)
echo "# $counted intercepts, $told told"
[ "${counted:-0}" -gt 20 ] && [ "$told" = "$counted" ] && ! grep -q dropped events
report $? "every intercept is reported"
[ "$(grep -c 'VTL_ENABLE' events)" = 2 ] && tail -n 1 events | grep -q end
report $? "the enabling of VTL1 on each processor and the end are reported"

# Paths of `vsm inspect` that exist only with VTL1.
start "$image" --cpus 2 --testdev --append "test=soak seconds=6"
sleep 2
ask pause
ask vp/0 | grep -q 'enabled_vtls *0 1' && ask vp/0/vtl/1/synic | grep -q 'scontrol *0x1$' &&
	ask partition/protection/0 | grep -q 'access r--\|access ---\|access r-x'
report $? "VTL1, its SynIC and its protections are shown"
ask quit
wait $pid
report $? "quit ends a paused machine with status 0"

dd if=/dev/urandom of=machine bs=1 count=64 seek=5000 conv=notrunc 2> /dev/null
"$vsm" run --restore machine < /dev/null > out 2> err
[ $? = 2 ] && grep -q damaged err
report $? "a damaged file is refused"
[ ! -e c.sock ]
report $? "no socket file is left"
end_cases
