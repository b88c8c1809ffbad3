#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Devices of q35 under the accelerator vsm in the rig, with Debian's kernel for hardware. Usage: devices.sh CASE...
. ./common.sh

# Makes a disk of 1 MiB: its first page is random, all others are zero.
make_disk() { # FILE
	head -c 4096 /dev/urandom > "$1"
	head -c 1044480 /dev/zero >> "$1"
}

disk_works() { # NAME FILE
	check "$1: its disk is read" same "$(fact "disk_$1" 1 | cut -d' ' -f1)" "$(head -c 4096 "$2" | sha256sum | cut -d' ' -f1)"
	check "$1: its disk is written" same "$(head -c 8192 "$2" | tail -c 4096 | sha256sum)" "$(head -c 4096 "$2" | sha256sum)"
}

above_0() { [ "${1:-0}" -gt 0 ]; }
is_random() { [ ${#1} = 32 ] && [ -n "$(echo "$1" | tr -d 0)" ]; }

run_guest() { # OPTION...
	for each in nvme scsi usb; do make_disk $each.img; done
	rm -rf tpm
	mkdir tpm
	"$q"/tpm/lib/ld-linux-x86-64.so.2 --library-path "$q/tpm/lib" "$q/tpm/swtpm" socket --tpm2 --tpmstate dir=tpm --ctrl type=unixio,path=tpm/socket > swtpm.log 2>&1 &
	swtpm=$!
	start -M q35 -cpu host -smp 2 -m 512M -kernel hardware-vmlinuz -initrd devices.cpio \
		-append "console=ttyS0 panic=-1 mitigations=off quiet" \
		-drive file=nvme.img,format=raw,if=none,id=nvme -device nvme,drive=nvme,serial=1 \
		-device virtio-scsi-pci -drive file=scsi.img,format=raw,if=none,id=scsi -device scsi-hd,drive=scsi \
		-device qemu-xhci -drive file=usb.img,format=raw,if=none,id=usb -device usb-storage,drive=usb -device usb-kbd \
		-netdev user,id=net2,net=10.0.2.0/24 -device e1000e,netdev=net2,romfile= \
		-netdev user,id=net3,net=10.0.3.0/24 -device virtio-net-pci,netdev=net3,romfile= \
		-device virtio-rng-pci -device bochs-display,romfile= \
		-chardev socket,id=tpm,path=tpm/socket -tpmdev emulator,id=tpm,chardev=tpm "$@"
	wait_for 'FACT waits' 1 1200
	tell sendkey a
	tell screendump screen.ppm
	wait_for 'FACT end' 1 200
	ran=$?
	finish 20
	kill $swtpm 2> /dev/null
	return $ran
}

devices() { # TPM
	check "a guest uses the devices of q35, with $1" run_guest -device "$1,tpmdev=tpm"
	disk_works nvme nvme.img
	disk_works virtio_scsi scsi.img
	disk_works usb usb.img
	check "e1000e: a network is reached" same "$(fact ping_e1000e 1)" 5
	check "virtio-net: a network is reached" same "$(fact ping_virtio_net 1)" 5
	for each in nvme xhci e1000e virtio_net virtio; do
		check "$each: its interrupts are MSI-X" above_0 "$(fact interrupts_$each 1)"
	done
	check "virtio-rng: the guest has random bytes of it" is_random "$(fact random 1)"
	check "virtio-rng: it is the guest's generator" same "$(fact rng 1)" virtio_rng.0
	check "$1: the guest has a TPM of version 2" same "$(fact tpm 1)" 2
	check "$1: the guest reads a PCR" same "$(fact pcr 1)" "$(printf %064d 0)"
	check "bochs-display: the guest has a frame buffer" same "$(fact display 1)" bochs-drmdrmfb
	check "bochs-display: what the guest draws is shown" grep -q "$(printf '\377\377\377\377\377\377')" screen.ppm
	check "usb-kbd: the guest has a keyboard" same "$(fact keyboard 1)" 1
	check "usb-kbd: a key arrives" same "$(fact key 1)" 24
	[ $failed = 0 ] || show serial.log monitor.log errors swtpm.log
}

tis() { devices tpm-tis; }
crb() { devices tpm-crb; }

run_cases "$@"
