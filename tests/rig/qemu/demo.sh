#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Boots Debian's kernel under QEMU in the rig, without the guard against DMA, then with it. The second guest migrates to
# another QEMU while it runs. Usage: demo.sh MACHINE CPUS
tar -xf qemu.tar && rm qemu.tar
export VSM_QEMU="$(pwd)/q/run" VSM_QEMU_MODULE="$(pwd)/q/vsm-accel.so"
pattern='D\323\241\254D\323\241\254D\323\241\254D\323\241\254'

make_disk() {
	yes "$(printf "$pattern")" | tr -d '\n' | head -c 4096 > disk.img
	head -c 1044480 /dev/zero >> disk.img
}

boot() { # GUARD WORDS OPTION...
	guard=$1 words=$2
	shift 2
	q/qemu-system-x86_64-vsm -accel vsm,device-guard="$guard" -M "$machine" -cpu host -smp "$cpus" -m 256M -display none -nodefaults \
		-kernel vmlinuz -initrd initrd.cpio -append "console=ttyS0 panic=-1 mitigations=off quiet rdinit=/dma-init $words" \
		-drive file=disk.img,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk,disable-legacy=off \
		-no-reboot "$@"
}

# Runs the first QEMU in the background, and migrates the guest to a second QEMU after the guest's attacks.
boot_and_move() { # WORDS
	mkfifo monitor.in monitor.out console
	boot on "$1" -serial file:serial.log -chardev pipe,id=monitor,path=monitor -mon monitor < /dev/null 2> errors &
	first=$!
	cat monitor.out > monitor.log &
	exec 3> monitor.in
	: > serial.log
	tail -f serial.log &
	shown=$!
	until grep -q 'FACT moves' serial.log 2> /dev/null; do
		kill -0 $first 2> /dev/null || return 1
		sleep 0.2
	done
	boot on "$1" -incoming unix:socket -serial stdio < console &
	second=$!
	exec 4> console
	until [ -S socket ]; do sleep 0.2; done
	echo migrate unix:socket >&3
	until grep -q 'completed' monitor.log; do
		echo info migrate >&3
		sleep 0.5
	done
	kill $shown
	echo FACT migrated
	echo >&4
	echo quit >&3
	wait $second
}

machine=$1 cpus=$2
make_disk
echo "BOOT off"
boot off "damage=0" -serial stdio < /dev/null
echo "END $?"
make_disk
echo "BOOT on"
boot_and_move "damage=1 attacks=1 move=1"
echo "END $?"
