# SPDX-License-Identifier: BSD-2-Clause
"""Kernel modules of the guest: which, in which order, and from where."""
import lzma
import pathlib
import re

from .say import RigError

# What a test may need of the kernel that Debian builds as a module. Dependencies come by themselves.
WANTED = ('kvm-amd',)

SUFFIX = re.compile(r'\.ko(\.xz)?$')


def module_name(path):
    """As the kernel knows it: kvm_amd of kvm-amd.ko.xz."""
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


def load_order(stock, replacing, wanted=WANTED):
    """Pairs of file name and contents such that each comes after what it depends on.

    `stock` and `replacing` are results of index(); a module of the second takes the place of the first's.
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

    for name in wanted:
        visit(name.replace('-', '_'))
    return [(name + '.ko', data) for name, data in order.items()]
