#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Migrates a guest in the rig whose VPs write and compare pages without a pause (writer.c). P37: devices write to pages
# of VTL1 before, during and after migration. Usage: migrate.sh CASE...
. ./common.sh
# A write to the monitor of a QEMU that has ended must not kill this script.
trap "" PIPE

start_writer() { # OPTION...
	start -M pc -cpu host -smp 2 -m 64M -kernel "$top/writer.elf32" -append "cpus=2" "$@"
}
source_of() { use source 3; }
target_of() { use target 4; }

last_tick() { sed -n 's/\r$//; /^TICK .* bad=[0-9]*$/p' serial.log | tail -n 1; }
number_of() { # NAME: of the last tick
	last_tick | sed -n "s/.* $1=\([0-9a-f]*\).*/\1/p"
}
key() { number_of key; }
tick() { last_tick | cut -d' ' -f2; }
# Whether all pages have the data that the guest wrote, and VTL0 has neither read nor written a denied page.
is_intact() { [ "$(number_of bad)" = 0 ]; }
# Whether all accesses of VTL0 to pages of VTL1 were denied: four for each tick.
all_denied() { last_tick | sed 's/[a-z]*=//g' | (read -r _ tick _ denied _ && [ "$denied" = $(((tick + 1) * 4)) ]); }
continues() { wait_for '^TICK' $(($(count '^TICK') + 4)) 60; }

boot() { # OPTION...
	source_of
	start_writer "$@"
	check "a guest writes with VTL1" wait_for '^TICK' 4 60
	first_key=$(key)
}

# Whether the monitor has shown STATUS since the migration began.
has_status() { tail -n +$((mark + 1)) monitor.log | grep -aq "tatus:[[:space:]]*$1"; }
reaches() { # STATUS SECONDS
	left=$(($2 * 2))
	until tell info migrate && sleep 0.5 && has_status "$1"; do
		left=$((left - 1))
		[ $left -gt 0 ] && ! has_status failed && kill -0 $pid 2> /dev/null || return 1
	done
}
migrate() { # URI
	mark=$(wc -l < monitor.log)
	tell migrate -d "$1"
}
syncs() { sed -n 's/\r$//; s/^dirty sync count: //p; s/^ *Others:[[:space:]]*dirty_syncs=\([0-9]*\).*/\1/p' monitor.log | tail -n 1; }

check_guest() { # WHERE
	check "$1: the guest continues" continues
	check "$1: VTL1's key is the same" same "$(key)" "$first_key"
	check "$1: every page has the data that the guest wrote last, and p37: no attack by DMA changed one" is_intact
	check "$1: each access of VTL0 to VTL1's pages is denied" all_denied
	[ $failed = 0 ] || show serial.log monitor.log errors
}

await() { # OPTION...
	target_of
	rm -f "$top/socket"
	start_writer -incoming unix:"$top/socket" "$@"
	left=100
	until [ -S "$top/socket" ] || [ $left = 0 ]; do
		left=$((left - 1))
		sleep 0.2
	done
}

end_both() {
	for each in source target; do
		${each}_of
		tell quit
		finish 10
	done
}

migrate_live() {
	boot
	await
	source_of
	# Several passes are necessary at this bandwidth.
	tell migrate_set_parameter max-bandwidth 3M
	before=$(tick)
	migrate unix:"$top/socket"
	sleep 2
	tell migrate_set_parameter max-bandwidth 100M
	check "live: a guest that writes all the time migrates to another QEMU" reaches completed 60
	[ $failed = 0 ] || show serial.log monitor.log errors
	check "live: the guest runs during migration" [ "$(tick)" -gt $((before + 4)) ]
	check "live: pages were sent again" [ "$(syncs)" -ge 2 ]
	check "live: the pages of the source were intact until the end of migration" is_intact
	target_of
	check_guest live
	end_both
}

