# SPDX-License-Identifier: BSD-2-Clause
import lzma
import pathlib
import re
import struct

from .say import RigError

# Dependencies are added.
WANTED = {'amd': ('kvm-amd',), 'intel': ('kvm-intel',)}

VENDORS = ('kvm_amd.ko', 'kvm_intel.ko')

# What follows the signature of a module: its description, then a mark that ends the file.
SIGNATURE = struct.Struct('>8xI')
SIGNATURE_MARK = b'~Module signature appended~\n'

# For the agent's port, if they are not built in.
TRANSPORT = ('virtio-pci', 'virtio-console')

SUFFIX = re.compile(r'\.ko(\.xz)?$')


def module_name(path):
    """kvm_amd of kvm-amd.ko.xz"""
    return SUFFIX.sub('', pathlib.Path(path).name).replace('-', '_')


def index(folder):
    """By name."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise RigError(f'{folder} is not a folder with kernel modules')
    return {module_name(path): path for path in folder.rglob('*.ko*') if SUFFIX.search(path.name)}


def contents(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == '.xz' else data


def dependencies(data):
    """modinfo's "depends"."""
    match = re.search(rb'\0depends=([^\0]*)\0', data)
    return [name.replace('-', '_') for name in match.group(1).decode().split(',') if name] if match else []


def load_order(stock, replacing, wanted=WANTED['amd']):
    """Pairs of file name and contents, each after its dependencies. A module of `replacing` replaces that of `stock`."""
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
    """Signature and type information take time where each instruction is emulated."""
    if data.endswith(SIGNATURE_MARK):
        data = data[:-len(SIGNATURE_MARK)]
        size, = SIGNATURE.unpack_from(data, len(data) - SIGNATURE.size)
        data = data[:-SIGNATURE.size - size]
    # The kernel finds the type information by the name of its section.
    return data.replace(b'\0.BTF\0', b'\0.btf\0')
