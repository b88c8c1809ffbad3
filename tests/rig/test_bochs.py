# SPDX-License-Identifier: BSD-2-Clause
"""Preparations of the rig for Bochs: the disk, packages and options."""
import io
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from vsmrig import apt, bochs, bochs_disk, bochs_fetch, fetch, modules, options, place, sources, suite
from vsmrig.say import RigError

MEGABYTE = 1 << 20


def bzimage(rest=b'protected mode part' * 1000):
    """A file with the header of a kernel, and one sector of real mode code after the first sector."""
    data = bytearray(1024)
    data[0x1f1] = 1
    data[0x1fe:0x200] = b'\x55\xaa'
    data[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', data, 0x206, 0x20f)
    data[0x211] = 1
    struct.pack_into('<I', data, 0x22c, 0x7fffffff)
    struct.pack_into('<I', data, 0x238, 2047)
    struct.pack_into('<QI', data, 0x258, 16 * MEGABYTE, 48 * MEGABYTE)
    return bytes(data) + rest


class Disk(unittest.TestCase):
    """The disk that the boot sector loads."""

    def made(self, initrd, words='a b', memory=256, kernel=None):
        """The disk, and its number of cylinders."""
        with tempfile.TemporaryFile() as file:
            sector = b'\xfa' + bytes(509) + b'\x55\xaa'
            cylinders = bochs_disk.write(file, sector, bochs_disk.Kernel(kernel or bzimage(), 'k'), initrd, words, memory)
            file.seek(0)
            return file.read(), cylinders

    def test_each_row_of_the_table_has_a_part_of_the_disk_and_its_address(self):
        initrd = os.urandom(100001)
        disk, cylinders = self.made(initrd, 'console=x y')
        self.assertEqual(len(disk), cylinders * 16 * 63 * 512)
        rows = [struct.unpack_from('<III', disk, 0x100 + 12 * i) for i in range(4)]
        self.assertEqual(rows[3][1], 0)
        parts = {where: disk[first * 512:(first + count) * 512] for first, count, where in rows[:3]}
        self.assertEqual(list(parts), [0x90000, 0x100000, (254 * MEGABYTE - len(initrd)) & -MEGABYTE])
        real_mode, protected, ramdisk = parts.values()
        self.assertTrue(protected.startswith(bzimage()[1024:]))
        self.assertTrue(ramdisk.startswith(initrd))
        self.assertEqual(struct.unpack_from('<II', real_mode, 0x218), (rows[2][2], len(initrd)))
        line, = struct.unpack_from('<I', real_mode, 0x228)
        self.assertTrue(real_mode[line - 0x90000:].startswith(b'console=x y\0'))
        self.assertEqual(disk[510:512], b'\x55\xaa')

    def test_a_guest_that_is_too_small_for_its_files_is_refused_with_the_size_that_is_enough(self):
        with self.assertRaisesRegex(RigError, 'a guest of 80 MB .* 31 MB of files.*--mem 97M') as caught:
            self.made(bytes(30 * MEGABYTE + 1), memory=80)
        self.assertIn('97M', str(caught.exception))
        self.made(bytes(30 * MEGABYTE + 1), memory=97)

    def test_invalid_and_truncated_kernels_are_refused(self):
        large = bytearray(bzimage(bytes(256 << 10)))
        large[0x1f1] = 255
        for data, why in ((b'not a kernel' * 100, 'not a Linux kernel'), (b'', 'not a Linux kernel'),
                          (bzimage(b''), 'truncated'), (bzimage()[:0x206] + b'\0\2' + bzimage()[0x208:], 'protocol'),
                          (large, 'real mode part has 131072 bytes, and 38400 are the maximum')):
            with self.assertRaisesRegex(RigError, why):
                bochs_disk.Kernel(data, 'k')

    def test_a_command_line_that_the_kernel_would_truncate_is_refused(self):
        self.made(b'', 'x' * 2047)
        with self.assertRaisesRegex(RigError, '2048 of 2047 bytes'):
            self.made(b'', 'x' * 2048)

    def test_a_disk_that_cannot_be_written_is_a_failure_of_the_rig(self):
        full = mock.Mock(write=mock.Mock(side_effect=OSError(28, 'No space left on device')))
        with self.assertRaisesRegex(RigError, 'cannot write the disk .*No space left'):
            bochs_disk.write(full, bytes(512), bochs_disk.Kernel(bzimage(), 'k'), b'', '', 256)

    def test_the_boot_sector_is_one_sector_with_space_for_the_table(self):
        sector = fetch.build('bochs-boot').read_bytes()
        self.assertEqual((len(sector), sector[510:]), (512, b'\x55\xaa'))
        self.assertFalse(any(sector[bochs_disk.TABLE:bochs_disk.TABLE + 12 * bochs_disk.ROWS]))


class Options(unittest.TestCase):
    """Options that are refused before anything starts."""

    @staticmethod
    def parsed(*words):
        """Parses options of rig/run."""
        return options.parse_run([*words, '--', 'true'])

    def test_a_model_without_vmx_ept_or_unrestricted_guest_is_refused_with_the_suitable_ones(self):
        for model in ('ryzen', 'core2_penryn_t9600', 'corei5_lynnfield_750', 'pentium', 'x'):
            with self.assertRaisesRegex(RigError, f'{model} is not a model .* VMX.*\n.*arrow_lake'):
                bochs.check(model, '')

    def test_parameters_with_which_no_guest_runs_are_refused(self):
        for word, why in (('ept=0', 'EPT'), ('ept=N', 'EPT'), ('ept=off', 'EPT'), ('unrestricted_guest=n', 'unrestricted guest'),
                          ('nested=1 unrestricted_guest=0', 'unrestricted guest'), ('enable_apicv=1', 'APICv'),
                          ('enable_apicv', 'APICv')):
            with self.assertRaisesRegex(RigError, f'{word.split()[-1]} turns (on|off) {why}'):
                bochs.check('', word)
        bochs.check('tigerlake', 'enable_apicv=0 ept=1 unrestricted_guest=Y eptad=0')

    def test_more_memory_than_the_limit_of_bochs_is_refused_before_a_download(self):
        bochs.check('', '', bochs.MOST_MEMORY)
        with self.assertRaisesRegex(RigError, 'at most 2048 MB for a guest: --mem 3072M is more'):
            bochs.check('', '', 3072)
        with mock.patch.object(place.fetch, 'ensure', side_effect=AssertionError('fetched')), \
                self.assertRaisesRegex(RigError, 'at most 2048 MB'):
            place.Place(self.parsed('--rig', '--cpu', 'intel', '--mem', '2049M'), ['true'])

    def test_a_cpu_is_a_vendor_or_an_intel_model(self):
        self.assertEqual(self.parsed('--cpu', 'intel:tigerlake').cpu, ('intel', 'tigerlake'))
        self.assertEqual(options.vendor(self.parsed()), 'amd')
        for text in ('arm', 'intel:', 'amd:milan', ''):
            with mock.patch('sys.stderr', io.StringIO()), mock.patch('sys.stdout', io.StringIO()), \
                    self.assertRaises(SystemExit) as caught:
                self.parsed('--cpu', text)
            self.assertEqual(caught.exception.code, options.RIG_FAILED)

    def test_mttcg_is_refused_since_only_qemu_supports_it(self):
        with self.assertRaisesRegex(RigError, '--mttcg'):
            options.machine(self.parsed('--cpu', 'intel', '--mttcg'))

    def test_a_parameter_of_the_user_follows_that_of_the_rig(self):
        machine = options.machine(self.parsed('--cpu', 'intel', '--kvm', 'eptad=0'))
        self.assertEqual((machine.cpus, machine.parameters), (1, 'enable_apicv=0 eptad=0'))


class Packages(unittest.TestCase):
    """Only one build of Bochs is supported."""

    def test_the_preloaded_object_refuses_every_other_program(self):
        done = subprocess.run(['/bin/true'], env={'LD_PRELOAD': str(fetch.build('bochs-preload'))},
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, 'this build of Bochs is not supported by the rig\n'))

    def test_the_mirrors_of_this_release_are_used_for_the_release_that_has_bochs(self):
        mine = [sources.Source('http://a.example/debian', suite, ('main',), ()) for suite in
                ('bookworm', 'bookworm-updates', 'bookworm-security', 'bookworm-backports', 'stable')]
        self.assertEqual([source.suite for source in bochs_fetch.of_release(mine)],
                         ['trixie', 'trixie-updates', 'trixie-security', 'trixie'])

    def test_a_suite_is_skipped_with_the_reason_if_the_known_version_is_unavailable(self):
        archive = mock.Mock(sources=[])
        for version, found in ((None, 'none'), ('3.1+dfsg-1', '3.1')):
            with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, VSM_RIG_CACHE=folder), \
                    mock.patch.object(apt.Apt, 'update'), mock.patch.object(apt.Apt, 'candidate', return_value=version):
                with self.assertRaisesRegex(bochs_fetch.Unavailable, f'no bochs-term 3.0.*found: {found}'):
                    bochs_fetch.fetch_bochs(archive)
        written = []
        with mock.patch.object(place.Place, '__init__', side_effect=bochs_fetch.Unavailable('no Bochs\nmore')), \
                mock.patch.object(suite, 'write', written.append), mock.patch('sys.stderr', io.StringIO()) as errors, \
                mock.patch.object(suite.pathlib.Path, 'mkdir'), mock.patch('signal.signal'):
            self.assertEqual(suite.suite(['--cpu', 'intel', '--', 'a', 'true']), 0)
        self.assertEqual(written, ['1..0 # SKIP no Bochs\n'])
        self.assertIn('no Bochs', errors.getvalue())

    def test_only_the_signature_and_type_information_of_a_module_are_removed(self):
        code = b'\x7fELF code\0.text\0.BTF\0.rela.BTF.x\0'
        signed = code + b'pkcs7' + struct.pack('>8xI', 5) + b'~Module signature appended~\n'
        self.assertEqual(modules.trimmed(signed), code.replace(b'\0.BTF\0', b'\0.btf\0'))
        self.assertEqual(modules.trimmed(b'as it is'), b'as it is')


if __name__ == '__main__':
    tapcase.main()
