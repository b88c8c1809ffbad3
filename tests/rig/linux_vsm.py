# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel under `vsm run`, with and without the secure kernel in VTL1: what its guest says of itself."""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'rig'))
from vsmrig import cache, fetch  # noqa: E402
from vsmrig.cpio import Cpio  # noqa: E402

SECONDS = 150
SUMMARY = re.compile(r'^vsm: the guest switched off after ([0-9.]+) s: (\d+) exits, (\d+) VTL switches, (\d+) intercepts',
                     re.MULTILINE)


class Guest:
    """What one boot said."""

    def __init__(self, text, status):
        self.text = text
        self.exit_status = status
        self.facts = dict(re.findall(r'^FACT (\S+) (.*?)\r?$', text, re.MULTILINE))
        self.attacks = dict(re.findall(r'^ATTACK (.*): (BLOCKED|SUCCEEDED)\r?$', text, re.MULTILINE))
        found = SUMMARY.search(text)
        self.seconds, self.exits, self.switches, self.intercepts = (
            (float(found.group(1)), *map(int, found.groups()[1:])) if found else (0, 0, 0, 0))

    def status(self, when):
        """`vsmctl status` as a dictionary; numbers are numbers."""
        words = re.findall(r'(\w+)=(\w+)', self.facts.get('status_' + when, ''))
        return {name: int(value, 0) for name, value in words}


def build(folder, image):
    """Builds the modules and the initrd that all boots share. Returns its path."""
    fetch.ensure(['kernel', 'busybox', 'headers'])
    modules = pathlib.Path(folder) / 'modules'
    subprocess.run([ROOT / 'guest/linux/build-modules', cache.directory() / 'headers', modules], check=True,
                   stdout=sys.stderr)
    path = pathlib.Path(folder) / 'initrd.cpio'
    with open(path, 'wb') as file:
        archive = Cpio(file)
        for name in ('proc', 'sys', 'dev'):
            archive.directory(name)
        archive.character_device('dev/console', 5, 1)
        busybox = (cache.directory() / 'busybox/busybox').read_bytes()
        archive.add('bin/busybox', busybox, 0o755)
        archive.add('bin/sh', busybox, 0o755)
        archive.add('init', (ROOT / 'tests/rig/linux-vsm-init').read_bytes(), 0o755)
        archive.add('vsmctl', (modules / 'vsmctl').read_bytes(), 0o755)
        archive.add('secure-kernel.bin', pathlib.Path(image).read_bytes())
        for name in ('vsm.ko', 'vsm_attack.ko'):
            archive.add(name, (modules / name).read_bytes())
        archive.end()
    return path


def boot(vsm, initrd, cpus, vtl1, log):
    """One boot; all that it says is kept in the file `log`."""
    command = [ROOT / 'rig/run', '--timeout', str(SECONDS), '--file', f'{cache.directory()}/kernel/vmlinuz:vmlinuz',
               '--file', f'{initrd}:initrd.cpio', '--', vsm, 'run', 'vmlinuz', '--initrd', 'initrd.cpio',
               '--memory', '256M', '--cpus', str(cpus), '--append',
               f'console=ttyS0 panic=-1 mitigations=off quiet vtl1={int(vtl1)}']
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
        output.seek(0)
        text = output.read().decode('utf-8', 'replace').replace('\r\n', '\n')
    pathlib.Path(log).write_text(text)
    return Guest(text, done.returncode)
