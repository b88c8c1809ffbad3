#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# GDB with `vsm run --gdb`, in the rig, on the conformance suite and on a secure kernel that raises an exception. Usage:
# gdb-cases.sh VSM IMAGE CALLS KERNEL: CALLS is call-tests.elf, KERNEL the ELF file of its secure kernel.
vsm=$1
image=$2
calls=$3
kernel=$4
. ./tap.sh

# Runs Debian's GDB with the libraries of its Debian release.
gdb() {
	libraries=gdb/usr/lib/x86_64-linux-gnu:gdb/lib/x86_64-linux-gnu
	gdb/lib64/ld-linux-x86-64.so.2 --library-path $libraries gdb/usr/bin/gdb -nx -batch "$@"
}

"$vsm" run "$image" --cpus 2 --vtls 2 --testdev --append "test=switch" --gdb g.sock --paused --serial file:out \
	< /dev/null 2> err &
pid=$!
while kill -0 $pid 2> /dev/null && [ ! -S g.sock ]; do sleep 0.1; done

cat > script << 'END'
set pagination off
set confirm off
set width 0
file vsm-tests.elf
target extended-remote g.sock
set schedule-multiple on
add-inferior -exec vsm-tests.elf
inferior 2
attach 2
info threads
monitor vtl
monitor stop entry on 1
echo \n== entry\n
continue
monitor stop entry off
printf "entered %d in thread %d\n", $pc == (unsigned long)&vtl_first_entry, $_gthread
print smp_count
info registers cr0 efer
echo \n== step\n
set $before = $pc
stepi
printf "stepped %d\n", $pc > $before && $pc < $before + 16
echo \n== breakpoint\n
break count
continue
backtrace 2
echo \n== watchpoint\n
delete
watch -l *(unsigned int *)argument
continue
info registers rip
echo \n== register\n
set $xmm0.v2_int64[0] = 0x1234
print $xmm0.v2_int64[0]
print $fs_base
echo \n== end\n
delete
continue
END
gdb -x script > session 2>&1
wait $pid
status=$?
sed 's/^/# /' session

grep -q 'Thread 2.2 "0.1" (VTL1 of VP 0)' session && grep -q 'Thread 1.17 "1.0" (VTL0 of VP 1)' session
report $? "each VTL is a process and each VP a thread"
grep -q '^VTL1 of VP 0 was entered' session && grep -q '^entered 1 ' session
report $? "the VP stops at the entry of VTL1, before the first instruction"
grep -q '^\$1 = 2$' session && grep -q 'cr0 .*\[ PG ' session && grep -q 'efer .*LMA' session
report $? "memory and registers of VTL1 are read"
grep -q '^stepped 1$' session
report $? "a step is one instruction"
grep -q 'hit Breakpoint.*, count' session || grep -q 'Breakpoint [0-9.]*, count (' session
report $? "a breakpoint in VTL1 stops there"
grep -q "^Hardware watchpoint" session && grep -q "Old value = " session && grep -q 'New value = 1$' session
report $? "a watchpoint stops at the write, with the old and the new value"
grep -q '^\$[0-9] = 4660$' session
report $? "a register of VTL1 is written"
sed -i 's/\r$//' out
[ "$status" = 1 ] && grep -q '^ok' out && ! grep -q '^not ok' out
report $? "the guest continues, and its tests pass"
[ $failed = 0 ] || sed 's/^/# /' out err
rm -f g.sock
"$vsm" run "$calls" --testdev --append test=crash --gdb g.sock --control c.sock --paused --serial file:out < /dev/null 2> err &
pid=$!
while kill -0 $pid 2> /dev/null && [ ! -S g.sock ]; do sleep 0.1; done

cat > script << END
set pagination off
set confirm off
set width 0
target extended-remote g.sock
monitor stop entry on 1
continue
add-inferior
inferior 2
attach 2
set \$base = (long)\$rip & ~0x1fffff
eval "add-symbol-file $kernel -o %#lx", \$base
monitor stop entry off
printf "first %d\n", \$pc == (unsigned long)&vtl_first_entry
eval "monitor translate %#lx", \$rip
set schedule-multiple on
break interrupt_entry if frame->vector == 14
continue
printf "error %d\n", frame->error
backtrace
delete
echo \n== crash\n
continue
shell timeout 60 "$vsm" inspect c.sock core crash.core
detach inferiors 1 2
END
gdb -x script > session 2>&1
wait $pid
status=$?
grep -q '^first 1$' session && grep -q 'page tables: .*x' session && grep -q '^error 2$' session
report $? "GDB has the symbols of a secure kernel from its first instruction on"
sed -n '/^#0 .*interrupt_entry/,/== crash/p' session > frames
grep -q ' crash (' frames && grep -q ' call_serve (' frames && grep -q ' secure_main (' frames
report $? "a backtrace leads from an exception of VTL1 to the service that raised it"
grep -q '^VTL1 of VP 0 has reported a crash' session && [ $status = 4 ]
report $? "the crash stops the machine for GDB, and then ends it"
gdb -c crash.core -ex 'info threads' > threads 2>&1
grep -q 'LWP 2' threads
report $? "a core file of the crashed machine has the threads of VTL1"
[ $failed = 0 ] || sed 's/^/# /' session threads err
end_cases
