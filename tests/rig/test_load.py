#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""kernel/load on kernels that accept its modules and on kernels that do not: KVM is replaced or unchanged.

Usage: test_load.py BLOCKS_ABSENT [test...]   (the program tests/rig/blocks_absent.c, which checks for the stock modules)"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'tests/rig'), str(ROOT / 'rig')]

# pylint: disable=wrong-import-position
import tapcase  # noqa: E402
from vsmrig import blocks  # noqa: E402

ABSENT = os.path.abspath(sys.argv.pop(1))

# modprobe finds the stock modules. `instance` identifies the loaded KVM module, to detect a reload.
PRELUDE = '''
tree=/lib/modules/$(uname -r)
mkdir -p $tree && cp /rig/*.ko $tree && depmod
echo 'nobody:x:65534:65534::/:/bin/sh' >> /etc/passwd
instance() { stat -c %i /sys/module/kvm /sys/module/kvm_amd 2>&1 | tr '\\n' ' '; }
step()
{
	echo "== $1"
	shift
	before=$(instance)
	"$@" 2>&1
	echo "status $?"
	[ "$before" = "$(instance)" ] && echo untouched
	./absent >/dev/null 2>&1 && echo stock
}
'''


def with_untrusted_signature(module):
    """Returns the module with a signature that no kernel trusts."""
    signature = b'not PKCS#7'
    return module + signature + struct.pack('>BBBBB3xI', 0, 0, 2, 0, 0, len(signature)) + b'~Module signature appended~\n'


class Load(unittest.TestCase):
    """Each test boots a guest."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='vsm-load-')))
        self.modules = blocks.ensure() / 'modules'

    def file(self, name, data):
        """Creates a file to copy to the guest."""
        path = self.folder / name.replace('/', '-')
        path.write_bytes(data)
        return '--file', f'{path}:{name}'

    def copy(self, folder, **changed):
        """Options that copy the modules to a folder of the guest; `changed` replaces the contents of some."""
        options = []
        for name in ('release', 'kvm', 'kvm-amd'):
            path = self.modules / (name if name == 'release' else name + '.ko')
            data = changed.get(name.replace('-', '_'), path.read_bytes())
            options += self.file(f'{folder}/{path.name}', data)
        return options

    def steps(self, script, *options):
        """Runs the script in a guest. Returns the output of each step by its name."""
        done = subprocess.run([ROOT / 'rig/run', *options, '--file', f'{ROOT}/kernel/load:load', '--file',
                               f'{ABSENT}:absent', '--', 'sh', '-c', PRELUDE + script], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=2500, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return {part.partition('\n')[0]: part.partition('\n')[2] for part in done.stdout.split('== ')[1:]}

    def refused(self, said, *texts):
        """Checks the messages, and that KVM is unchanged."""
        for text in (*texts, 'status 1', 'untouched', 'stock'):
            self.assertIn(text, said)

    def test_kvm_is_replaced_and_restored_and_modules_that_do_not_fit_are_refused(self):
        release = (self.modules / 'release').read_text().strip()
        amd = (self.modules / 'kvm-amd.ko').read_bytes()
        said = self.steps('''
            step nothing sh load
            step folder sh load /nowhere
            step release sh load other
            step rights su nobody -c 'sh load ours'
            step use sh -c 'exec 3</dev/kvm; sh load ours'
            step broken sh load broken
            step ours sh load ours
            step stock sh load --stock
            rm -r /lib/modules
            step neither sh load broken
            true''',
            *self.copy('ours'), *self.copy('broken', kvm_amd=amd[:len(amd) // 2]), *self.copy('other', release=b'6.12.1-x\n'))
        self.refused(said['nothing'], 'usage: kernel/load')
        self.refused(said['folder'], '/nowhere has no release: kernel/build makes it')
        self.refused(said['release'], f'these modules fit Linux 6.12.1-x; this is {release}')
        self.refused(said['rights'], 'only root can load modules')
        self.refused(said['use'], 'kvm_amd is in use: end the virtual machines first')
        # kvm.ko was loaded before the error and has to be unloaded again.
        for text in ('going back', 'status 1', 'stock'):
            self.assertIn(text, said['broken'])
        self.assertIn('has the building blocks', said['ours'])
        self.assertTrue(said['ours'].endswith('status 0\n'), said['ours'])
        self.assertTrue(said['stock'].endswith('status 0\nstock\n'), said['stock'])
        self.assertIn('status 2', said['neither'])
        self.assertIn('KVM is not available', said['neither'])

    def signatures(self, append, reason, before=''):
        """Loads modules without a signature and with an untrusted one on a kernel that requires signatures."""
        kvm, amd = ((self.modules / f'{name}.ko').read_bytes() for name in ('kvm', 'kvm-amd'))
        said = self.steps(f'{before}\nstep unsigned sh load ours\nstep signed sh load signed\ntrue', '--append', append,
                          *self.copy('ours'), *self.copy('signed', kvm=with_untrusted_signature(kvm), kvm_amd=with_untrusted_signature(amd)))
        for text in ('going back', 'kernel/INSTALL.md', 'status 1', '\nstock\n'):
            self.assertIn(text, said['signed'])
        if reason:
            self.refused(said['unsigned'], reason, 'these are not signed: see kernel/INSTALL.md')
            return
        for text in ('going back', 'kernel/INSTALL.md', 'status 1', '\nstock\n'):
            self.assertIn(text, said['unsigned'])

    def test_a_kernel_that_enforces_signatures_keeps_its_kvm(self):
        self.signatures('module.sig_enforce=1', 'the kernel takes signed modules only')

    def test_a_kernel_that_is_locked_down_keeps_its_kvm(self):
        self.signatures('lockdown=integrity', 'the kernel is locked down, as with Secure Boot',
                        'mount -t securityfs securityfs /sys/kernel/security')

    def test_a_kernel_that_is_locked_down_without_securityfs_has_its_kvm_restored(self):
        self.signatures('lockdown=integrity', None)


tapcase.main()
