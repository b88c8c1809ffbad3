#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# In the rig: Debian's libvirt with the emulator qemu-system-x86_64-vsm, as docs/qemu.md has it. Speaks TAP. Usage: libvirt.sh [PART...]
tar -xf root.tar -C / && rm root.tar
number=0
failed=0
log=/var/log/libvirt/qemu/serial.log
images=/var/lib/libvirt/images
append='console=ttyS0 earlyprintk=ttyS0 panic=-1 mitigations=off rdinit=/libvirt-init'

report() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=$((failed + 1))
		show errors $log /var/log/libvirt/qemu/guest.log
		dmesg | grep DENIED | tail -n 5 | sed 's/^/# /'
	fi
}

check() { # NAME COMMAND...
	what=$1
	shift
	"$@"
	report $? "$what"
}

# Nothing that follows can succeed after it has failed.
must() { # as check()
	check "$@"
	[ $failed = 0 ] || end
}

end() {
	echo "1..$number"
	[ $failed = 0 ]
	exit
}

show() { # FILE...: for the reader of a failure
	for file in "$@"; do [ ! -e "$file" ] || sed "s/\r//g; s|^|# $file: |" "$file" | tail -n 25; done
}

same() { [ -n "$1" ] && [ "$1" = "$2" ]; }
differs() { [ -n "$1" ] && [ -n "$2" ] && [ "$1" != "$2" ]; }
count() { grep -ac "$1" $log 2> /dev/null; }

wait_for() { # PATTERN COUNT SECONDS: in the serial log
	left=$(($3 * 2))
	until [ "$(count "$1")" -ge "$2" ]; do
		left=$((left - 1))
		[ $left -gt 0 ] && ls /run/libvirt/qemu/guest.pid > /dev/null 2>&1 || return 1
		sleep 0.5
	done
}

# What VTL1 computes with its key, as VTL0 saw it last.
key() { sed -n 's/\r$//; s/^FACT key \([^ ]*\) .*/\1/p' $log | tail -n 1; }
second() { sed -n 's/\r$//; s/^FACT key [^ ]* //p' $log | tail -n 1; }
beats() { # FURTHER seconds of the guest's
	wait_for '^FACT key' $(($(count '^FACT key') + $1)) 120
}

# A daemon that does not answer fails what asks it.
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


# ---------------------------------------------------------------- the host, as Debian's packages make it

host() {
	# Debian's shell, for which AppArmor has rules.
	ln -sf dash /bin/sh
	rm -rf /var/run && ln -s /run /var/run
	printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/bin/sh' \
		'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
	printf '%s\n' 'root:x:0:' 'tty:x:5:' 'kvm:x:104:libvirt-qemu' 'libvirt-qemu:x:64055:libvirt-qemu' 'libvirt:x:105:' \
		'nogroup:x:65534:' > /etc/group
	# The second as by dist/60-vsm.rules.
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

# ---------------------------------------------------------------- domains

# The example of docs/qemu.md with another size, a kernel that shows facts, and no network of libvirt's own.
example() {
	sed -e "s|<memory unit='GiB'>.*</memory>|<memory unit='MiB'>256</memory>|" \
		-e "s|</os>|<kernel>$images/vmlinuz</kernel><initrd>$images/initrd.cpio</initrd><cmdline>$append</cmdline></os>|" \
		-e "s|<serial type='pty'/>|<serial type='pty'><log file='$log' append='on'/></serial>|" \
		-e "s|<interface type='network'>|<interface type='ethernet'>|" -e "/<source network=/d" guest.xml
}

refused() { # NAME PATTERN SED'S-SCRIPT: a domain that differs from the example, with the line that virsh prints
	sed -e "$3" domain.xml > other.xml
	if cmp -s other.xml domain.xml; then
		report 1 "refused: $1: the example has no place for it"
		return
	fi
	v undefine guest
	v define other.xml && ! v start guest --paused && grep -q -- "$2" errors
	report $? "refused: $1"
	v destroy guest
}

accepted() { # NAME SED'S-SCRIPT
	sed -e "$2" domain.xml > other.xml
	v undefine guest
	v define other.xml && v start guest --paused
	report $? "$1"
	v destroy guest
}

must "libvirtd starts" host
must "AppArmor confines it" confined "$(cat /run/libvirtd.pid)" libvirtd
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
	check "AppArmor denies it nothing" [ -z "$(dmesg | grep 'DENIED.*profile="libvirt-')" ]
	must "VTL1 comes up in it, and locks the kernel" wait_for "^FACT lock" 1 150
	must "the guest runs" beats 2
	first=$(key)

	must "reboot: virsh presses the power button" v reboot guest --mode acpi
	must "the guest powers off: the level-triggered interrupt of ACPI reaches it" wait_for '^FACT button pressed' 1 60
	must "it starts anew, and VTL1 with it" wait_for '^FACT lock' 2 300
	must "the guest runs" beats 2
	check "VTL1 has a new key" differs "$(key)" "$first"

	key=$(key)
	must "save: to a file, while the guest runs" v save guest $images/saved
	second=$(second)
	check "the domain is off" same "$(state)" "shut off"
	must "restore: from that file" v restore $images/saved
	must "the guest goes on" beats 2
	check "it has not started anew" [ "$(second)" -gt "$second" ]
	check "VTL1's key is the same" same "$(key)" "$key"

	process=$(cat /run/libvirt/qemu/guest.pid)
	must "destroy: ends it" v destroy guest
	check "its process has ended" [ ! -e "/proc/$process" ]
}

refusals() {
	refused "the balloon that libvirt adds" "virtio-balloon-pci is refused" /memballoon/d
	refused "vhost-net, which libvirt prefers" "virtio-net-pci is refused: the host's kernel" "/<driver name='qemu'\/>/d"
	refused "System Management Mode" "System Management Mode not supported" "s|<acpi/>|<acpi/><smm state='on'/>|"
	refused "memory that is not shared" "needs share=on" \
		"s|<vcpu>|<memoryBacking><source type='memfd'/><access mode='private'/></memoryBacking><vcpu>|"
	refused "interrupt controllers of KVM" "libvsm has the local APICs" "s|<apic/>|<apic/><ioapic driver='kvm'/>|"
	refused "a wrong option of vsm behind those of libvirt" "max-vtl is 0 to 15" \
		"s|</domain>|<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-accel'/><qemu:arg value='vsm,max-vtl=16'/></qemu:commandline></domain>|"
	accepted "a CPU model of libvirt's choice and the enlightenments of Windows start" \
		"s|mode='host-passthrough'|mode='host-model'|; s|<acpi/>|<acpi/><hyperv><relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='8191'/><vpindex state='on'/><synic state='on'/><stimer state='on'/></hyperv>|"
}

for each in "${@:-runs}"; do
	$each
done
end
