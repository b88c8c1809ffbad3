#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: two boots of Debian's kernel under QEMU, without and with the guard of devices. Usage: demo.sh MACHINE CPUS
tar -xf qemu.tar && rm qemu.tar
export VSM_QEMU="$(pwd)/q/run" VSM_QEMU_MODULE="$(pwd)/q/vsm-accel.so"
pattern='D\323\241\254D\323\241\254D\323\241\254D\323\241\254'

boot() { # GUARD WORDS
	yes "$(printf "$pattern")" | tr -d '\n' | head -c 4096 > disk.img
	head -c 1044480 /dev/zero >> disk.img
	echo "BOOT $1"
	q/qemu-system-x86_64-vsm -accel vsm,device-guard="$1" -M "$machine" -cpu host -smp "$cpus" -m 256M -display none -nodefaults \
		-kernel vmlinuz -initrd initrd.cpio -append "console=ttyS0 panic=-1 mitigations=off quiet rdinit=/dma-init $2" \
		-drive file=disk.img,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk,disable-legacy=off \
		-no-reboot -serial stdio < /dev/null
	echo "END $?"
}

machine=$1 cpus=$2
boot off "damage=0"
boot on "damage=1 attacks=1"
