#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: Debian's shim, GRUB and kernel boot with Secure Boot under the accelerator vsm, and VTL1 starts. Prints TAP.
# Usage: secure-boot.sh CASE...
. ./common.sh

hexadecimal() { [ ${#1} -ge 32 ] && [ -z "$(echo "$1" | tr -d 0-9a-f)" ]; }

# The firmware has the keys of Microsoft, shim that of Debian, and the list of the machine's owner (MokList) one for vsm.ko.
shim() {
	cp variables-ms.fd variables.fd
	start -M q35,smm=on -cpu host -smp 2 -m 512M -global driver=cfi.pflash01,property=secure,value=on \
		-drive if=pflash,format=raw,readonly=on,file=q/share/OVMF_CODE_4M.secboot.fd \
		-drive if=pflash,format=raw,file=variables.fd -drive file=fat:esp,format=raw,if=virtio,readonly=on
	check "Secure Boot: shim and GRUB of Debian boot its kernel" wait_for '^FACT dmesg' 1 900
	check "Secure Boot: GRUB refuses a kernel that was changed" [ "$(count 'GRUB: altered kernel refused')" -ge 1 ]
	wait_for '^FACT end' 1 300
	check "Secure Boot: the kernel says that it is enabled" same "$(fact dmesg 1)" 1
	check "Secure Boot: the firmware's variable says that it is enabled" same "$(fact variable 1)" 0600000001
	check "Secure Boot: the kernel is locked down" same "$(fact lockdown 1)" "none [integrity] confidentiality"
	check "Secure Boot: a module without a signature is refused" same "$(fact unsigned 1)" "insmod: can't insert '/vsm.ko': Key was rejected by service"
	check "Secure Boot: the module that starts VTL1 is signed by a key of the machine's owner" same "$(fact signed 1)" loaded
	check "Secure Boot: VTL1 locks the kernel" same "$(fact lock 1)" "done"
	check "Secure Boot: VTL1 computes with its key" hexadecimal "$(fact hmac 1)"
	finish 30
	check "Secure Boot: the guest powers off, and QEMU ends with status 0" same "$status" 0
	[ $failed = 0 ] || show serial.log monitor.log errors
}

run_cases "$@"
