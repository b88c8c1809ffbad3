# SPDX-License-Identifier: GPL-2.0-or-later
"""The module: the objects of qemu/accel, compiled as QEMU compiles its own files, in one shared object."""
import hashlib
import os
import pathlib
import subprocess

from vsmrig import cache
from vsmrig.process import tied
from vsmrig.say import RigError, progress

ACCEL = cache.TREE / 'qemu/accel'

# The flags with which QEMU's build compiles a file of target/i386 for x86_64-softmmu.
FLAGS = ('-m64', '-mcx16', '-msse2', '-std=gnu11', '-O2', '-g', '-fPIC', '-pthread', '-fno-strict-aliasing', '-fno-common',
         '-fwrapv', '-fvisibility=hidden', '-Wall', '-Werror', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64', '-D_LARGEFILE_SOURCE',
         '-DCOMPILING_PER_TARGET', '-DCONFIG_TARGET="x86_64-softmmu-config-target.h"',
         '-DCONFIG_DEVICES="x86_64-softmmu-config-devices.h"')


def _includes(headers):
    """Options for the folders of headers."""
    source, build = headers / 'source', headers / 'build'
    words = [f'-I{build / name}' for name in ('', 'qapi', 'trace', 'ui')] + [f'-I{source}/target/i386']
    words += [f'-I{headers}/glib/include', '-isystem', f'{source}/linux-headers', '-isystem', f'{build}/linux-headers']
    for folder in (build, source, source / 'include', source / 'host/include/x86_64', source / 'host/include/generic',
                   source / 'tcg/i386'):
        words += ['-iquote', str(folder)]
    return words + [f'-I{cache.TREE}/include']


def _compiler():
    return os.environ.get('CC', 'cc').split()


def _run(command):
    """Runs a compiler. Its messages are the error."""
    done = subprocess.run(tied([str(word) for word in command]), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigError(f'cannot build the module:\n{done.stderr.strip()}')


def digest(headers, version, library):
    """A hash of the sources and flags of a module, and of the versions of QEMU and its headers and the path of libvsm."""
    found = hashlib.sha256(version.encode() + str(library).encode() + repr(FLAGS).encode())
    for path in sorted([*ACCEL.glob('*.[ch]'), *(cache.TREE / 'include').rglob('*.h'), headers / 'version']):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def build(headers, version, library, folder):
    """Builds vsm-accel.so and vsm-accel.version in `folder`, unless those there have the same digest(). Returns the module."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp, module = folder / 'vsm-accel.stamp', folder / 'vsm-accel.so'
    wanted = digest(headers, version, library)
    if module.exists() and stamp.exists() and stamp.read_text(encoding='ascii') == wanted:
        return module
    stamp.unlink(missing_ok=True)
    objects = []
    with progress(f'compiling the module for QEMU {version}'):
        for path in sorted(ACCEL.glob('*.c')):
            objects.append(folder / (path.stem + '.o'))
            _run(['nice', *_compiler(), *FLAGS, *_includes(headers), f'-DVSM_QEMU_PACKAGE="{version}"', '-c', path, '-o', objects[-1]])
        _run([*_compiler(), '-shared', '-Wl,-Bsymbolic', '-o', module, *objects, library, '-pthread'])
    (folder / 'vsm-accel.version').write_text(version + '\n', encoding='ascii')
    stamp.write_text(wanted, encoding='ascii')
    return pathlib.Path(module)
