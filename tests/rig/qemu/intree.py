#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests a QEMU of one series in the rig, built from source with the accelerator vsm in it.

Usage: intree.py LIBVSM LOGS SERIES SECURE_KERNEL CONFORMANCE.elf32 DEVICE CHIPSET.elf32 NARROW.so WRITER.elf32

The source is Debian's, or that in the folder of the environment variable VSM_QEMU_SOURCE if it has that version. The build stays
in the cache of the rig, where only what has changed is compiled again.
"""
import os
import pathlib
import subprocess
import sys

import start
from vsmrig import cache, fetch
from vsmrig.say import RigError, Unavailable

# In addition to the options of qemu/build: devices that the accelerator must refuse, and warnings as errors.
CONFIGURE = ('--enable-werror', '--enable-vhost-kernel', '--enable-vhost-net')

# script: seconds, cases
SUITES = {'cases.sh': (900, ['refusals', 'attacks_q35', 'linux_with_vtl1']), 'migrate.sh': (300, ['migrate_live'])}


def source(series):
    """Returns the options of qemu/build that select the source."""
    own = pathlib.Path(os.environ.get('VSM_QEMU_SOURCE', ''), 'VERSION')
    if own.is_file() and own.read_text(encoding='ascii').startswith(series + '.'):
        return ['--source', own.parent]
    return ['--for', series]


def build(libvsm, series):
    """Builds QEMU. Returns the path of the program."""
    done = subprocess.run([start.ROOT / 'qemu/build', '--in-tree', *source(series), '--libvsm', libvsm, '--output',
                           cache.directory() / f'qemu-in-tree-{series}', '--', *CONFIGURE], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == start.SKIPPED:
        raise Unavailable(f'the mirrors configured here have no source of QEMU {series}, and VSM_QEMU_SOURCE names none')
    if done.returncode:
        raise RigError(f'QEMU {series} is not built: the reason is above')
    return pathlib.Path(done.stdout.strip())


def prepare(words):
    """Returns the command that runs the scripts."""
    libvsm, logs = map(pathlib.Path, words[:2])
    series = words[2]
    *linux, writer = map(pathlib.Path, words[3:9])
    logs.mkdir(parents=True, exist_ok=True)
    fetch.ensure(['qemu'])
    program = build(libvsm, series)
    files = start.linux_files(logs, *linux) | {'writer.elf32': writer}
    start.pack(logs / 'qemu.tar', start.program_files(libvsm, program))
    command = start.suite(logs, files | start.common_files(logs))
    for script, (seconds, cases) in SUITES.items():
        command += ['--', f'{pathlib.Path(script).stem}:{seconds}', start.HERE / script, *cases]
    return command


if __name__ == '__main__':
    sys.exit(start.run(prepare, sys.argv[1:]))