# The guest makes SMIs and writes SMRAM. Only a VGA hides SMRAM at 0xa0000 from VTL0 in QEMU.
smm="-M q35,smm=on -device VGA"
migrate_smm() {
	boot $smm -append "cpus=2 smi=1"
	await $smm
	source_of
	tell migrate_set_parameter max-bandwidth 3M
	migrate unix:"$top/socket"
	sleep 2
	tell migrate_set_parameter max-bandwidth 100M
	check "SMM: a guest that makes SMIs migrates to another QEMU" reaches completed 60
	[ $failed = 0 ] || show serial.log monitor.log errors
	check "SMM: the pages of the source, also of SMRAM, were intact until the end of migration" is_intact
	target_of
	check_guest SMM
	migrate file:"$top/smm"
	check "SMM: the guest is saved to a file" reaches completed 60
	end_both
	stream=$top/smm
	refuses_to_load "a stream of a machine with smm=on where smm=off" 'System Management Mode' -M q35 -device VGA
	boot -M q35 -device VGA
	migrate file:"$top/smm"
	check "SMM: a guest without it is saved to a file" reaches completed 60
	end_both
	refuses_to_load "a stream of a machine with smm=off where smm=on" 'vsm: saved state: ' $smm
	stream=$top/state
}

# Saves a running guest to a file, which altered() and other_machine() load as well.
migrate_file() {
	boot
	migrate file:"$top/state"
	check "file: a guest that runs is saved to a file" reaches completed 60
	check "file: the pages of the source were intact until the end of migration" is_intact
	end_both
	target_of
	start_writer -incoming file:"$top/state"
	check_guest file
	end_both
}

migrate_mapped_ram() {
	boot
	tell migrate_set_capability mapped-ram on
	migrate file:"$top/mapped"
	check "mapped-ram: a guest that runs is saved to a file" reaches completed 60
	end_both
	target_of
	start_writer -global migration.mapped-ram=on -incoming file:"$top/mapped"
	check_guest mapped-ram
	end_both
}

# Migrates with another format of QEMU's pages, which does not apply to the pages of VTL1.
migrate_with() { # CAPABILITY
	boot
	await -global migration.x-"$1"=on
	source_of
	tell migrate_set_capability "$1" on
	tell migrate_set_parameter max-bandwidth 5M
	migrate unix:"$top/socket"
	check "$1: a guest that writes all the time migrates" reaches completed 60
	target_of
	check_guest "$1"
	end_both
}
migrate_multifd() { migrate_with multifd; }
migrate_xbzrle() { migrate_with xbzrle; }

migrate_cancel() {
	boot
	await
	source_of
	tell migrate_set_parameter max-bandwidth 300K
	migrate unix:"$top/socket"
	check "cancel: migration begins" reaches active 30
	sleep 2
	tell migrate_cancel
	check "cancel: migration is cancelled" reaches cancelled 30
	check_guest "cancel: source"
	target_of
	finish 10
	await
	source_of
	migrate unix:"$top/socket"
	check "cancel: a second migration begins" reaches active 30
	sleep 1
	target_of
	kill -9 $pid
	finish 1
	source_of
	has_failed() { tell info migrate && sleep 1 && has_status failed; }
	check "cancel: the second migration fails when the other QEMU ends" has_failed
	check_guest "cancel: source after a failure"
	await
	source_of
	tell migrate_set_parameter max-bandwidth 100M
	migrate unix:"$top/socket"
	check "cancel: a third attempt succeeds" reaches completed 60
	target_of
	check_guest "cancel: target"
	end_both
}

# Ejects a device by the registers of ACPI and resets the machine during migration, as VTL0 can at any time.
migrate_eject() {
	blocks() {
		mark=$(wc -l < monitor.log)
		tell info ramblock
		sleep 1
		tail -n +$((mark + 1)) monitor.log | grep -ac ' 0x0000'
	}
	boot -device virtio-rng-pci,romfile="$top/writer.elf32",addr=5
	before=$(blocks)
	tell migrate_set_parameter max-bandwidth 300K
	migrate file:"$top/ejected"
	check "eject: migration begins" reaches active 30
	tell o/w 0xae10 0
	tell o/w 0xae08 0x20
	tell system_reset
	sleep 2
	check "eject: the device's memory exists until the end of migration" [ "$(blocks)" = "$before" ]
	tell migrate_set_parameter max-bandwidth 100M
	mark=0
	check "eject: migration completes" reaches completed 60
	check "eject: the device's memory is freed after migration" [ "$(blocks)" -lt "$before" ]
	[ $failed = 0 ] || show serial.log monitor.log errors
	tell quit
	finish 10
}

