#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Prepares the files of a user's installation of libvirt and qemu-system-x86_64-vsm, and runs libvirt.sh in the rig.

Usage: libvirt.py LIBVSM SECURE_KERNEL LOGS SECONDS PART...
"""
import os
import pathlib
import re
import sys
import tarfile

import start  # sets the path of the modules below
import linux_vsm
from vsmrig import cache, fetch, libraries, modules
from vsmrig.cpio import Cpio
from vsmrig.say import RigError

LIBRARIES = 'usr/lib/x86_64-linux-gnu'
DRIVERS = (f'{LIBRARIES}/libvirt/connection-driver/libvirt_driver_qemu.so', f'{LIBRARIES}/libvirt/storage-file/libvirt_storage_file_fs.so')
PROGRAMS = ('usr/sbin/libvirtd', 'usr/sbin/virtlogd', 'usr/bin/virsh', 'usr/lib/libvirt/virt-aa-helper', 'usr/lib/libvirt/libvirt_iohelper',
            'sbin/apparmor_parser', 'bin/dash', *DRIVERS)
FOLDERS = ('etc/libvirt', 'etc/apparmor', 'etc/apparmor.d', 'usr/share/apparmor-features', 'usr/share/libvirt/cpu_map', 'usr/share/libvirt/schemas')
ROMS = ('usr/share/seabios/bios-256k.bin', 'usr/share/seabios/vgabios-stdvga.bin', 'usr/share/qemu/linuxboot_dma.bin',
        'usr/share/qemu/kvmvapic.bin', 'usr/share/qemu/keymaps/en-us', 'usr/lib/ipxe/qemu/efi-virtio.rom')
FLASH = ('usr/share/OVMF/OVMF_CODE_4M.secboot.fd', 'usr/share/OVMF/OVMF_VARS_4M.fd')
# Modules of the host for QEMU's network cards, and for vhost-net, which libvirt prefers.
HOST_MODULES = ('tun', 'vhost_net')
GUEST_MODULES = ('button', 'evdev')

# Examples in docs/qemu.md: first and last line.
EXAMPLES = {
    'guest.xml': ("<domain type='kvm'>", '</domain>'),
    'flash.xml': ("<loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader>",
                  "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'/>"),
    'qemu.conf': ('cgroup_device_acl = [', ']'),
    'apparmor': ('/usr/bin/qemu-system-x86_64-vsm rmix,', '/dev/userfaultfd rw,'),
}


def documented(first, last):
    """The example of docs/qemu.md from the line `first` to `last`, without indentation."""
    text = (start.ROOT / 'docs/qemu.md').read_text(encoding='utf-8')
    found = re.findall(rf'^    {re.escape(first)}\n(?:^    .*\n)*?^    {re.escape(last)}\n', text, re.MULTILINE)
    if len(found) != 1:
        raise RigError(f'docs/qemu.md has {len(found)} examples from {first!r} to {last!r}')
    return re.sub(r'^ {4}', '', found[0], flags=re.MULTILINE).encode()


def programs(root, names):
    """Pairs of a file below `root` and its path in the rig, for programs of the packages and their libraries."""
    for name in names:
        program, loader, *needed = libraries.needed_below(root, name)
        yield root / program, program
        # The package's link is absolute, and would resolve to the loader of this host.
        yield next(root.glob('**/x86_64-linux-gnu/ld-linux-x86-64.so.2')), loader
        for path in needed:
            yield (root / path).resolve(), f'{LIBRARIES}/{os.path.basename(path)}'


def installed(module, libvsm):
    """Pairs of a file and its path in the rig: libvirt, QEMU and the files of the packages libvsm0 and qemu-vsm."""
    libvirt, qemu = cache.directory() / 'libvirt', cache.directory() / 'qemu'
    yield from programs(libvirt, PROGRAMS)
    for folder in FOLDERS:
        yield libvirt / folder, folder
    yield from programs(qemu, ['usr/bin/qemu-system-x86_64'])
    for name in ROMS:
        yield (qemu / name).resolve(), name
    for name in FLASH:
        yield cache.directory() / 'ovmf' / name, name
    for path in libraries.needed(libvsm):
        if 'Zydis' in path or 'Zycore' in path:
            yield pathlib.Path(path), f'{LIBRARIES}/{os.path.basename(path)}'
    yield libvsm.resolve(), f'{LIBRARIES}/libvsm.so.0'
    yield module, 'var/lib/qemu-vsm/vsm-accel.so'
    yield start.ROOT / 'qemu/qemu-system-x86_64-vsm', 'usr/bin/qemu-system-x86_64-vsm'


def kernel_modules(names):
    """Pairs of file name and contents, for modules of the rig's kernel and their dependencies."""
    stock = modules.index(cache.directory() / 'kernel/modules')
    # Omit the modules of the rig, which are at the start of every list.
    return modules.load_order(stock, {}, names)[len(modules.load_order(stock, {}, ())):]


def build_initrd(logs, secure_kernel):
    """Appends an archive with a program for the power button to the initrd of linux_vsm; Linux unpacks both."""
    path = logs / 'initrd-libvirt.cpio'
    with open(path, 'wb') as file:
        file.write(linux_vsm.build(logs, secure_kernel).read_bytes())
        archive = Cpio(file)
        for name, data in kernel_modules(GUEST_MODULES):
            archive.add(name, data)
        archive.add('libvirt-init', (start.HERE / 'libvirt-init').read_bytes(), 0o755)
        archive.end()
    return path


def prepare(words):
    """Returns the command that runs libvirt.sh."""
    libvsm, secure_kernel, logs = map(pathlib.Path, words[:3])
    seconds, parts = words[3], words[4:]
    logs.mkdir(parents=True, exist_ok=True)
    fetch.ensure(['kernel', 'busybox', 'qemu', 'ovmf', 'libvirt'])
    module = start.build_module(libvsm, logs / 'module')
    examples = {name: documented(*lines) for name, lines in EXAMPLES.items()}
    files = {'vmlinuz': cache.directory() / 'kernel/vmlinuz', 'initrd.cpio': build_initrd(logs, secure_kernel),
             'tap.sh': start.HERE.parent / 'tap.sh', 'root.tar': logs / 'root.tar'}
    for name, data in [*examples.items(), *kernel_modules(HOST_MODULES)]:
        (logs / name).write_bytes(data)
        files[name] = logs / name
    with tarfile.open(logs / 'root.tar', 'w', dereference=True) as archive:
        for file, place in dict((place, file) for file, place in installed(module, libvsm)).items():
            archive.add(place, file)
    return [*start.suite(logs, files, '--rig', '--mem', '1800M'), '--', f'libvirt:{seconds}', start.HERE / 'libvirt.sh', *parts]


if __name__ == '__main__':
    sys.exit(start.run(prepare, sys.argv[1:]))
