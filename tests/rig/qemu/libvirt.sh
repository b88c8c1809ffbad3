#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests the emulator qemu-system-x86_64-vsm with Debian's libvirt in the rig, by the examples of docs/qemu.md.
# Prints TAP. Usage: libvirt.sh [PART...]
tar -xf root.tar -C / && rm root.tar
. ./tap.sh
log=/var/log/libvirt/qemu/serial.log
images=/var/lib/libvirt/images
append='console=ttyS0 earlyprintk=ttyS0 panic=-1 mitigations=off rdinit=/libvirt-init'

explain() {
	show errors $log /var/log/libvirt/qemu/guest.log
	dmesg | grep DENIED | tail -n 5 | sed 's/^/# /'
}

# Like check(), but ends the script after a failure, since no later case can succeed then.
must() { # NAME COMMAND...
	check "$@"
	[ $failed = 0 ] || end
}

end() {
	end_cases
	exit
}

show() { # FILE...: prints the ends of files as TAP comments
	for file in "$@"; do [ ! -e "$file" ] || sed "s/\r//g; s|^|# $file: |" "$file" | tail -n 25; done
}

count() { grep -ac "$1" $log 2> /dev/null; }

wait_for() { # PATTERN COUNT SECONDS: waits for lines in the serial log
	left=$(($3 * 2))
	until [ "$(count "$1")" -ge "$2" ]; do
		left=$((left - 1))
		[ $left -gt 0 ] && ls /run/libvirt/qemu/guest.pid > /dev/null 2>&1 || return 1
		sleep 0.5
	done
}

# Print the last result of VTL1's key in the guest's output, and the guest's time of that line in seconds.
key() { sed -n 's/\r$//; s/^FACT key \([^ ]*\) .*/\1/p' $log | tail -n 1; }
second() { sed -n 's/\r$//; s/^FACT key [^ ]* //p' $log | tail -n 1; }
runs_for() { # SECONDS of the guest
	wait_for '^FACT key' $(($(count '^FACT key') + $1)) 120
}

