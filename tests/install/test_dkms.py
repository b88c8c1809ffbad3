#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""dkms.conf with Debian's dkms, as kernel/INSTALL.md describes it, for the rig's kernel and on top of this host's files.

`Refusals` takes seconds; `Installed` builds (minutes)."""
import lzma
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNEL = ROOT / 'kernel'
sys.path[:0] = [str(ROOT / 'tests/rig'), str(ROOT / 'rig')]

# pylint: disable=wrong-import-position
import tapcase  # noqa: E402
from vsmrig import blocks, cache, fetch  # noqa: E402
from vsmrig.say import Unavailable  # noqa: E402

MODULES = ('kvm', 'kvm-amd', 'kvm-intel')

# Prints the module file which a kernel loads for each name, and the remaining files of vsm.
IN_USE = 'modinfo -k $K -n kvm kvm-amd kvm-intel'
LEFT = 'find /var/lib/dkms /usr/lib/modules/$K -name "vsm*" -o -name updates'
SHT_NOBITS = 8
STOCK = [f'kernel/arch/x86/kvm/{name}.ko.xz' for name in MODULES]


class World(unittest.TestCase):

    def setUp(self):
        self.choose(fetch.KERNEL_SERIES)

    def choose(self, series):
        try:
            fetch.ensure([*fetch.build_parts(series), 'dkms'])
        except Unavailable as error:
            self.skipTest(str(error).splitlines()[0])
        self.part = fetch.part_of('', series)
        self.out = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='vsm-dkms-')))
        self.release = fetch.known(series)[0]

    def script(self, text):
        """Returns status and output."""
        done = subprocess.run(['unshare', '--map-root-user', '--mount', str(ROOT / 'tests/install/dkms-world'),
                               str(cache.directory()), str(KERNEL), str(self.out), self.part, text], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                              check=False)
        if done.returncode == 77 or done.stdout.startswith('unshare:'):
            self.skipTest('this host does not allow it: ' + done.stdout.strip().splitlines()[-1])
        return done.returncode, done.stdout

    def says(self, name):
        """Of a file that the script has left in /mnt/out."""
        return (self.out / name).read_text().splitlines()

    def loads(self, name, modules):
        """The commands of IN_USE have written the file."""
        self.assertEqual([line.partition(self.release + '/')[2] for line in self.says(name)], modules)


class Refusals(World):

    def test_dkms_accepts_dkms_conf_and_its_script_exists(self):
        status, said = self.script('dkms add /mnt/kernel && dkms status && cd /usr/src/vsm-kvm-1 && ls && bash build --help')
        self.assertEqual(status, 0, said)
        self.assertIn('vsm-kvm/1: added', said)
        self.assertIn('usage: kernel/build', said)
        for name in ('hooks.cocci', 'hooks.6.12.count', 'hooks.7.3.count', 'Kbuild'):
            self.assertIn(name, said.split())

    def test_dkms_conf_has_the_modules_and_the_version_that_are_built(self):
        conf = (KERNEL / 'dkms.conf').read_text()
        self.assertEqual(re.findall(r'^BUILT_MODULE_NAME\[\d\]="(.*)"', conf, re.M), list(MODULES))
        version = re.search(r'^#define KVM_VSM_VERSION (".*")', (KERNEL / 'kvm_vsm_host.h').read_text(), re.M).group(1)
        self.assertIn(f'\nPACKAGE_VERSION={version}\n', conf)
        self.assertIn(f'vsm-kvm/{version[1:-1]}\n', (KERNEL / 'INSTALL.md').read_text())

    def fails(self, prepare, *texts):
        """dkms install fails with these texts after `prepare`, KVM is the stock one, and remove leaves no file."""
        _, said = self.script(f'dkms add /mnt/kernel; {prepare}; dkms install vsm-kvm/1 -k $K; echo "status $?"; '
                              f'cat /var/lib/dkms/vsm-kvm/1/build/make.log; {IN_USE} > /mnt/out/use; '
                              f'dkms remove vsm-kvm/1 --all; {LEFT} > /mnt/out/left; ls /tmp > /mnt/out/tmp')
        self.assertRegex(said, r'status [1-9]')
        for text in texts:
            self.assertIn(text, said)
        self.loads('use', STOCK)
        self.assertEqual(self.says('left'), [])
        self.assertEqual(self.says('tmp'), [])

    def test_without_a_source_nothing_is_installed_and_the_log_has_the_reason(self):
        self.fails('rm /usr/src/linux-source-6.12.tar.xz',
                   'there is no /usr/src/linux-source-6.12.tar.xz: install linux-source-6.12')

    def test_with_a_source_of_another_version_nothing_is_installed_and_the_log_has_the_reason(self):
        self.fails('cd /usr/src && tar xJf linux-source-6.12.tar.xz && sed -i "s/^SUBLEVEL = .*/SUBLEVEL = 1/" '
                   'linux-source-6.12/Makefile && tar cJf linux-source-6.12.tar.xz linux-source-6.12',
                   f'the source is of Linux 6.12.1, the headers are of {self.release}')

    def test_dkms_does_not_build_for_a_kernel_of_another_series(self):
        # The removal of AUTOINSTALL is in INSTALL.md: otherwise, in Debian 12, autoinstall for such a kernel fails, and so apt fails.
        _, said = self.script('mkdir -p /usr/lib/modules/6.13.1-amd64 && cp -r /usr/src/linux-headers-$K '
                              '/usr/lib/modules/6.13.1-amd64/build; dkms add /mnt/kernel; '
                              'dkms build vsm-kvm/1 -k 6.13.1-amd64; echo "status $?"; '
                              'sed -i /^AUTOINSTALL/d /usr/src/vsm-kvm-1/dkms.conf; '
                              'dkms autoinstall -k 6.13.1-amd64; echo "autoinstall $?"')
        self.assertRegex(said, r'status [1-9]')
        self.assertIn('BUILD_EXCLUSIVE', said)
        self.assertNotIn('bash ./build', said)
        self.assertIn('autoinstall 0', said)
        self.assertIn('sed -i /^AUTOINSTALL/d /usr/src/vsm-kvm-1/dkms.conf', (KERNEL / 'INSTALL.md').read_text())


class Installed(World):

    def test_dkms_builds_installs_and_removes_the_modules_of_kernel_build(self):
        for series in blocks.series():
            self.choose(series)
            self.builds(series)

    def builds(self, series):
        """For the kernel of one series."""
        status, said = self.script(f'''
            dkms add /mnt/kernel && dkms install vsm-kvm/1 -k $K && dkms status > /mnt/out/status ||
                {{ cat /var/lib/dkms/vsm-kvm/1/build/make.log; exit 1; }}
            {IN_USE} > /mnt/out/use
            modinfo -k $K -F version kvm kvm-amd kvm-intel > /mnt/out/version
            cp /usr/lib/modules/$K/updates/dkms/* /mnt/out
            dkms remove vsm-kvm/1 --all || exit 1
            {IN_USE} > /mnt/out/after
            {LEFT} > /mnt/out/left
            ls /tmp > /mnt/out/tmp''')
        self.assertEqual(status, 0, said)
        self.assertEqual(self.says('status'), [f'vsm-kvm/1, {self.release}, x86_64: installed'])
        self.loads('use', [f'updates/dkms/{name}.ko.xz' for name in MODULES])
        self.assertEqual(self.says('version'), ['1'] * 3)
        for name in MODULES:
            (self.out / f'{name}.ko').write_bytes(lzma.decompress((self.out / f'{name}.ko.xz').read_bytes()))
            signed = (self.out / f'{name}.ko').read_bytes().endswith(b'~Module signature appended~\n')
            self.assertEqual(signed, bool(shutil.which('openssl')))
            mine, theirs = (self.sections(path) for path in (self.out / f'{name}.ko', blocks.ensure(series) / 'modules' / f'{name}.ko'))
            self.assertEqual(list(mine), list(theirs))
            # Linux 7.x has full paths of headers in its warnings, which change offsets in relocations and symbols.
            shifted = () if series == fetch.KERNEL_SERIES else ('.rela', '.symtab')
            self.assertEqual([section for section, data in mine.items()
                              if data != theirs[section] and not section.startswith(shifted)], [])
        self.loads('after', STOCK)
        self.assertEqual(self.says('left'), [])
        self.assertEqual(self.says('tmp'), [])

    def sections(self, module):
        """Without the signature, without BTF, which depends on the headers' package, and without the digest of the
        debugging information, which contains paths."""
        plain = self.out / 'plain'
        subprocess.run(['objcopy', '--strip-debug', '--remove-section=.BTF', '--remove-section=.BTF.base',
                        '--remove-section=.note.gnu.build-id', str(module), str(plain)], check=True)
        data = plain.read_bytes()
        table, = struct.unpack_from('<Q', data, 0x28)
        size, count, names = struct.unpack_from('<3H', data, 0x3a)
        headers = [struct.unpack_from('<2I4Q', data, table + size * index) for index in range(count)]
        found = {}
        for name, kind, _, _, offset, length in headers:
            at = headers[names][4] + name
            content = data[offset:offset + length] if kind != SHT_NOBITS else length
            found[data[at:data.index(b'\0', at)].decode()] = content
        # Strings without the folder of the headers, and without padding.
        found['.rodata'] = re.sub(rb'\0+', b'\0', re.sub(rb'/[^\0]*/linux-headers-[^\0/]*-common/', b'', found['.rodata']))
        return found


tapcase.main()
