# SPDX-License-Identifier: BSD-2-Clause
"""The rig's parts that need no guest."""
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'rig'))

# pylint: disable=wrong-import-position
import linux_vsm
import tapcase
from vsmrig import apt, cache, clock, cpio, fetch, guest, libraries, modules, native, options, qemu, sources, suite, tap
from vsmrig.say import RigError, Unavailable


class AptSources(unittest.TestCase):
    """Both formats of apt's sources, and the sources that the rig derives from them."""

    def test_a_line_of_sources_list_keeps_its_trust_and_loses_its_comment(self):
        text = ('# deb http://no.example/debian bookworm main\n'
                'deb [arch=amd64,i386 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # mine\n'
                'deb-src http://a.example/debian bookworm main\n'
                '  deb http://b.example/debian bookworm-updates main\n')
        self.assertEqual(list(sources.parse_one_line(text)), [
            sources.Source('http://a.example/debian', 'bookworm', ('main', 'contrib'), (('Signed-By', '/k.gpg'),)),
            sources.Source('http://b.example/debian', 'bookworm-updates', ('main',), ())])

    def test_a_deb822_stanza_yields_a_source_for_each_pair_of_uri_and_suite(self):
        text = ('Types: deb deb-src\nURIs: http://a.example/debian\n# a remark\n  http://b.example/debian\n'
                'Suites: bookworm bookworm-updates\nComponents: main\nSigned-By:\n -----BEGIN\n .\n xyz\n'
                '\nTypes: deb\nEnabled: no\nURIs: http://c.example\nSuites: x\nComponents: main\n'
                '\nTypes: deb-src\nURIs: http://d.example\nSuites: x\nComponents: main\n')
        found = list(sources.parse_deb822(text))
        self.assertEqual([(source.uri[7:8], source.suite) for source in found],
                         [('a', 'bookworm'), ('a', 'bookworm-updates'), ('b', 'bookworm'), ('b', 'bookworm-updates')])
        self.assertEqual(found[0].fields, (('Signed-By', '-----BEGIN\n .\n xyz'),))

    def test_a_written_stanza_is_read_back_unchanged(self):
        source = sources.Source('http://a.example/debian', 'bookworm', ('main',),
                                (('Signed-By', '-----BEGIN\n .\n xyz'), ('Trusted', 'yes')))
        self.assertEqual(list(sources.parse_deb822(source.stanza())), [source])

    def test_the_upstream_tarball_is_that_of_the_version_in_the_index_of_sources(self):
        def stanza(version, digest):
            return (f'Package: p\nVersion: {version}\nDirectory: pool/main/p/p\nChecksums-Sha256:\n'
                    f' {"0" * 64} 11 p_{version}.dsc\n {digest * 64} 22 p_{version}.orig.tar.xz\nHomepage: http://p.example\n')

        with tempfile.TemporaryDirectory() as home:
            private = apt.Apt(home)
            shown = mock.Mock(stdout=stanza('1.0', 'a') + '\n' + stanza('1.0+b', 'b'))
            with mock.patch.object(private, '_run', return_value=shown):
                self.assertEqual(private.upstream_tarball('p', '1.0+b'), ('pool/main/p/p/p_1.0+b.orig.tar.xz', 'b' * 64))
                self.assertEqual(private.upstream_tarball('p', '1.0'), ('pool/main/p/p/p_1.0.orig.tar.xz', 'a' * 64))
                self.assertIsNone(private.upstream_tarball('p', '1'))

    def test_source_packages_are_requested_by_their_type(self):
        source = sources.Source('http://a.example/debian', 'bookworm', ('main',), ())
        self.assertIn('Types: deb-src\n', source.stanza('deb-src'))
        self.assertEqual(list(sources.parse_deb822(source.stanza('deb-src'))), [])

    def test_backports_come_from_the_mirror_that_carries_updates(self):
        text = ('deb http://a.example/debian bookworm main non-free\n'
                'deb http://m.example/debian bookworm-updates main\n'
                'deb http://s.example/debian-security bookworm-security main\n'
                'deb http://tool.example/apt bookworm stable\n'
                'deb cdrom:[x]/ bookworm main\n')
        chosen = list(sources.of_release(sources.parse_one_line(text), 'bookworm'))
        self.assertEqual([source.uri[7:8] for source in chosen], ['a', 'm', 's'])
        self.assertEqual(sources.backports(chosen, 'bookworm'),
                         [sources.Source('http://m.example/debian', 'bookworm-backports', ('main',), ())])

    def test_configured_backports_are_used_unchanged(self):
        text = ('deb http://a.example/debian bookworm-updates main\n'
                'deb http://b.example/debian bookworm-backports main\n')
        chosen = list(sources.parse_one_line(text))
        self.assertEqual(sources.backports(chosen, 'bookworm'), [chosen[1]])

    def test_versions_are_ordered_by_number_and_not_by_letter(self):
        names = ['linux-image-6.12.9+deb13-cloud-amd64', 'linux-image-6.12.100+deb13-cloud-amd64']
        self.assertEqual(max(names, key=fetch.version_key), names[1])
        self.assertEqual(fetch.qemu_major('1:10.0.2+ds-2~bpo12+1'), 10)


    def test_sources_of_another_release_are_those_of_this_one_on_the_same_mirrors(self):
        text = ('deb [signed-by=/k.gpg] http://a.example/debian bookworm main non-free\n'
                'deb http://m.example/debian bookworm-updates main\n'
                'deb http://b.example/debian bookworm-backports main\n'
                'deb http://s.example/debian-security stable-security main\n')
        own = list(sources.parse_one_line(text))
        others = list(sources.for_release(own, 'bookworm', 'trixie'))
        self.assertEqual([(source.uri[7:8], source.suite, source.components) for source in others],
                         [('a', 'trixie', ('main',)), ('m', 'trixie-updates', ('main',)), ('s', 'trixie-security', ('main',))])
        self.assertEqual(others[0].fields, own[0].fields)
        self.assertEqual([source.suite for source in sources.backports(others, 'trixie')], ['trixie-backports'])

    def test_the_kernels_of_a_series_are_distinguished_from_others(self):
        names = {'6.1': 'linux-image-6.1.0-57-cloud-amd64', '6.12': 'linux-image-6.12.117+deb12-cloud-amd64',
                 '7.3': 'linux-image-7.3.4+deb13-cloud-amd64'}
        for series, name in names.items():
            self.assertEqual([other for other in names if fetch.is_kernel(name, other)], [series])
            self.assertTrue(fetch.is_kernel(name))
            self.assertFalse(fetch.is_kernel(name + '-dbg'))
            self.assertFalse(fetch.is_kernel(name.replace('-cloud', '')))
        self.assertFalse(fetch.is_kernel('linux-image-cloud-amd64'))
        self.assertEqual(max(names.values(), key=fetch.version_key), names['7.3'])

    def test_the_kernel_of_a_series_comes_from_one_package_or_from_two(self):
        for apart in (False, True):
            with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, VSM_RIG_CACHE=folder):
                where = mock.Mock()
                where.names.return_value = ['linux-image-7.3.4-cloud-amd64', 'linux-image-7.3.12-cloud-amd64',
                                            'linux-image-7.30.1-cloud-amd64']
                where.candidate.side_effect = lambda name, apart=apart: '7-1' if apart or 'image' in name else None
                where.fetch.side_effect = lambda name, _: [name]

                def unpack(deb, scratch):
                    release = deb.split('-', 2)[2]
                    tree = scratch / 'usr/lib/modules' / release
                    image = tree if 'binary' in deb else scratch / 'boot'
                    if 'modules' not in deb:
                        image.mkdir(parents=True, exist_ok=True)
                        (image / ('vmlinuz' if 'binary' in deb else f'vmlinuz-{release}')).write_text(deb)
                    if 'binary' not in deb:
                        (tree / 'kernel').mkdir(parents=True)

                archive = mock.Mock(release='bookworm')
                archive.of_series.return_value = where
                with mock.patch.object(fetch.apt, 'unpack', unpack):
                    fetch.fetch_kernel(archive, '7.3')
                part = pathlib.Path(folder) / 'kernel-7.3'
                self.assertEqual((part / 'version').read_text(), '7.3.12-cloud-amd64 7-1\n')
                self.assertIn('binary' if apart else 'image', (part / 'vmlinuz').read_text())
                self.assertEqual(sorted(path.name for path in part.iterdir()), ['modules', 'version', 'vmlinuz'])

    def test_a_series_that_the_archive_lacks_is_reported_as_unavailable(self):
        archive = mock.Mock(release='bookworm')
        archive.of_series.return_value.names.return_value = ['linux-image-6.12.1-cloud-amd64']
        archive.of_series.return_value.failure.side_effect = lambda text: RigError(text)  # pylint: disable=unnecessary-lambda
        with self.assertRaisesRegex(Unavailable, 'no package linux-image-6.1.*-cloud-amd64'):
            fetch.fetch_kernel(archive, '6.1')

    def test_missing_headers_of_another_series_are_unavailable_and_those_of_the_default_are_an_error(self):
        archive = mock.Mock(spec=fetch.Archive)
        archive.of_series.return_value.fetch.side_effect = RigError('cannot download linux-headers-7.3.4')
        with self.assertRaisesRegex(Unavailable, 'cannot download linux-headers-7.3.4'):
            fetch.Archive.fetch_of_series(archive, '7.3', 'linux-headers-7.3.4', '7.3.4-1')
        with self.assertRaises(RigError) as caught:
            fetch.Archive.fetch_of_series(archive, fetch.KERNEL_SERIES, 'linux-headers-6.12.1', '6.12.1-1')
        self.assertNotIsInstance(caught.exception, Unavailable)

    def test_the_parts_of_a_series_are_separate_from_the_default_ones(self):
        self.assertEqual(fetch.build_parts(fetch.KERNEL_SERIES), ['kernel', 'headers', 'kvm-source'])
        self.assertEqual(fetch.build_parts('7.3'), ['kernel-7.3', 'headers-7.3', 'kvm-source-7.3'])
        with mock.patch.dict(fetch.PARTS, {name: mock.Mock() for name in ('kernel', 'headers', 'kvm-source')}):
            for part in fetch.build_parts('7.3'):
                fetch.fetch_part(part, 'archive')
                fetch.PARTS[part.removesuffix('-7.3')].assert_called_once_with('archive', '7.3')