v() { timeout 300 virsh -c qemu:///system "$@" > output 2> errors; }
state() { v domstate guest && tr -d '\n' < output; }
becomes() { # STATE SECONDS
	left=$(($2 * 2))
	until same "$(state)" "$1"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.5
	done
}


host() {
	# AppArmor has rules for Debian's shell only.
	ln -sf dash /bin/sh
	rm -rf /var/run && ln -s /run /var/run
	printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/bin/sh' \
		'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
	printf '%s\n' 'root:x:0:' 'tty:x:5:' 'kvm:x:104:libvirt-qemu' 'libvirt-qemu:x:64055:libvirt-qemu' 'libvirt:x:105:' \
		'nogroup:x:65534:' > /etc/group
	# dist/60-vsm.rules sets these rights of /dev/userfaultfd.
	chown root:kvm /dev/kvm /dev/userfaultfd
	chmod 660 /dev/kvm /dev/userfaultfd
	mkdir -p /var/log/libvirt/qemu /var/cache/libvirt /run/libvirt $images /etc/apparmor.d/local/abstractions
	echo 00112233445566778899aabbccddeeff > /etc/machine-id
	truncate -s 1M $images/guest.img
	: > $log
	mv vmlinuz initrd.cpio $images
	mount -t cgroup2 none /sys/fs/cgroup
	mount -t securityfs none /sys/kernel/security
	for module in tun tap vhost_iotlb vhost vhost_net; do insmod $module.ko || return 1; done
	: > /etc/apparmor.d/local/abstractions/libvirt-qemu
	for profile in usr.sbin.libvirtd usr.lib.libvirt.virt-aa-helper; do
		: > /etc/apparmor.d/local/$profile
		apparmor_parser -r /etc/apparmor.d/$profile || return 1
	done
	virtlogd -d && start_libvirtd
}

start_libvirtd() {
	libvirtd -d
	left=120
	until v version; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.5
	done
}

restart_libvirtd() {
	kill "$(cat /run/libvirtd.pid)"
	while [ -e /run/libvirtd.pid ] && [ -e "/proc/$(cat /run/libvirtd.pid)" ]; do sleep 0.2; done
	start_libvirtd
}

confined() { # PID PROFILE
	grep -q "$2.*(enforce)" "/proc/$1/attr/current"
}

# The example of docs/qemu.md with less memory, a kernel that prints facts, and no virtual network of libvirt.
example() {
	sed -e "s|<memory unit='GiB'>.*</memory>|<memory unit='MiB'>256</memory>|" \
		-e "s|</os>|<kernel>$images/vmlinuz</kernel><initrd>$images/initrd.cpio</initrd><cmdline>$append</cmdline></os>|" \
		-e "s|<serial type='pty'/>|<serial type='pty'><log file='$log' append='on'/></serial>|" \
		-e "s|<interface type='network'>|<interface type='ethernet'>|" -e "/<source network=/d" guest.xml
}

refused() { # NAME PATTERN SED-SCRIPT: virsh refuses the edited example with PATTERN
	sed -e "$3" domain.xml > other.xml
	if cmp -s other.xml domain.xml; then
		report 1 "refused: $1: the example lacks the line to edit"
		return
	fi
	v undefine guest
	v define other.xml && ! v start guest --paused && grep -q -- "$2" errors
	report $? "refused: $1"
	v destroy guest
}

accepted() { # NAME SED-SCRIPT: virsh starts the edited example
	sed -e "$2" domain.xml > other.xml
	v undefine guest
	v define other.xml && v start guest --paused
	report $? "$1"
	v destroy guest
}

must "libvirtd starts" host
must "AppArmor confines libvirtd" confined "$(cat /run/libvirtd.pid)" libvirtd
example > domain.xml
must "the example of docs/qemu.md is a domain" v define domain.xml
! v start guest && grep -q 'qemu-system-x86_64-vsm.*Permission denied' errors
report $? "AppArmor forbids the emulator without the lines of docs/qemu.md"
cp apparmor /etc/apparmor.d/local/abstractions/libvirt-qemu
! v start guest && grep -q 'userfaultfd is not permitted' errors
report $? "userfaultfd is not permitted without the line of docs/qemu.md in qemu.conf"
cat qemu.conf >> /etc/libvirt/qemu.conf
must "libvirtd starts with the new qemu.conf" restart_libvirtd
dmesg -c > ignored

runs() {
	must "start: the domain of docs/qemu.md" v start guest
	must "AppArmor confines QEMU" confined "$(cat /run/libvirt/qemu/guest.pid)" libvirt-
	must "QEMU is not run as root" same "$(stat -c %u "/proc/$(cat /run/libvirt/qemu/guest.pid)")" 64055
	check "AppArmor denies nothing to QEMU" [ -z "$(dmesg | grep 'DENIED.*profile="libvirt-')" ]
	must "VTL1 boots in the guest, and locks the kernel" wait_for "^FACT lock" 1 150
	must "the guest runs" runs_for 2
	first=$(key)

	must "reboot: virsh presses the power button" v reboot guest --mode acpi
	must "the guest powers off after ACPI's level-triggered interrupt" wait_for '^FACT button pressed' 1 60
	must "the machine and VTL1 boot again" wait_for '^FACT lock' 2 300
	must "the guest runs" runs_for 2
	check "VTL1 has a new key" differs "$(key)" "$first"

	key=$(key)
	must "save: the running guest is saved to a file" v save guest $images/saved
	second=$(second)
	check "the domain is off" same "$(state)" "shut off"
	must "restore: the guest is loaded from that file" v restore $images/saved
	must "the guest continues" runs_for 2
	check "the guest has not booted again" [ "$(second)" -gt "$second" ]
	check "VTL1's key is the same" same "$(key)" "$key"

	process=$(cat /run/libvirt/qemu/guest.pid)
	must "destroy: the domain ends" v destroy guest
	check "destroy: its process has ended" [ ! -e "/proc/$process" ]
}

refusals() {
	refused "the balloon that libvirt adds" "virtio-balloon-pci is refused" /memballoon/d
	refused "vhost-net, which libvirt prefers" "virtio-net-pci is refused: the host's kernel" "/<driver name='qemu'\/>/d"
	refused "memory that is not shared" "needs share=on" \
		"s|<vcpu>|<memoryBacking><source type='memfd'/><access mode='private'/></memoryBacking><vcpu>|"
	refused "interrupt controllers of KVM" "libvsm has the local APICs" "s|<apic/>|<apic/><ioapic driver='kvm'/>|"
	refused "a wrong option of vsm behind those of libvirt" "max-vtl is 0 to 15" \
		"s|</domain>|<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-accel'/><qemu:arg value='vsm,max-vtl=16'/></qemu:commandline></domain>|"
	accepted "a CPU model of libvirt's choice and the enlightenments of Windows start" \
		"s|mode='host-passthrough'|mode='host-model'|; s|<acpi/>|<acpi/><hyperv><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/><vpindex state='on'/><synic state='on'/><stimer state='on'/></hyperv>|"
}

# Variables without keys, since the kernel is not started by shim.
smm() {
	sed -e "s|</os>|$(sed 's/\.ms\.fd/.fd/' flash.xml | tr -d '\n')</os>|" -e "s|<apic/>|<apic/><smm state='on'/>|" domain.xml > smm.xml
	v undefine guest
	must "smm: a domain with the flash of docs/qemu.md is defined" v define smm.xml
	locked=$(count '^FACT lock')
	must "smm: it starts" v start guest
	check "smm: QEMU has System Management Mode, and a flash that only this mode can write" \
		grep -qz 'property":"secure","value":"on\|property=secure,value=on' "/proc/$(cat /run/libvirt/qemu/guest.pid)/cmdline"
	check "smm: OVMF boots the kernel, and VTL1 locks it" wait_for '^FACT lock' $((locked + 1)) 400
	check "smm: AppArmor denies nothing to QEMU" [ -z "$(dmesg | grep 'DENIED.*profile="libvirt-')" ]
	must "smm: the domain ends" v destroy guest
	check "smm: it is undefined with its variables" v undefine guest --nvram
}

for each in "${@:-runs}"; do
	$each
done
end
