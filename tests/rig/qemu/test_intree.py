#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests how qemu/build adds the accelerator to a source of QEMU, and which sources and options it refuses."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / 'tests/rig'), str(ROOT / 'rig'), str(ROOT / 'qemu')]
import tapcase  # noqa: E402
from builder import which  # noqa: E402

LIST = "subdir('kvm')\nsubdir('nvmm')\nsubdir('hvf')\n"


class InTree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.source = pathlib.Path(self.folder.name) / 'qemu'
        (self.source / 'target/i386').mkdir(parents=True)
        self.list = self.source / 'target/i386/meson.build'
        self.list.write_text(LIST)
        self.set_version('10.2.2')

    def tearDown(self):
        self.folder.cleanup()

    def set_version(self, version):
        (self.source / 'VERSION').write_text(version + '\n')

    def build(self, *words):
        """Runs qemu/build, which must fail. Returns its standard error."""
        done = subprocess.run([ROOT / 'qemu/build', *words], capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn('Traceback', done.stderr)
        return done.stderr

    def insert(self):
        """Returns the messages of a call that succeeds."""
        return subprocess.run([ROOT / 'qemu/build', '--in-tree', '--insert', '--source', self.source], check=True, capture_output=True,
                              text=True).stderr

    def refuse(self, *words):
        return self.build('--in-tree', '--source', self.source, *words)

    def test_one_line_and_one_folder_are_inserted(self):
        self.insert()
        self.assertEqual(self.list.read_text(), LIST.replace("subdir('nvmm')\n", "subdir('nvmm')\nsubdir('vsm')\n"))
        there = {path.name for path in (self.source / 'target/i386/vsm').iterdir()}
        self.assertEqual(there, {path.name for path in (ROOT / 'qemu/accel').iterdir()} - {'check.c'})

    def test_the_list_of_files_is_complete(self):
        listed = set(re.findall(r"'(\w+\.c)'", (ROOT / 'qemu/accel/meson.build').read_text()))
        self.assertEqual(listed, {path.name for path in (ROOT / 'qemu/accel').glob('*.c')} - {'check.c'})

    def test_only_compat_h_includes_headers_whose_path_depends_on_the_version(self):
        moved = re.compile(r'#include "(hw/qdev|hw/core/qdev|block/aio\.h|qemu/aio\.h|exec/(address-spaces|ioport|memory|ram_addr|ramblock)\.h|'
                           r'monitor/monitor-(hmp-)?internal\.h|(system|accel)/accel-)')
        found = {path.name for path in (ROOT / 'qemu/accel').glob('*.[ch]') if moved.search(path.read_text())}
        self.assertEqual(found, {'compat.h'})

    def test_a_second_insertion_changes_nothing_and_removes_what_is_old(self):
        self.insert()
        place = self.source / 'target/i386/vsm'
        before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
        text = self.list.read_text()
        (place / 'old.c').write_text('')
        self.insert()
        self.assertEqual({path.name: path.stat().st_mtime_ns for path in place.iterdir()}, before)
        self.assertEqual(self.list.read_text(), text)

    def test_other_versions_are_refused_and_left_as_they_are(self):
        for version in ('9.2.4', '10.1.0', '10.2.50', '11.1.50', '11.2.0'):
            self.set_version(version)
            self.assertIn(f'QEMU {version} is not supported: qemu/accel can be a part of QEMU 10.0.x, 10.2.x, 11.0.x and 11.1.x', self.refuse())
            self.assertEqual(self.list.read_text(), LIST)
            self.assertFalse((self.source / 'target/i386/vsm').exists())
        self.assertIn('is not supported', self.build('--in-tree', '--for', '11.2'))

    def test_a_version_that_no_test_has_is_named(self):
        self.assertEqual(self.insert(), '')
        self.set_version('11.1.3')
        self.assertIn('not tested with QEMU 11.1.3', self.insert())

    def test_a_folder_that_is_no_source_of_qemu_is_refused(self):
        self.assertIn('is no source of QEMU', self.build('--in-tree', '--source', self.folder.name))

    def test_a_source_without_the_place_of_the_line_is_refused(self):
        self.list.write_text("subdir('kvm')\n")
        self.assertIn("no line subdir('nvmm')", self.refuse())

    def test_options_that_do_not_fit_are_refused(self):
        self.assertIn('need --in-tree', self.build('--source', self.source))
        self.assertIn('need --in-tree', self.build('--', '--enable-slirp'))
        self.assertIn('needs --source', self.build('--in-tree', '--insert'))
        self.assertIn('exclude each other', self.refuse('--for', '10.0'))

    def test_a_version_is_named_whole_or_by_its_beginning(self):
        package = '1:10.0.13+ds-0+deb13u1'
        for wanted in (package, '10.0', '10.0.13'):
            self.assertTrue(which.is_of(package, wanted), wanted)
        for wanted in ('1:10.0.13+ds-0', '10.0.1', '10.2', '1.10'):
            self.assertFalse(which.is_of(package, wanted), wanted)


if __name__ == '__main__':
    tapcase.main()
