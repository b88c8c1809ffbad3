# SPDX-License-Identifier: BSD-2-Clause
"""Kernel modules of the guest: their selection, order and files."""
import lzma
import pathlib
import re
import struct

from .say import RigError

# Modules that tests need, by vendor of the CPU. Their dependencies are added.
WANTED = {'amd': ('kvm-amd',), 'intel': ('kvm-intel',)}

# The modules that take the parameters of KVM.
VENDORS = ('kvm_amd.ko', 'kvm_intel.ko')

# The signature that a kernel appends to a module, before a mark that ends the file.
SIGNATURE = struct.Struct('>8xI')
SIGNATURE_MARK = b'~Module signature appended~\n'

# Modules for the agent's port, if they are not built in.
TRANSPORT = ('virtio-pci', 'virtio-console')

SUFFIX = re.compile(r'\.ko(\.xz)?$')


def module_name(path):
    """The kernel's name of a module: kvm_amd of kvm-amd.ko.xz."""
    return SUFFIX.sub('', pathlib.Path(path).name).replace('-', '_')


def index(folder):
    """All module files below `folder`, by name."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise RigError(f'{folder} is not a folder with kernel modules')
    return {module_name(path): path for path in folder.rglob('*.ko*') if SUFFIX.search(path.name)}


def contents(path):
    """The module, uncompressed."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == '.xz' else data


def dependencies(data):
    """Names in the module's own list (modinfo's "depends")."""
    match = re.search(rb'\0depends=([^\0]*)\0', data)
    return [name.replace('-', '_') for name in match.group(1).decode().split(',') if name] if match else []


def load_order(stock, replacing, wanted=WANTED['amd']):
    """Pairs of file name and contents, each after its dependencies.

    `stock` and `replacing` are results of index(); a module of the second replaces that of the first.
    """
    available = {**stock, **replacing}
    order = {}

    def visit(name):
        if name in order:
            return
        if name not in available:
            raise RigError(f'there is no kernel module {name}')
        data = contents(available[name])
        for other in dependencies(data):
            visit(other)
        order[name] = data

    for name in TRANSPORT:
        if name.replace('-', '_') in available:
            visit(name.replace('-', '_'))
    for name in wanted:
        visit(name.replace('-', '_'))
    return [(name + '.ko', data) for name, data in order.items()]


def trimmed(data):
    """The module without its signature, and with its type information hidden: both take time where each instruction is emulated."""
    if data.endswith(SIGNATURE_MARK):
        data = data[:-len(SIGNATURE_MARK)]
        size, = SIGNATURE.unpack_from(data, len(data) - SIGNATURE.size)
        data = data[:-SIGNATURE.size - size]
    # The kernel finds the type information by the name of its section.
    return data.replace(b'\0.BTF\0', b'\0.btf\0')