class Limits(unittest.TestCase):
    """Tests of the clock for time limits."""

    def test_time_that_a_process_waits_for_a_cpu_does_not_count(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            now = [100.0]

            def waited(**seconds):
                for thread, wait in seconds.items():
                    (root / '7/task' / thread).mkdir(parents=True, exist_ok=True)
                    (root / '7/task' / thread / 'schedstat').write_text(f'5 {wait * 1000000000} 9\n')

            limit = clock.Clock(7, root, lambda: now[0])
            self.assertEqual(limit.now(), 0)
            now[0] += 10
            waited(a=0, b=0)
            self.assertEqual(limit.now(), 10)
            now[0] += 10
            waited(a=2, b=8)
            self.assertEqual(limit.now(), 12)
            # The thread that waited longest ends: its waiting time is still subtracted.
            (root / '7/task/b/schedstat').unlink()
            self.assertEqual(limit.now(), 12)
            # A process without any CPU time still reaches its limit.
            now[0] += 80
            waited(a=88)
            self.assertEqual(limit.now(), 12)
            now[0] += 100
            waited(a=188)
            self.assertEqual(limit.now(), 20)

    def test_the_time_of_a_real_process_that_sleeps_is_counted(self):
        with subprocess.Popen(['sleep', '60']) as process:
            limit = clock.Clock(process.pid)
            begin = time.monotonic()
            while time.monotonic() < begin + 0.2:
                time.sleep(0.01)
            self.assertGreater(limit.now(), 0.1)
            process.kill()
        self.assertGreater(limit.now(), 0.1)


class Tap(unittest.TestCase):
    """Parsing of a program's results, and detection of incomplete ones."""

    @staticmethod
    def read(text):
        """Parses `text`. Returns the Reader and the results."""
        reader = tap.Reader()
        return reader, [result for result in map(reader.line, text.splitlines()) if result]

    def test_results_are_read_with_their_directives(self):
        reader, results = self.read('TAP version 13\n1..4\nok 1 - a b\nnot ok 2 c\nok\n'
                                    '    ok 1 - inner\nok 4 - d # SKIP why\n')
        self.assertEqual(results, [(True, 'a b'), (False, 'c'), (True, 'case 3'), (True, 'd # SKIP why')])
        self.assertIsNone(reader.complaint(1))

    def test_a_program_that_ends_early_fails_even_if_all_its_results_are_ok(self):
        self.assertIn('planned 3', self.read('1..3\nok 1\nok 2\n')[0].complaint(0))
        self.assertIn('no plan', self.read('ok 1\nok 2\n')[0].complaint(0))
        self.assertIn('no plan', self.read('')[0].complaint(0))

    def test_a_status_that_no_case_explains_is_a_failure(self):
        self.assertIn('status 3', self.read('ok 1\n1..1\n')[0].complaint(3))
        self.assertIn('status 1', self.read('not ok 1 - x # TODO later\n1..1\n')[0].complaint(1))
        self.assertIn('bailed out: no disk', self.read('ok 1\nBail out! no disk\n1..1\n')[0].complaint(0))

    def test_a_program_that_skips_all_cases_has_a_reason(self):
        reader, _ = self.read('1..0 # SKIP no such CPU\n')
        self.assertEqual((reader.skip_all, reader.complaint(0)), ('no such CPU', None))

    def test_lines_that_resemble_results_are_ignored(self):
        self.assertEqual(self.read('okay\nnot okay\nok1\n# ok 1\n ok 1\n')[1], [])

    def test_the_stream_of_a_suite_is_numbered_and_counted(self):
        written = []
        writer = tap.Writer(written.append)
        for ok, name in ((True, 'a'), (False, 'b'), (True, 'c # SKIP x'), (False, 'd # TODO y')):
            writer.result(ok, name)
        writer.end()
        self.assertEqual(''.join(written), 'ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP x\nnot ok 4 - d # TODO y\n1..4\n')
        self.assertEqual((writer.passed, writer.failed, writer.skipped), (2, 1, 1))

    def test_a_skipped_case_is_no_failure(self):
        written = []
        reader, results = self.read('not ok 1 # SKIP a_case\n1..1\n')
        tap.Writer(written.append).result(*results[0])
        self.assertEqual((''.join(written), reader.failed), ('ok 1 - # SKIP a_case\n', 0))


class Archive(unittest.TestCase):
    """The guest's root archive, and the files and modules in it."""

    def test_cpio_unpacks_the_archive(self):
        data = bytes(range(256)) * 5 + b'x'
        buffer = io.BytesIO()
        packed = cpio.Cpio(buffer)
        packed.add('/deep/er/file name', data, 0o750)
        packed.add('/empty', b'')
        packed.end()
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(['cpio', '-idm', '--quiet'], input=buffer.getvalue(), cwd=folder, check=True)
            except FileNotFoundError:
                self.skipTest('no cpio to compare with')
            file = pathlib.Path(folder) / 'deep/er/file name'
            self.assertEqual(file.read_bytes(), data)
            self.assertEqual(file.stat().st_mode & 0o777, 0o750)
            self.assertEqual((pathlib.Path(folder) / 'empty').read_bytes(), b'')

    def test_modules_follow_their_dependencies_and_replacements_have_precedence(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in (('stock/x/kvm-amd.ko', b'\0depends=kvm,ccp\0'),
                               ('stock/kvm.ko', b'\0depends=irqbypass\0'),
                               ('stock/ccp.ko', b'\0depends=\0'), ('stock/irqbypass.ko', b'\0depends=\0'),
                               ('stock/other.ko', b'\0depends=\0'), ('mine/kvm.ko', b'mine\0depends=irqbypass\0')):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(text)
            order = modules.load_order(modules.index(root / 'stock'), modules.index(root / 'mine'))
            self.assertEqual([name for name, _ in order], ['irqbypass.ko', 'kvm.ko', 'ccp.ko', 'kvm_amd.ko'])
            self.assertTrue(order[1][1].startswith(b'mine'))
            with self.assertRaises(RigError):
                modules.load_order({}, modules.index(root / 'mine'))
            # If the driver of the virtio port of the rig's agent is a module, it is loaded first.
            (root / 'stock/virtio_console.ko').write_bytes(b'\0depends=virtio\0')
            (root / 'stock/virtio.ko').write_bytes(b'\0depends=\0')
            order = modules.load_order(modules.index(root / 'stock'), {})
            self.assertEqual([name for name, _ in order[:2]], ['virtio.ko', 'virtio_console.ko'])

    def test_the_libraries_of_a_dynamic_program_include_its_loader(self):
        found = libraries.needed(os.path.realpath('/proc/self/exe'))
        self.assertTrue(any('libc.so' in path for path in found), found)
        self.assertTrue(any('ld-linux' in path for path in found), found)
        self.assertTrue(all(os.path.exists(path) for path in found))

    def test_the_libraries_of_unpacked_packages_are_found_among_them(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            with self.assertRaises(RigError):
                libraries.needed_below(root, 'usr/bin/program')
            place = root / 'lib/x86_64-linux-gnu'
            place.mkdir(parents=True)
            for path in libraries.needed('/usr/bin/env'):
                (place / os.path.basename(path)).write_bytes(pathlib.Path(path).read_bytes())
                (place / os.path.basename(path)).chmod(0o755)
            (root / 'bin').mkdir()
            (root / 'bin/env').write_bytes(pathlib.Path('/usr/bin/env').read_bytes())
            found = libraries.needed_below(root, 'bin/env')
            self.assertEqual(found[:2], ['bin/env', 'lib64/ld-linux-x86-64.so.2'])
            self.assertIn('lib/x86_64-linux-gnu/libc.so.6', found)
            (place / 'libc.so.6').unlink()
            with self.assertRaises(RigError):
                libraries.needed_below(root, 'bin/env')


class Cache(unittest.TestCase):
    """Parts of the cache are complete or absent."""

    def test_an_interrupted_part_leaves_no_files_and_the_old_one_stays(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, VSM_RIG_CACHE=folder):
            with cache.publish('thing') as new:
                (new / 'file').write_text('old')
            with self.assertRaises(KeyboardInterrupt), cache.publish('thing') as new:
                (new / 'file').write_text('half')
                raise KeyboardInterrupt
            self.assertEqual(os.listdir(folder), ['thing'])
            self.assertEqual((pathlib.Path(folder) / 'thing/file').read_text(), 'old')
            with cache.publish('thing') as new:
                (new / 'file').write_text('new')
            self.assertEqual((pathlib.Path(folder) / 'thing/file').read_text(), 'new')


class Host(unittest.TestCase):
    """Whether a host's own KVM is sufficient."""

    def obstacle(self, flags, loaded, device=True):
        """native.obstacle() for a simulated host."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for part in ('proc/sys/vm', 'dev'):
                (root / part).mkdir(parents=True)
            for module in loaded:
                (root / 'sys/module' / module).mkdir(parents=True)
            (root / 'proc/cpuinfo').write_text(f'processor\t: 0\nflags\t\t: fpu {flags} vme\n')
            (root / 'proc/sys/vm/unprivileged_userfaultfd').write_text('1\n')
            if device:
                (root / 'dev/kvm').touch()
            return native.obstacle(root)

    def test_a_host_with_svm_or_vmx_and_its_module_runs_natively(self):
        self.assertIsNone(self.obstacle('svm', ['kvm', 'kvm_amd']))
        self.assertIsNone(self.obstacle('vmx', ['kvm', 'kvm_intel']))

    def test_a_host_without_svm_and_vmx_does_not_run_natively(self):
        self.assertIn('neither', self.obstacle('lm', ['kvm']))

    def test_kvm_pvm_is_not_accepted(self):
        self.assertIn('belongs to kvm_pvm', self.obstacle('vmx', ['kvm', 'kvm_pvm']))
        self.assertIn('belongs to kvm_pvm', self.obstacle('svm', ['kvm', 'kvm_amd', 'kvm_pvm']))
        self.assertIn('kvm_pvm', self.obstacle('lm', ['kvm', 'kvm_pvm']))

    def test_a_module_for_the_other_vendor_is_not_accepted(self):
        self.assertIn('does not belong to kvm_amd', self.obstacle('svm', ['kvm', 'kvm_intel']))

    def test_a_host_without_the_device_does_not_run_natively(self):
        self.assertIn('/dev/kvm', self.obstacle('svm', ['kvm', 'kvm_amd'], device=False))


class CommandLine(unittest.TestCase):
    """Parsing of command lines."""

    def test_the_command_begins_after_the_first_double_dash(self):
        parsed = options.parse_run(['--cpus', '3', '--mem', '2G', '--get', 'a:b', '--', 'x', '--cpus', '--', 'y'])
        self.assertEqual(parsed.command, ['x', '--cpus', '--', 'y'])
        self.assertEqual((parsed.cpus, parsed.mem, parsed.get), (3, 2048, [('a', 'b')]))

    def test_a_suite_has_names_times_and_commands(self):
        parsed = options.parse_suite(['--timeout', '9', '--', 'a', './p q', 'r', '--', 'b:70', 's'])
        self.assertEqual(parsed.tests, [('a', 9, ['./p q', 'r']), ('b', 70, ['s'])])

    def test_wrong_usage_ends_with_the_status_of_the_rig(self):
        for parse, words in ((options.parse_run, ['--cpus', '0', '--', 'x']), (options.parse_run, ['x']),
                             (options.parse_run, ['--mem', '1T', '--', 'x']), (options.parse_suite, ['--', 'a']),
                             (options.parse_suite, [])):
            with self.assertRaises(SystemExit) as raised, mock.patch('sys.stderr', io.StringIO()), \
                    mock.patch('sys.stdout', io.StringIO()):
                parse(words)
            self.assertEqual(raised.exception.code, options.RIG_FAILED, words)


class LostGuest(unittest.TestCase):
    """A guest that ends during a program."""

    def test_a_guest_that_ends_is_a_failure_at_once(self):
        written = []
        for reason in ('its kernel panicked', 'QEMU was ended by signal 11'):
            where = mock.Mock(**{'run.side_effect': guest.GuestLost(reason)})
            with tempfile.TemporaryDirectory() as logs, mock.patch.object(suite, 'say'), \
                    mock.patch.object(suite, 'write', written.append):
                suite.Suite(options.parse_suite(['--logs', logs, '--', 'p', 'true'])).one(where, 'p', 9, ['true'])
            self.assertIn(f'not ok 1 - p: {reason}', ''.join(written))
            self.assertEqual((where.run.call_count, where.stop.call_count), (1, 1))

    def test_an_emulator_has_the_environment_except_settings_that_fill_freed_memory(self):
        with mock.patch.dict(os.environ, {'MALLOC_PERTURB_': '218', 'VSM_MARK': 'x'}):
            environment = qemu.Qemu('/bin/true').environment
        self.assertEqual(environment.get('VSM_MARK'), 'x')
        self.assertNotIn('MALLOC_PERTURB_', environment)

    def test_the_end_of_an_emulator_is_reported_with_its_signal_or_status(self):
        for command, reason in (('kill -SEGV $$', 'QEMU was ended by signal 11'), ('exit 3', 'QEMU failed with status 3'),
                                ('exit 0', 'it powered itself off')):
            lost = mock.Mock(spec=guest.Guest, console_lines=lambda: [], emulator=mock.Mock(failure=lambda: None))
            lost.emulator.name = 'QEMU'
            lost._ending = lambda lost=lost: guest.Guest._ending(lost)
            lost._lost = lambda kind, what: kind(what)
            with subprocess.Popen(['sh', '-c', command]) as lost.process:
                self.assertIn(reason, str(guest.Guest._gone(lost, 'it')), command)


class Demonstration(unittest.TestCase):
    """What the demonstration prints about attacks that are left."""

    def test_it_names_the_engine_in_use_and_what_this_engine_lacks(self):
        attacks = tuple(linux_vsm.NEEDS)
        for engine, left, text in (
                ('auto', attacks, 'engine uffd cannot deny execution alone, and cannot intercept register writes; '),
                ('uffd', attacks, 'engine uffd cannot deny execution alone, and cannot intercept register writes; '),
                ('auto', attacks[1:], 'engine attr cannot intercept register writes; '),
                ('attr', attacks[1:], 'engine attr cannot intercept register writes; '),
                ('nested', attacks[:1], 'engine nested cannot deny execution alone.')):
            wanted = text + ('' if engine == 'nested' else '`build-aux/demo --engine nested` can on AMD.')
            self.assertEqual(linux_vsm.lacking(engine, left), wanted)


tapcase.main()
