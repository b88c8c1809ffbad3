#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests Debian's QEMU with the accelerator vsm, called by its wrapper, in the rig. Prints TAP. Usage: cases.sh [CASE...]
# P37: cases with DMA; P38: cases with PAM and other chipset registers that place memory.
. ./common.sh

attacks_blocked() {
	blocked=$(sed -n 's/^ATTACK \([0-9]*\) blocked, .*/\1/p' serial.log | head -n 1)
	check "every attack on VTL1 is blocked" [ "${blocked:-0}" -ge 12 ]
	check "no attack succeeds" same "$(count '^ATTACK .*: SUCCEEDED')" 0
}

linux_with_vtl1() {
	start -M pc -cpu host -smp 2 -m 256M -kernel vmlinuz -initrd initrd.cpio \
		-append "console=ttyS0 panic=-1 mitigations=off quiet vtl1=1 pam=1 reboot=1"
	check "SeaBIOS boots a Debian kernel, and VTL1 locks it" wait_for 'FACT kernel_before' 1 300

	tell stop
	sleep 1
	before=$(wc -c < serial.log)
	tell info status
	tell info vsm
	tell info registers
	sleep 2
	check "stop pauses the guest" same "$before" "$(wc -c < serial.log)"
	check "the monitor says that it is paused" grep -q 'VM status: paused' monitor.log
	check "info vsm shows that VTL1 is enabled on both CPUs" \
		same "$(grep -c 'VTLs enabled 0 1;' monitor.log)" 2
	check "info vsm shows what VTL1 denies to VTL0" grep -q 'VTL 0: [1-9][0-9]* KiB restricted' monitor.log
	# In every VTL and CPL, the guest executes 64-bit code.
	check "info registers shows a CPU in 64-bit mode" grep -q '^CS .* CS64' monitor.log
	tell cont
	check "cont resumes the guest" wait_for 'FACT status_after' 1 300
	tell nmi
	check "the monitor's nmi reaches VTL0" wait_for 'NMI received for unknown reason' 1 60

	wait_for 'FACT reboot now' 1 200
	check "p38: the PAM registers were rewritten" differs "$(fact pam_before 1)" "$(fact pam_after 1)"
	check "p38: rewritten PAM registers do not change the code that VTL1 has locked" \
		same "$(fact kernel_pam 1)" "$(fact kernel_before 1)"
	attacks_blocked
	check "VTL1's key is the same after the attacks" same "$(fact hmac_before 1)" "$(fact hmac_after 1)"
	check "the locked text is the same after the attacks" same "$(fact kernel_before 1)" "$(fact kernel_after 1)"

	check "a reset while VTL1 is active boots the machine and VTL1 again" wait_for 'FACT kernel_before' 2 150
	check "VTL1 has a new key after the reset" differs "$(fact hmac_before 1)" "$(fact hmac_before 2)"
	[ $failed = 0 ] && wait_for 'FACT up_end' 2 150
	finish 30
	check "the guest powers off, and QEMU ends with status 0" same "$status" 0
	[ $failed = 0 ] || show serial.log monitor.log errors
}

pattern=44d3a1ac44d3a1ac44d3a1ac44d3a1ac
other_pattern=45d3a1ac45d3a1ac45d3a1ac45d3a1ac

