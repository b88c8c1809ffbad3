#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds the module of the accelerator vsm for Debian's QEMU, and runs a script with its cases in the rig.

Usage: start.py LIBVSM LOGS SECONDS cases.sh SECURE_KERNEL CONFORMANCE.elf32 DEVICE CHIPSET.elf32 NARROW.so CASE...
       start.py LIBVSM LOGS SECONDS migrate.sh WRITER.elf32 CASE...
       start.py LIBVSM LOGS SECONDS devices.sh CASE...
       start.py LIBVSM LOGS SECONDS gdb.sh WRITER.elf32 WRITER.elf CASE...
       start.py LIBVSM LOGS SECONDS secure-boot.sh SECURE_KERNEL CASE...
"""
import os
import pathlib
import subprocess
import sys
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / 'tests/rig')]
import linux_vsm  # noqa: E402
import secure_boot  # noqa: E402
from vsmrig import cache, fetch, libraries, modules  # noqa: E402
from vsmrig.cpio import Cpio  # noqa: E402
from vsmrig.say import RigError, Unavailable  # noqa: E402

# Firmware and option ROMs in the packages, below usr/share.
FIRMWARE = ('seabios/bios-256k.bin', 'seabios/vgabios-stdvga.bin', 'qemu/linuxboot_dma.bin', 'qemu/multiboot_dma.bin',
            'qemu/kvmvapic.bin')
# Devices that are separate modules in the package.
MODULES = ('hw-display-virtio-gpu.so', 'hw-display-virtio-gpu-pci.so')
# UEFI, below usr/share/OVMF.
OVMF = ('OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd', 'OVMF_CODE_4M.secboot.fd', 'OVMF_VARS_4M.ms.fd')
SKIPPED = 77
# Drivers of the devices that devices.sh adds, except the TPM's, which is built in.
DRIVERS = ('nvme', 'virtio-scsi', 'sd-mod', 'xhci-pci', 'usb-storage', 'usbhid', 'hid-generic', 'evdev', 'e1000e', 'virtio-net', 'virtio-rng',
           'bochs')


def build_module(libvsm, folder):
    """Builds the module for the QEMU of the rig's cache. Returns its path."""
    done = subprocess.run([ROOT / 'qemu/build', '--for', 'rig', '--libvsm', libvsm, '--output', folder], stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode == SKIPPED:
        raise Unavailable('the source of QEMU is not available')
    if done.returncode:
        raise RigError('the module is not built: the reason is above')
    return pathlib.Path(done.stdout.strip())


def altered(module, old, new):
    """Writes a copy of the module with `old` replaced by `new`. Returns its path."""
    data = module.read_bytes()
    if old not in data or len(old) != len(new):
        raise RigError(f'{module} has no {old!r}')
    path = module.with_name(f'altered-{new.decode().replace(":", "_")}.so')
    path.write_bytes(data.replace(old, new))
    return path


def program_files(libvsm, built=None):
    """Pairs of a file and its path in the rig: QEMU (of the package, or `built`), its libraries and firmware."""
    root = cache.directory() / 'qemu'
    program, loader, *needed = libraries.needed_below(root, 'usr/bin/qemu-system-x86_64')
    yield built or root / program, 'q/bin/qemu-system-x86_64'
    for path in [loader, *needed]:
        yield (root / path).resolve(), f'q/lib/{os.path.basename(path)}'
    for path in libraries.needed(libvsm):
        if 'Zydis' in path or 'Zycore' in path:
            yield path, f'q/lib/{os.path.basename(path)}'
    yield libvsm.resolve(), 'q/lib/libvsm.so.0'
    for name in FIRMWARE:
        yield root / 'usr/share' / name, f'q/share/{os.path.basename(name)}'
    yield HERE / 'run', 'q/run'


def qemu_files(module, libvsm):
    """Pairs of a file and its path in the rig: the package's QEMU, its modules, the accelerator and altered copies of it."""
    root = cache.directory() / 'qemu'
    version = (root / 'version').read_text(encoding='ascii').strip()
    yield from program_files(libvsm)
    for name in MODULES:
        yield root / 'usr/lib/x86_64-linux-gnu/qemu' / name, f'q/modules/{name}'
    yield module, 'q/vsm-accel.so'
    yield altered(module, version.encode(), version.replace('10.0.', '10.9.').encode()), 'q/other-version.so'
    yield altered(module, b'libvsm.so.0', b'libvsm.so.9'), 'q/no-libvsm.so'
    yield ROOT / 'qemu/qemu-system-x86_64-vsm', 'q/qemu-system-x86_64-vsm'


def build_ports(folder):
    """Builds ports.ko like the modules of guest/linux."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ['VSM_FURTHER_MODULE'] = str(HERE / 'ports.c')
    try:
        linux_vsm.run_tied([ROOT / 'guest/linux/build-modules', linux_vsm.headers(), folder])
    finally:
        del os.environ['VSM_FURTHER_MODULE']
    return folder / 'ports.ko'


def build_initrd(logs, secure_kernel, device):
    """Appends an archive of programs for devices of QEMU to the initrd of linux_vsm; Linux unpacks both."""
    path = logs / 'initrd-qemu.cpio'
    with open(path, 'wb') as file:
        file.write(linux_vsm.build(logs, secure_kernel).read_bytes())
        archive = Cpio(file)
        archive.add('ports.ko', build_ports(logs / 'ports').read_bytes())
        archive.add('device', device.read_bytes(), 0o755)
        archive.add('dma-init', (HERE / 'dma-init').read_bytes(), 0o755)
        archive.end()
    return path


def pack(path, files):
    """Makes an archive. `files`: pairs of a file and its path in the archive."""
    with tarfile.open(path, 'w', dereference=True) as archive:
        for file, place in files:
            archive.add(file, place)


def linux_files(logs, secure_kernel, conformance, device, chipset, narrow):
    """Files for cases.sh, by their path in the rig."""
    fetch.ensure(['kernel', 'busybox', 'ovmf'])
    return {'vmlinuz': cache.directory() / 'kernel/vmlinuz', 'initrd.cpio': build_initrd(logs, secure_kernel, device),
            'vsm-tests.elf32': conformance, 'chipset.elf32': chipset, 'narrow.so': narrow}


def build_devices_initrd(path):
    """Builds an initrd with busybox, devices-init, and the drivers in the order of their dependencies."""
    busybox = (cache.directory() / 'busybox/busybox').read_bytes()
    order = modules.load_order(modules.index(cache.directory() / 'hardware-kernel/modules'), {}, DRIVERS)
    with open(path, 'wb') as file:
        archive = Cpio(file)
        for name in ('proc', 'sys', 'dev'):
            archive.directory(name)
        archive.character_device('dev/console', 5, 1)
        archive.add('bin/busybox', busybox, 0o755)
        archive.add('bin/sh', busybox, 0o755)
        archive.add('init', (HERE / 'devices-init').read_bytes(), 0o755)
        for number, (name, data) in enumerate(order):
            archive.add(f'modules/{number:02}-{name}', modules.trimmed(data))
        archive.end()
    return path


def devices_files(logs):
    """Files for devices.sh, by their path in the rig."""
    fetch.ensure(['kernel', 'busybox', 'hardware-kernel', 'swtpm'])
    return {'hardware-vmlinuz': cache.directory() / 'hardware-kernel/vmlinuz',
            'devices.cpio': build_devices_initrd(logs / 'devices.cpio')}


def gdb_files(logs, guest, symbols):
    """Files for gdb.sh, by their place in the rig."""
    del logs
    fetch.ensure(['gdb'])
    gdb = cache.directory() / 'gdb'
    return {'writer.elf32': guest, 'writer.elf': symbols} | {
        f'gdb/{path.relative_to(gdb)}': path for path in gdb.rglob('*') if path.is_file()}


def fetched():
    """Pairs of a file and its path in the rig: UEFI and the TPM emulator, if the rig's cache has them."""
    folder = cache.directory() / 'ovmf/usr/share/OVMF'
    yield from [(folder / name, f'q/share/{name}') for name in OVMF if (folder / name).exists()]
    folder = cache.directory() / 'swtpm'
    yield from [(path, f'q/tpm/lib/{path.name}') for path in folder.rglob('*.so*')]
    yield from [(path, 'q/tpm/swtpm') for path in folder.glob('usr/bin/swtpm')]


# script: the number of its arguments before CASE, and the function that takes them and returns the script's files.
SCRIPTS = {
    'cases.sh': (5, linux_files),
    'devices.sh': (0, devices_files),
    'gdb.sh': (2, gdb_files),
    'secure-boot.sh': (1, secure_boot.files),
    'migrate.sh': (1, lambda logs, writer: {'writer.elf32': writer}),
}


def run(prepare, words):
    """Executes the command that prepare(words) returns in place of this process. Returns a status if prepare() fails."""
    try:
        command = prepare(words)
    except Unavailable as error:
        print(f'1..0 # SKIP {str(error).splitlines()[0]}')
        return 0
    except RigError as error:
        print(f'Bail out! {error}')
        return 1
    os.execv(command[0], [str(word) for word in command])
    return 1


def suite(logs, files, *options):
    """The command of the rig's suite without its programs. `files`: files by their path in the rig."""
    command = [ROOT / 'rig/suite', *options, '--logs', logs]
    for place, path in files.items():
        command += ['--file', f'{path}:{place}']
    return command


def common_files(logs):
    """The files of each script that starts QEMU, by their path in the rig."""
    return {'qemu.tar': logs / 'qemu.tar', 'common.sh': HERE / 'common.sh', 'tap.sh': HERE.parent / 'tap.sh'}


def prepare(words):
    """Returns the command that runs the script."""
    libvsm, logs = map(pathlib.Path, words[:2])
    seconds, script = words[2:4]
    count, files_of = SCRIPTS[script]
    cases = words[4 + count:]
    logs.mkdir(parents=True, exist_ok=True)
    fetch.ensure(['qemu'])
    files = files_of(logs, *map(pathlib.Path, words[4:4 + count]))
    module = build_module(libvsm, logs / 'module')
    # An archive, since the rig would add this host's libraries for a program.
    pack(logs / 'qemu.tar', [*qemu_files(module, libvsm), *fetched()])
    return [*suite(logs, files | common_files(logs)), '--', f'{pathlib.Path(script).stem}:{seconds}', HERE / script, *cases]


if __name__ == '__main__':
    sys.exit(run(prepare, sys.argv[1:]))
