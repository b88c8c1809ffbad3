# SPDX-License-Identifier: BSD-2-Clause
# Functions of the rig's scripts that test Debian's QEMU with the accelerator vsm, and print TAP. If a script runs
# several QEMUs, each has its own folder, which use() selects.
. ./tap.sh
[ ! -e qemu.tar ] || { tar -xf qemu.tar && rm qemu.tar; }
top=$(pwd)
q=$top/q
fd=3
export VSM_QEMU="$q/run" VSM_QEMU_MODULE="$q/vsm-accel.so"
vsm=$q/qemu-system-x86_64-vsm
# A QEMU with the accelerator in it is started without the wrapper.
[ -e "$vsm" ] || vsm=$q/run
quiet="-display none -nodefaults -no-user-config"
accel="-accel vsm"

# Prints the value of a FACT line of the guest's N-th boot.
fact() { # NAME N
	sed -n "s/\r$//; s/^FACT $1 //p" serial.log | sed -n "$2p"
}
count() { grep -ac "$1" serial.log; }

wait_for() { # PATTERN COUNT SECONDS: waits for lines in the serial log; fails if QEMU has ended
	left=$(($3 * 5))
	while [ "$(count "$1")" -lt "$2" ]; do
		kill -0 $pid 2> /dev/null || return 1
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.2
	done
}

# Selects the QEMU of FOLDER for later commands. DESCRIPTOR: the file descriptor for its monitor.
use() { # FOLDER DESCRIPTOR
	mkdir -p "$top/$1"
	cd "$top/$1" || exit
	fd=$2
	pid=$(cat pid 2> /dev/null)
}

start() { # OPTION... of QEMU
	rm -f serial.log monitor
	mkfifo monitor
	: > serial.log
	"$vsm" $accel $quiet -monitor stdio -serial file:serial.log "$@" < monitor > monitor.log 2> errors &
	pid=$!
	echo $pid > pid
	eval "exec $fd> monitor"
}

tell() { echo "$*" >&"$fd"; }

# Waits for QEMU to end, and kills it after SECONDS.
finish() { # SECONDS
	left=$(($1 * 5))
	while kill -0 $pid 2> /dev/null && [ $left -gt 0 ]; do
		left=$((left - 1))
		sleep 0.2
	done
	kill -9 $pid 2> /dev/null
	wait $pid
	status=$?
	eval "exec $fd>&-"
}

show() { # FILE...: prints the ends of files as TAP comments
	for file in "$@"; do
		sed "s/\r//g; s/^/# $file: /" "$file" | tail -n 25
		echo
	done
}

run_cases() { # CASE...
	for each in "$@"; do
		$each
	done
	end_cases
}
