#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: Debian's GDB on QEMU's GDB stub, with the guest writer.c, whose VTLs execute one image. Prints TAP. Usage: gdb.sh CASE...
. ./common.sh
# A write to the monitor of a QEMU that has ended must not kill this script.
trap "" PIPE

gdb() {
	libraries=$top/gdb/usr/lib/x86_64-linux-gnu:$top/gdb/lib/x86_64-linux-gnu
	timeout 60 "$top/gdb/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$top/gdb/usr/bin/gdb" -nx -batch "$@"
}

says() { grep -q "$1" session; }
# Bad or absent data of the guest's areas would be counted in `bad`.
ticks_on() { wait_for '^TICK .* bad=0' $(($(count '^TICK') + 3)) 60; }

start_guest() {
	start -M pc -cpu host -smp 2 -m 64M -kernel writer.elf32 -append "cpus=2 int3=1" -S \
		-chardev socket,path=g.sock,server=on,wait=off,id=gdb -gdb chardev:gdb
	while kill -0 $pid 2> /dev/null && [ ! -S g.sock ]; do sleep 0.1; done
}

gdb_stub() {
	start_guest
	cat > script << 'END'
set pagination off
set confirm off
set width 0
file writer.elf
target remote g.sock
hbreak make_private
echo \n== VTL1\n
continue
monitor info vsm
delete
echo \n== step\n
set $before = $pc
stepi
printf "stepped %d\n", $pc > $before && $pc < $before + 16
echo \n== break\n
break check_private
continue
printf "vtl1 has key %d\n", *key != 0 && *key == key[0]
set $key0 = *key
set $xmm3.v2_int64[1] = 0x1234
set $st2 = 2.5
print $fstat
set $fstat = $fstat & ~0x3800
set $st1 = 7.5
set $fstat = 0x1800
printf "rotated %.1f\n", $st6
set $fstat = 0
set $mxcsr = 0x1fa0
stepi
printf "xmm %#lx st %.1f mxcsr %#x\n", $xmm3.v2_int64[1], $st2, $mxcsr
info registers cr0 efer
delete
echo \n== watch\n
watch digest
continue
info symbol $pc
delete
echo \n== VTL0\n
hbreak print
continue
monitor info vsm
printf "vtl0's debugger sees the key %d\n", *key == $key0
delete
detach
END
	gdb -x script > session 2>&1
	# A second connection: an error ends a script, but not a list of commands.
	gdb -ex 'set width 0' -ex 'file writer.elf' -ex 'target remote g.sock' -ex 'print *(long *)0x123456789000' \
		-ex 'hbreak print' -ex 'hbreak work' -ex 'hbreak step' -ex 'hbreak make_private' -ex 'hbreak check_private' \
		-ex continue -ex delete -ex 'break print' -ex 'break work' -ex 'break step' -ex 'break try_load' \
		-ex 'break try_store' -ex 'echo software\n' -ex continue -ex delete -ex 'rwatch digest' -ex continue -ex delete \
		-ex 'hbreak print' -ex continue -ex delete -ex 'set *key = 1' -ex 'break *(long)key' -ex 'echo alias\n' -ex continue -ex delete -ex detach > mistakes 2>&1
	sed 's/^/# /' session mistakes
	sed -n '/== VTL1/,/== step/p' session > part
	check "a breakpoint stops VTL1" grep -q 'CPU 0: VTL 1 active' part
	check "a step is one instruction" says '^stepped 1$'
	check "GDB reads memory of VTL1" says '^vtl1 has key 1$'
	check "GDB writes x87 and SSE registers" says '^xmm 0x1234 st 2.5 mxcsr 0x1fa0$'
	check "x87 registers are numbered from TOP on" says '^rotated 7.5$'
	check "a watchpoint stops after the write, with the old and the new value" grep -q 'Hardware watchpoint.*digest' session
	check "the watchpoint stops VTL1 in the function that writes" says '^check_private + [0-9]* in section'
	sed -n '/== VTL0/,$p' session > part
	check "a breakpoint stops VTL0" grep -q 'CPU 0: VTL 0 active' part
	check "GDB reads pages of VTL1 while VTL0 is active" says "^vtl0's debugger sees the key 1$"
	check "a fifth hardware breakpoint is refused" grep -q 'Could not insert hardware breakpoints' mistakes
	sed -n '/^software/,/watchpoint/p' mistakes > part
	if grep -q GenuineIntel /proc/cpuinfo; then
		check "more than four software breakpoints stop the guest" grep -q 'hit Breakpoint' part
	else
		check "without exits by INT3, a fifth software breakpoint is refused" grep -q 'Cannot insert breakpoint' part
	fi
	check "an address without a translation is refused" grep -q 'Cannot access memory at address 0x123456789000' mistakes
	check "a watchpoint for reads stops at writes, too" grep -q 'hit Hardware read watchpoint' mistakes
	check "GDB's writes do not reach pages of VTL1 while VTL0 is active" grep -q 'Cannot access memory at address 0x154000' mistakes
	sed -n '/^alias/,$p' mistakes > part
	check "a breakpoint in a page that VTL0 may not execute is refused" grep -q 'Cannot insert breakpoint' part
	check "the guest continues without GDB, with all its data" ticks_on
	tell quit
	finish 20
	check "QEMU ends" same "$status" 0
	[ $failed = 0 ] || show serial.log monitor.log errors session mistakes
}

# For a CPU with VMX: QEMU's software CPU ends by a signal at such a breakpoint.
gdb_real_mode() {
	start_guest
	# The second CPU starts at 0x800:0, where its RIP is 0.
	gdb -ex 'file writer.elf' -ex 'target remote g.sock' -ex 'hbreak apic_send' -ex continue -ex delete -ex 'break *0x8000' \
		-ex continue -ex 'info registers cs' -ex delete -ex detach > real 2>&1
	sed 's/^/# /' real
	check "a breakpoint stops code whose CS has a base" grep -q 'cs  *0x800 ' real
	check "the guest continues in real mode" ticks_on
	tell quit
	finish 20
	[ $failed = 0 ] || show serial.log monitor.log errors
}

# For a CPU with VMX, where breakpoints are in memory while the guest runs.
gdb_stream() {
	start_guest
	gdb -ex 'file writer.elf' -ex 'target remote g.sock' -ex 'hbreak kit_main' -ex continue -ex delete -ex 'break machine_crash' \
		-ex continue > stream 2>&1 &
	debugger=$!
	check "the guest runs with a breakpoint that it does not reach" wait_for '^TICK .* bad=0' 2 60
	tell migrate file:refused
	sleep 1
	tell info status
	left=50
	until grep -q 'VM status' monitor.log || [ $left = 0 ]; do left=$((left - 1)); sleep 0.2; done
	check "migration is refused while memory contains breakpoints" grep -q 'memory contains breakpoints of GDB' monitor.log
	check "the stream was not written" [ ! -s refused ]
	check "the guest continues after the refusal" ticks_on
	tell quit
	finish 20
	wait $debugger
	[ $failed = 0 ] || show serial.log monitor.log errors stream
}

run_cases "$@"