# Creates an empty qcow2 image of 256 MiB with QEMU, since the rig has no qemu-img.
make_qcow2() { # PATH
	create='{"execute":"blockdev-create","arguments":{"job-id":"J","options":'
	{
		echo '{"execute":"qmp_capabilities"}'
		echo "$create" | sed 's/"J"/"file"/' | tr -d '\n'
		echo "{\"driver\":\"file\",\"filename\":\"$1\",\"size\":0}}}"
		sleep 2
		echo "{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"file\",\"node-name\":\"f\",\"filename\":\"$1\"}}"
		echo "$create" | sed 's/"J"/"qcow2"/' | tr -d '\n'
		echo '{"driver":"qcow2","file":"f","size":268435456}}}'
		sleep 2
		echo '{"execute":"quit"}'
	} | "$VSM_QEMU" -machine none -display none -nodefaults -qmp stdio > output 2>&1
	[ -s "$1" ]
}

savevm() {
	source_of
	check "snapshot: QEMU makes a disk" make_qcow2 "$top/disk.qcow2"
	boot -drive file="$top/disk.qcow2",if=virtio
	tell savevm one
	saved_at=$(tick)
	check_guest "snapshot: after savevm"
	sleep 3
	later=$(tick)
	tell loadvm one
	sleep 1
	went_back() { continues && [ "$(tick)" -lt "$later" ]; }
	check "snapshot: loadvm restores an earlier state of the guest" went_back
	check_guest "snapshot: after loadvm"
	tell quit
	finish 10
	start_writer -drive file="$top/disk.qcow2",if=virtio -loadvm one
	check_guest "snapshot: in another QEMU"
	check "snapshot: the guest continues from the saved state" [ "$(sed -n 's/^TICK \([0-9]*\) .*/\1/p' serial.log | head -n 1)" -le $((saved_at + 20)) ]
	tell quit
	finish 10
}

refuses() { # NAME PATTERN COMMAND...
	what=$1 pattern=$2
	shift 2
	mark=$(wc -l < monitor.log)
	for line in "$@"; do tell "$line"; done
	good=60
	while [ $good -gt 0 ]; do
		sleep 0.5
		tail -n +$((mark + 1)) monitor.log | grep -aq -- "$pattern" && break
		good=$((good - 1))
	done
	[ $good -gt 0 ] || { tail -n +$((mark + 1)) monitor.log | sed 's/^/# /' && echo; }
	[ $good -gt 0 ]
	report $? "refused: $what"
}

# The last case needs the stream that migrate_file() has saved.
refusals() {
	boot
	file="migrate file:$top/refused"
	capability() { # NAME PATTERN
		refuses "$1" "$2" "migrate_set_capability $1 on" "$file" "migrate_set_capability $1 off"
	}
	capability postcopy-ram 'vsm: migration with postcopy-ram is refused'
	capability x-ignore-shared 'vsm: migration with x-ignore-shared is refused'
	capability x-colo 'vsm: migration with x-colo is refused'
	# QEMU itself refuses these two.
	refuses background-snapshot '^Error: .*napshot' "migrate_set_capability background-snapshot on"
	refuses dirty-limit '^Error: dirty-limit' "migrate_set_capability dirty-limit on"
	refuses "mode cpr-reboot" 'vsm: migration with mode cpr-reboot is refused' \
		"migrate_set_parameter mode cpr-reboot" "$file" "migrate_set_parameter mode normal"
	tell migrate_set_capability multifd on
	tell migrate_set_capability mapped-ram on
	refuses "direct-io" 'vsm: migration with direct-io is refused' \
		"migrate_set_parameter direct-io on" "$file" "migrate_set_parameter direct-io off"
	check_guest "refused"
	check "refused: nothing was written" [ ! -s "$top/refused" ]
	target_of
	start_writer -incoming defer
	refuses "postcopy-ram where a stream is loaded" 'vsm: migration with postcopy-ram is refused' "migrate_set_capability postcopy-ram on"
	tell migrate_set_capability postcopy-ram off
	tell migrate_set_capability x-ignore-shared on
	tell migrate_incoming file:"$top/state"
	# QEMU itself refuses the stream, since it was saved without the capability, and continues to wait.
	left=60
	until grep -q 'x-ignore-shared is on, but received capability is off' errors || [ $left = 0 ]; do
		sleep 0.5
		left=$((left - 1))
	done
	[ $left -gt 0 ] || show errors monitor.log
	[ $left -gt 0 ]
	report $? "refused: x-ignore-shared where a stream is loaded"
	tell quit
	finish 10
	source_of
	tell quit
	finish 10
}

