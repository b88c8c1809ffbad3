# SPDX-License-Identifier: BSD-2-Clause
number=0
failed=0

# Prints details after a failed case. A script may replace it.
explain() { :; }

report() { # STATUS NAME
	number=$((number + 1))
	[ "$1" = 0 ] && echo "ok $number - $2" && return
	echo "not ok $number - $2"
	failed=$((failed + 1))
	explain
}

check() { # NAME COMMAND...
	what=$1
	shift
	"$@"
	report $? "$what"
}

same() { [ -n "$1" ] && [ "$1" = "$2" ]; }
differs() { [ -n "$1" ] && [ -n "$2" ] && [ "$1" != "$2" ]; }

end_cases() {
	echo "1..$number"
	[ $failed = 0 ]
}
