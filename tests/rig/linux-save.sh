#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Saves a machine with Debian's kernel and the secure kernel at each WORD of the guest's output, in the rig, and
# restores it in a new process. The second process gets an NMI. Usage: linux-save.sh VSM CPUS WORD...
vsm=$1
cpus=$2
shift 2
saves=0
nmi=no

ask() { "$vsm" inspect c.sock "$@"; }
step() { echo "STEP $(cut -d. -f1 /proc/uptime) $*"; }

start() { # OPTION...
	"$vsm" run "$@" --control c.sock --serial file:out 2> err &
	pid=$!
	while kill -0 $pid 2> /dev/null && ! ask machine > /dev/null 2>&1; do sleep 0.5; done
	step "$1"
}

: > all
start vmlinuz --initrd initrd --memory 256M --cpus "$cpus" --append "console=ttyS0 panic=-1 mitigations=off quiet"
# Poll rarely: on a single emulated CPU each check slows the guest down.
for word in "$@"; do
	# The word may be in the output of an earlier process.
	while kill -0 $pid 2> /dev/null && ! cat all out | grep -q "$word"; do sleep 1; done
	step "$word"
	[ $saves = 0 ] || [ $nmi = yes ] || { ask nmi $((cpus - 1)) && nmi=yes; }
	ask pause && ask save machine && ask quit || break
	wait $pid
	cat out >> all
	saves=$((saves + 1))
	step "saved $(stat -c %s machine)"
	start --restore machine
done
wait $pid
status=$?
cat out >> all
cat all err
echo "HOST status=$status saves=$saves bytes=$(stat -c %s machine)"