# Makes two disks: the first page of each has its own pattern, all other pages are zero.
make_disk() {
	yes "$(printf 'D\323\241\254D\323\241\254D\323\241\254D\323\241\254')" | tr -d '\n' | head -c 4096 > disk.img
	head -c 1044480 /dev/zero >> disk.img
	tr D E < disk.img > ahci.img
}
ahci="-drive file=ahci.img,format=raw,if=none,id=ahci -device ide-hd,drive=ahci,bus=ide.0"
zeroes() { [ -n "$1" ] && [ -z "$(echo "$1" | tr -d 0)" ]; }
bytes() { [ "$(echo "$1" | tr -d 0-9a-f)" = "" ] && [ ${#1} = 32 ]; }
leaks() { bytes "$1" && ! zeroes "$1"; }

start_dma() { # MACHINE WORDS OPTION...
	machine=$1 words=$2
	shift 2
	start -M "$machine" -cpu host -smp 1 -m 256M -kernel vmlinuz -initrd initrd.cpio "$@" \
		-append "console=ttyS0 panic=-1 mitigations=off quiet rdinit=/dma-init $words" \
		-drive file=disk.img,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk,disable-legacy=off
}

end_dma() {
	wait_for 'FACT end' 1 500
	ran=$?
	finish 20
	return $ran
}

boot_dma() { # the arguments of start_dma()
	make_disk
	start_dma "$@"
	end_dma
}

blocked() { # MACHINE
	check "p37: $1: the disk works" same "$(fact disk 1)" $pattern
	check "p37: $1: fw_cfg's DMA into locked code changes nothing that VTL0 sees" \
		same "$(fact view_fw_cfg 1)" "$(fact view_before 1)"
	check "p37: $1: fw_cfg's DMA into locked code changes nothing that VTL1 sees" \
		same "$(fact kernel_fw_cfg 1)" "$(fact kernel_before 1)"
	check "p37: $1: a disk that is read into locked code changes nothing that VTL0 sees" \
		same "$(fact view_after 1)" "$(fact view_before 1)"
	check "p37: $1: a disk that is read into locked code changes nothing that VTL1 sees" \
		same "$(fact kernel_after 1)" "$(fact kernel_before 1)"
	check "p37: $1: VTL1's memory is not written to a disk" zeroes "$(fact leak 1)"
	check "p37: $1: VTL1's memory is not in the file of that disk" \
		zeroes "$(od -An -v -tx1 -j 4096 -N 4096 disk.img | tr -d ' \n')"
	check "p37: $1: VTL1's key is the same after a disk and fw_cfg wrote to its memory" \
		same "$(fact hmac_after 1)" "$(fact hmac_before 1)"
	check "p37: $1: a refused write is logged" grep -q 'a device was refused to write at 0x' errors
	[ $failed = 0 ] || show serial.log monitor.log errors
}

disk_blocked() { # MACHINE DISK FILE
	check "p37: $1: the disk on $2 works" same "$(fact disk_$2 1)" $other_pattern
	check "p37: $1: a disk on $2 that is read into locked code changes nothing that VTL0 sees" \
		same "$(fact view_$2 1)" "$(fact view_before 1)"
	check "p37: $1: a disk on $2 does not change the start of the page of locked code" differs "$(fact page_$2 1)" $other_pattern
	check "p37: $1: a disk on $2 that is read into locked code changes nothing that VTL1 sees" \
		same "$(fact kernel_$2 1)" "$(fact kernel_before 1)"
	check "p37: $1: VTL1's memory is not written to a disk on $2" zeroes "$(fact leak_$2 1)"
	check "p37: $1: VTL1's memory is not in the file of the disk on $2" zeroes "$(od -An -v -tx1 -j 4096 -N 4096 "$3" | tr -d ' \n')"
}

# Tests that no VTL sees a device over locked code, although a register of q35 has the address of that code.
place_blocked() { # NAME
	check "p38: q35: $1 was moved over locked code" same "$(fact "$1" 1 | cut -d' ' -f1)" "$(fact "$1" 1 | cut -d' ' -f2)"
	check "p38: q35: what VTL0 sees behind $1 is the same" same "$(fact view_$1 1)" "$(fact view_before 1)"
	check "p38: q35: what VTL1 sees behind $1 is the same" same "$(fact kernel_$1 1)" "$(fact kernel_before 1)"
}

dma_pc() {
	check "p37: pc: attacks by DMA run" boot_dma pc damage=1
	blocked pc
}

q35_blocked() {
	disk_blocked q35 ahci ahci.img
	check "p37: q35: the answer of an AHCI disk that goes to locked code changes nothing that VTL1 sees" \
		same "$(fact kernel_answer 1)" "$(fact kernel_before 1)"
	for each_place in rcba pciexbar bar; do place_blocked $each_place; done
	blocked q35
}

dma_q35() {
	check "p37: q35: attacks by DMA run, with the HPET as clock" boot_dma q35 "damage=1 ahci=1 clocksource=hpet" $ahci
	check "q35: the HPET is the guest's clock" same "$(fact clocksource 1)" hpet
	q35_blocked
}

attacks_q35() {
	check "p37: q35: attacks by DMA and by a kernel module run" boot_dma q35 "damage=1 ahci=1 attacks=1" $ahci
	attacks_blocked
	q35_blocked
}

ovmf() {
	cp q/share/OVMF_VARS_4M.fd variables.fd
	check "p37: OVMF boots a Debian kernel from flash" boot_dma q35 damage=1 \
		-drive if=pflash,format=raw,readonly=on,file=q/share/OVMF_CODE_4M.fd -drive if=pflash,format=raw,file=variables.fd
	check "OVMF: the kernel was started by UEFI" same "$(fact efi 1)" yes
	check "OVMF: its variables are written to the flash" differs "$(sha256sum < variables.fd)" "$(sha256sum < q/share/OVMF_VARS_4M.fd)"
	blocked OVMF
}

# This firmware does not start without System Management Mode.
smm_firmware="-global driver=cfi.pflash01,property=secure,value=on
	-drive if=pflash,format=raw,readonly=on,file=q/share/OVMF_CODE_4M.secboot.fd
	-drive if=pflash,format=raw,file=variables.fd"

smm() {
	cp q/share/OVMF_VARS_4M.fd variables.fd
	check "SMM: OVMF that requires it boots a Debian kernel" boot_dma q35,smm=on damage=1 $smm_firmware
	check "SMM: the kernel was started by UEFI" same "$(fact efi 1)" yes
	check "SMM: OVMF writes its variables to flash that only SMM can write" \
		differs "$(sha256sum < variables.fd)" "$(sha256sum < q/share/OVMF_VARS_4M.fd)"
	blocked SMM
}

# The variables contain Microsoft's keys, and Debian's own key signs its kernel.
secure_boot() {
	mkdir -p esp/EFI/BOOT
	cp vmlinuz esp/EFI/BOOT/BOOTX64.EFI
	cp q/share/OVMF_VARS_4M.ms.fd variables.fd
	start -M q35,smm=on -cpu host -smp 2 -m 256M $smm_firmware -drive file=fat:esp,format=raw,if=virtio,readonly=on
	check "SMM: Secure Boot refuses a kernel that is signed by none of its keys" wait_for 'Access Denied' 1 400
	tell quit
	finish 20
	[ $failed = 0 ] || show serial.log monitor.log errors
}

dumped() { # FILE
	left=60
	until [ "$(stat -c %s "$1")" -gt 4200 ] && leaks "$(tail -c 4096 "$1" | head -c 16 | od -An -v -tx1 | tr -d ' \n')"; do
		left=$((left - 1))
		[ $left -gt 0 ] && sleep 1 || return 1
	done 2> /dev/null
}

# A stopped guest is saved to a file, which another QEMU loads.
saved() {
	make_disk
	start_dma pc "damage=1 wait=20"
	check "a guest runs with VTL1" wait_for 'FACT second 2' 1 500
	tell stop
	tell migrate file:state
	left=300
	until tell info migrate && sleep 1 && grep -q 'tatus:[[:space:]]*completed' monitor.log; do
		left=$((left - 1))
		[ $left -gt 0 ] || break
	done
	check "a stopped guest is saved to a file" [ $left -gt 0 ]
	tell quit
	finish 20
	cp serial.log before.log
	key=$(fact hmac_before 1)
	code=$(fact kernel_before 1)
	text=$(fact view_before 1)

	head -c 100000 state > cut
	start_dma pc "damage=1 wait=20" -incoming file:cut
	finish 30
	check "refused: a file that ends early" [ "$status" != 0 ]
	start_dma pc "damage=1 wait=20" -incoming file:state
	left=100
	until tell info status && sleep 1 && grep 'status: paused' monitor.log | grep -qv inmigrate; do
		left=$((left - 1))
		[ $left -gt 0 ] || break
	done
	check "another QEMU loads it" [ $left -gt 0 ]
	region=$(sed -n 's/\r$//; s/^FACT region //p' before.log)
	tell dump-guest-memory dump "$region" 4096
	check "a dump of the stopped guest has VTL1's memory" dumped dump
	tell info vsm
	refused=$(sed -n 's/\r$//; s/^Accesses refused to devices: //p' monitor.log | tail -n 1)
	tell "xp /512gx $region"
	tell "pmemsave $region 4096 pmem"
	tell info vsm
	sleep 3
	check "the monitor reads VTL1's memory" \
		[ "$(grep -a '^[0-9a-f]*: 0x' monitor.log | grep -acv '0x0000000000000000 0x0000000000000000')" -gt 0 ]
	check "... without an access as a device" \
		same "$(sed -n 's/\r$//; s/^Accesses refused to devices: //p' monitor.log | tail -n 1)" "$refused"
	check "pmemsave is refused, with the command to use" grep -q 'pmemsave is refused: .*dump-guest-memory' monitor.log
	tell cont
	check "the guest continues in the other QEMU" end_dma
	check "VTL1's key is the same" same "$(fact hmac_after 1)" "$key"
	check "the locked code is the same for VTL1, after attacks by DMA" same "$(fact kernel_after 1)" "$code"
	check "the locked code is the same for VTL0, after attacks by DMA" same "$(fact view_after 1)" "$text"
	check "VTL1's memory is not written to a disk" zeroes "$(fact leak 1)"
	[ $failed = 0 ] || show before.log serial.log monitor.log errors
}

dma_unguarded() {
	guarded=$accel
	accel="-accel vsm,device-guard=off"
	check "device-guard=off: attacks by DMA run" boot_dma q35 "damage=0 ahci=1" $ahci
	accel=$guarded
	check "device-guard=off: fw_cfg's DMA changes locked code as VTL0 sees it" differs "$(fact view_fw_cfg 1)" "$(fact view_before 1)"
	check "device-guard=off: fw_cfg's DMA changes locked code as VTL1 sees it" \
		differs "$(fact kernel_fw_cfg 1)" "$(fact kernel_before 1)"
	check "device-guard=off: a disk is read into locked code" same "$(fact view_page 1)" $pattern
	check "device-guard=off: VTL1's memory is written to a disk" leaks "$(fact leak 1)"
	check "device-guard=off: an AHCI disk is read into locked code" same "$(fact page_ahci 1)" $other_pattern
	check "device-guard=off: VTL1's memory is written to an AHCI disk" leaks "$(fact leak_ahci 1)"
	check "device-guard=off: the answer of an AHCI disk changes locked code" differs "$(fact kernel_answer 1)" "$(fact kernel_ahci 1)"
	[ $failed = 0 ] || show serial.log monitor.log errors
}

chipset() { # MACHINE GUARD TOPICS OPTION...
	what="$1, device-guard=$2" words="guard=$([ "$2" = on ] && echo 1 || echo 0) test=$3"
	case $1 in *smm=on*) words="$words smm=1" ;; esac
	machine=$1 guard=$2
	shift 3
	make_disk
	(cat disk.img && head -c 425984 /dev/zero) > floppy.img
	"$vsm" -accel vsm,device-guard="$guard" $quiet -M "$machine" -cpu host -m 64M -kernel chipset.elf32 \
		-append "console=debug $words" -debugcon file:kit.log -device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot \
		-drive file=floppy.img,format=raw,if=none,id=floppy "$@" < /dev/null > errors 2>&1
	status=$?
	sed -n 's/\r$//; s/^not ok [0-9]* - /1 /p; s/^ok [0-9]* - /0 /p' kit.log > results
	while read -r result name; do
		report "$result" "p37: p38: $what: $name"
	done < results
	check "$what: the attacks of the chipset run" [ "$status" = 1 ]
	[ $failed = 0 ] || show kit.log errors
}
fdc="-device isa-fdc,id=fdc -device floppy,drive=floppy,bus=fdc.0"

hv_spinlocks() {
	"$vsm" $accel $quiet -M pc -cpu host,hv-spinlocks=8191 -m 64M -kernel chipset.elf32 \
		-append "console=debug test=spinlocks spinlocks=8191" -debugcon file:kit.log \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -no-reboot < /dev/null > errors 2>&1
	check "the guest's CPUID has the value of hv-spinlocks" [ $? = 1 ]
	[ $failed = 0 ] || show kit.log errors
}

chipset_pc() {
	chipset pc on isa_dma,pam,rom,smram -device floppy,drive=floppy
}
chipset_q35() {
	chipset q35 on isa_dma,pam,rom,smram,tseg $fdc
	hv_spinlocks
}
chipset_smm() {
	chipset q35,smm=on on isa_dma,pam,rom,smram,tseg $fdc
}
chipset_unguarded() {
	chipset pc off isa_dma -device floppy,drive=floppy
}

suite() { # CPUS WORDS OPTION...
	cpus=$1 words=$2
	shift 2
	"$vsm" $accel $quiet -M pc -cpu host -smp "$cpus" -m 128M -kernel vsm-tests.elf32 -append "cpus=$cpus console=debug $words" \
		-debugcon file:kit.log -device isa-debug-exit,iobase=0xf4,iosize=4 "$@" < /dev/null > errors 2>&1
	status=$?
	plan=$(sed -n 's/\r$//; s/^1\.\.//p' kit.log)
	[ $status = 1 ] && [ -n "$plan" ] && [ "$(grep -c '^ok ' kit.log)" = "$plan" ] && ! grep -q '^not ok' kit.log
	good=$?
	[ $good = 0 ] || { echo "# status $status"; grep '^not ok' kit.log | sed 's/^/# /'; show kit.log errors; }
	return $good
}

conformance() {
	for cpus in 1 2; do
		check "the conformance suite passes with $cpus VPs" suite "$cpus" "" -no-reboot
	done
}

reset() {
	check "VTL1 is gone after a reset, and can be enabled again" suite 2 test=reset
}
reset_smm() {
	check "SMM: VTL1 is gone after a reset, and can be enabled again" suite 2 test=reset -M q35,smm=on
}

refused() { # NAME MESSAGE OPTION...: QEMU ends with status 1 and MESSAGE
	what=$1 message=$2
	shift 2
	"$vsm" $quiet -M pc -m 128M -S "$@" < /dev/null > output 2>&1 &
	pid=$!
	finish 20
	[ $status = 1 ] && grep -q -- "$message" output
	good=$?
	[ $good = 0 ] || { echo "# status $status"; show output; }
	report $good "refused: $what"
}

refusals() {
	make_disk
	refused "an unknown option" "nothing" -accel vsm,nothing=1
	refused "a VTL that does not exist" "max-vtl is 0 to 15" -accel vsm,max-vtl=16
	refused "an engine that does not exist" "engine is auto, uffd, attr or nested" -accel vsm,engine=magic
	refused "memory that is not shared" "needs share=on" $accel \
		-object memory-backend-ram,id=m,size=128M,share=off -machine pc,memory-backend=m
	refused "hotplug of CPUs" "CPUs cannot be plugged" $accel -smp 1,maxcpus=2
	refused "System Management Mode on pc" "smm=on needs the machine q35" $accel -machine pc,smm=on
	refused "System Management Mode with an engine that does not stop KVM's own accesses" "needs engine uffd" \
		-accel vsm,engine=nested -machine q35,smm=on
	refused "features that are not offered" "hv-evmcs is not offered" $accel -cpu host,hv-evmcs=on,hv-vapic=on
	refused "another version of the hypervisor" "hv-version-id-build cannot be set" $accel -cpu host,hv-version-id-build=1
	refused "a promise about the host's cores" "hv-no-nonarch-coresharing is not offered" $accel \
		-cpu host,hv-no-nonarch-coresharing=on
	refused "features that the host lacks, with their names" "requested feature: svm" $accel -cpu host,+svm,enforce
	refused "a model with features that the host lacks" "requested feature: svm" $accel -cpu EPYC,enforce
	refused "a balloon" "virtio-balloon-pci is refused" $accel -device virtio-balloon-pci
	refused "a device of the host" "vfio-pci is refused" $accel -device vfio-pci,host=00:1f.0
	refused "a device that would load nothing" "loader is refused" $accel -device loader,file=disk.img,addr=0x1000000,force-raw=on
	refused "a device in the host's kernel" "vhost-vsock-pci is refused" $accel -device vhost-vsock-pci,guest-cid=3
	refused "a disk that the host transfers to the guest's pages" "cache.direct=on .* is refused" $accel \
		-drive file=disk.img,format=raw,if=virtio,cache=none
}

narrow_host() {
	LD_PRELOAD=$PWD/narrow.so refused "more address bits than the host's" "phys-bits=40: the host has 39 bits" -cpu EPYC,phys-bits=40
	for model in EPYC host; do
		LD_PRELOAD=$PWD/narrow.so start -M q35 -cpu $model -smp 1 -m 128M -S
		tell qom-get '/machine/unattached/device[0]' phys-bits
		tell quit
		finish 30
		check "-cpu $model starts on a host with 39 address bits" same "$status" 0
		check "... and has 39 bits" grep -qx '39.*' monitor.log
	done
	[ $failed = 0 ] || show monitor.log errors
}

mistakes() {
	refusals
	refused "a device whose pages the host shares" "virtio-gpu-device is refused" $accel \
		-object memory-backend-memfd,id=m,size=128M -machine pc,memory-backend=m -device virtio-gpu-pci,blob=on
	refused "an option in a second -accel, after kvm" "max-vtl is 0 to 15" -accel kvm -accel vsm,max-vtl=16
	refused "options of KVM" "options of KVM have no meaning" -accel kvm,dirty-ring-size=1024
	refused "interrupt controllers of KVM" "libvsm has the local APICs" -machine pc,kernel-irqchip=on
	VSM_QEMU_MODULE=$q/other-version.so refused "a QEMU of another version" "is for Debian's package"
	VSM_QEMU_MODULE=$q/no-libvsm.so refused "no libvsm" "libvsm.so.9"
	VSM_QEMU_MODULE=$q/nothing.so refused "no module" "there is no"
	VSM_QEMU=$q/nothing refused "no QEMU" "install qemu-system-x86"
	# Run the wrapper as an unprivileged user, since root may always use userfaultfd.
	chmod 666 /dev/kvm
	chmod 755 . "$q"
	grep -q '^nobody:' /etc/passwd 2> /dev/null || printf '%s\n' 'root:x:0:0::/:/bin/sh' \
		'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
	su -s /bin/sh nobody -c "VSM_QEMU=$VSM_QEMU VSM_QEMU_MODULE=$VSM_QEMU_MODULE $vsm $accel $quiet -M pc -m 128M -S" \
		< /dev/null > output 2>&1
	[ $? = 1 ] && grep -q userfaultfd output
	good=$?
	[ $good = 0 ] || show output
	report $good "refused: a user who may not use userfaultfd"
	echo quit | "$vsm" -machine none,accel=kvm:tcg $quiet -monitor stdio > output 2>&1
	report $? "the wrapper passes on the command line by which libvirt queries QEMU's capabilities"
}

run_cases "${@:-linux_with_vtl1}"
