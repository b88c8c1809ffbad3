# SPDX-License-Identifier: BSD-2-Clause
"""Shared libraries of a program, so that it runs in the guest as it does here."""
import re
import subprocess

from .say import RigError


def is_elf(data):
    """Whether this is a program or library."""
    return data[:4] == b'\x7fELF'


def needed(path):
    """Paths of the libraries, the dynamic loader included, of the program at `path`; none for a static one."""
    try:
        done = subprocess.run(['ldd', str(path)], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RigError('ldd is missing: install libc-bin') from error
    if done.returncode:
        return []
    missing = re.findall(r'^\s*(\S+) => not found', done.stdout, re.MULTILINE)
    if missing:
        raise RigError(f'{path} needs libraries that this host lacks: {", ".join(missing)}')
    # "name => /path (0x...)" for a library, "/path (0x...)" for the loader; the vDSO has no path.
    return re.findall(r'^\s*(?:\S+ => )?(/.*?) \(0x[0-9a-f]+\)$', done.stdout, re.MULTILINE)