# Starts a QEMU that loads a stream, and waits until it has ended with an error or has paused.
load() { # OPTION...
	target_of
	start_writer -S "$@"
	left=100
	while kill -0 $pid 2> /dev/null; do
		tell info status 2> /dev/null
		sleep 0.2
		tr -d '\r' < monitor.log | grep -aq 'status: paused$' && break
		left=$((left - 1))
		[ $left -gt 0 ] || break
	done
}
stream=$top/state
refuses_to_load() { # NAME PATTERN OPTION...
	what=$1 pattern=$2
	shift 2
	load -incoming file:"$stream" "$@"
	finish 2
	[ "$status" = 1 ] && grep -q -- "$pattern" errors
	good=$?
	[ $good = 0 ] || show errors monitor.log
	report $good "refused: $what"
}

other_machine() {
	usual=$accel
	accel="-accel vsm,max-vtl=1"
	refuses_to_load "a stream of a machine with more VTLs" .
	accel=$usual
	refuses_to_load "a stream of a machine with more CPUs" . -smp 1
	refuses_to_load "a stream of a machine with fewer CPUs" . -smp 3
	refuses_to_load "a stream of a machine with other memory" . -m 128M
	refuses_to_load "a stream of another machine type" . -M q35
}

# Loads altered streams. QEMU refuses a stream or loads other data for the guest, but must not be killed by a signal.
altered() {
	size=$(wc -c < "$top/state")
	place() { strings -n 3 -t d "$top/state" | sed -n "s/^ *\([0-9]*\) $1\$/\1/p" | tail -n 1; }
	pages=$(place vsm-memory) partition=$(place vsm)
	crashed=0 refused=0 loaded=0
	check "altered streams: the places of VTL1's pages and of the partition's state are found" \
		[ "${pages:-0}" -gt 0 -a "${partition:-0}" -gt "${pages:-0}" ]
	# Do not alter the name of the machine: QEMU itself would abort for lack of memory.
	for at in 40 $((size / 7)) $((size / 3)) $((size / 2)) \
		$(for k in 10 18 19 20 4200 90000; do echo $((pages + k)); done) \
		$((partition - 9000)) $((partition - 3000)) $((partition - 700)) \
		$(for k in 12 16 24 40 100 200 400 1000 3000 6000; do echo $((partition + k)); done); do
		cp "$top/state" "$top/altered"
		printf '\377\001\200' | dd of="$top/altered" bs=1 seek=$at conv=notrunc 2> /dev/null
		load -incoming file:"$top/altered"
		if kill -0 $pid 2> /dev/null; then
			loaded=$((loaded + 1))
			tell cont
			sleep 1
			tell quit
		else
			refused=$((refused + 1))
		fi
		finish 10
		[ "$status" -lt 2 ] || { crashed=$((crashed + 1)) && echo "# at $at: status $status" && show errors; }
	done
	echo "# of $size bytes: $refused streams refused, $loaded loaded"
	check "altered streams: no signal kills QEMU" [ $crashed = 0 ]
	check "altered streams: some are refused" [ $refused -gt 5 ]
}

run_cases "$@"
