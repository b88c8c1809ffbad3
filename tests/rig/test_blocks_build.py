#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""kernel/build refuses inputs that it cannot build, with the reason, and keeps the old result."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import tapcase  # noqa: E402 pylint: disable=wrong-import-position

KERNEL = pathlib.Path(__file__).resolve().parents[2] / 'kernel'

SERIES = sorted(path.name[len('hooks.'):-len('.count')] for path in KERNEL.glob('hooks.*.count'))

# Replacements of spatch: no rule matches, and every rule matches.
SPATCH = '#!/bin/sh\nexec cp "$4" "$6"\n'
SPATCH_ALL = '''#!/bin/sh
while read -r file name count; do
	case $4 in */"$file") yes "$name" | head -n "$count" ;; esac
done < "${3%/*}/hooks.6.12.count" > "$6"
'''
MAKE = '''#!/bin/sh
for word; do case $word in M=*) tree=${word#M=} ;; esac; done
for name in kvm kvm-amd kvm-intel; do head -c 1M /dev/zero > "$tree/$name.ko" || exit 1; done
'''


class Build(unittest.TestCase):
    """Fake headers and a fake source of one version, and an old result."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='vsm-build-')))
        self.tools = self.folder / 'bin'
        self.tools.mkdir()
        self.out = self.folder / 'out'
        self.out.mkdir()
        (self.out / 'release').write_text('old\n')
        self.headers = self.folder / 'headers'
        self.source = self.folder / 'source'

    @staticmethod
    def counts(series):
        """The lines of a file of counts, split into words."""
        return [line.split() for line in (KERNEL / f'hooks.{series}.count').read_text().splitlines()]

    def make(self, release, version):
        """Creates the fake headers and source."""
        (self.headers / 'include/config').mkdir(parents=True, exist_ok=True)
        (self.headers / 'include/config/kernel.release').write_text(release + '\n')
        hooked = [words[0] for series in SERIES for words in self.counts(series)]
        for name in (*hooked, 'arch/x86/kvm/Makefile'):
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('')
        numbers = zip(('VERSION', 'PATCHLEVEL', 'SUBLEVEL'), version.split('.'))
        (self.source / 'Makefile').write_text(''.join(f'{name} = {number}\n' for name, number in numbers))
        self.tool('spatch', SPATCH)

    def tool(self, name, text):
        """Creates a tool that PATH finds before the host's."""
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def refuses(self, text, *words, path=None):
        """Checks that kernel/build fails with `text`, and that the old result is unchanged."""
        environment = dict(os.environ, PATH=path or f'{self.tools}:{os.environ["PATH"]}')
        done = subprocess.run([str(KERNEL / 'build'), '--out', str(self.out), *map(str, words)], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual((self.out / 'release').read_text(), 'old\n')
        self.assertEqual(sorted(path.name for path in self.folder.iterdir() if path.name.startswith('.')), [])
        return done.stderr

    def both(self):
        """The options that name the fakes."""
        return '--headers', self.headers, '--source', self.source

    def test_kernel_build_refuses_unknown_options(self):
        self.refuses("unknown option '--fast'", '--fast')

    def test_kernel_build_needs_source_and_headers_of_one_kernel(self):
        self.refuses('--source needs --headers', '--source', self.source)
        self.refuses('leave out --headers', '--series', '6.12', '--headers', self.headers)

    def test_without_spatch_kernel_build_names_the_package(self):
        for tool in ('bash', 'dirname', 'ls', 'sh'):
            (self.tools / tool).symlink_to(f'/bin/{tool}' if tool != 'dirname' else '/usr/bin/dirname')
        self.refuses('install the package coccinelle', path=str(self.tools))

    def test_without_headers_kernel_build_names_the_package(self):
        self.make('6.12.5-test', '6.12.5')
        self.refuses('has no kernel headers: install linux-headers-', '--headers', self.folder / 'none', '--source', self.source)

    def test_without_a_source_kernel_build_names_the_package(self):
        self.make('6.12.5-test', '6.12.5')
        self.refuses(f'there is no {self.folder}/none: install linux-source-6.12', '--headers', self.headers, '--source', self.folder / 'none')

    def test_a_folder_without_kvm_is_no_source(self):
        self.make('6.12.5-test', '6.12.5')
        self.refuses('has no Makefile', '--headers', self.headers, '--source', self.headers)

    def test_a_source_of_another_version_is_refused(self):
        self.make('6.12.51-test', '6.12.5')
        self.refuses('the source is of Linux 6.12.5, the headers are of 6.12.51-test', *self.both())

    def test_an_unsupported_series_is_refused_with_the_supported_ones(self):
        for release, version in (('6.13.5-test', '6.13.5'), ('7.4.1+deb13-amd64', '7.4.1'), ('6.120.1-test', '6.120.1')):
            self.make(release, version)
            self.refuses(f'this is Linux {release}; the hooks are for {" ".join(SERIES)}', *self.both())
        self.refuses(f'there are no hooks for Linux 6.1; they are for {" ".join(SERIES)}', '--series', '6.1')

    def test_a_malformed_version_is_refused(self):
        self.make('mainline', '6.12.5')
        self.refuses('headers of an unknown version: mainline', *self.both())

    def test_the_source_of_the_series_is_the_default(self):
        for series in SERIES:
            self.make(f'{series}.77777-test', f'{series}.77777')
            self.refuses(f'/usr/src/linux-source-{series}.tar.xz', '--headers', self.headers)

    def test_hooks_without_a_match_are_reported_with_their_counts(self):
        for series in SERIES:
            self.make(f'{series}.5+deb13-amd64', f'{series}.5')
            said = self.refuses('hooks that do not fit this kernel', *self.both())
            for path, name, count in self.counts(series):
                self.assertIn(f'{path}: {name} is there 0 times, not {count}', said)

    def test_dkms_builds_only_for_the_series_of_the_hooks(self):
        pattern = re.search('^BUILD_EXCLUSIVE_KERNEL="(.*)"', (KERNEL / 'dkms.conf').read_text(), re.M).group(1)
        for series in (*SERIES, '6.1', '6.13', '6.120', '7.4', '17.3'):
            self.assertEqual(re.match(pattern, f'{series}.5-amd64') is not None, series in SERIES, series)

    def test_a_folder_that_is_not_of_an_earlier_build_is_not_replaced(self):
        self.make('6.12.5-test', '6.12.5')
        precious = self.folder / 'precious'
        precious.mkdir()
        (precious / 'file').write_text('')
        self.refuses('not of an earlier build', '--out', precious, *self.both())
        self.assertTrue((precious / 'file').exists())

    def on_a_disk_of(self, size, words, tmpdir='/tmp'):
        """Builds on a disk of that size with an old result. Returns the output, and the files on the disk after it."""
        self.make('6.12.5-test', '6.12.5')
        self.tool('spatch', SPATCH_ALL)
        self.tool('make', MAKE)
        self.tool('strip', '#!/bin/sh\n')
        disk = self.folder / 'disk'
        disk.mkdir()
        script = (f'mount -t tmpfs -o size={size} tmpfs "{disk}" || exit 77; cd "{disk}"; mkdir out; echo old > out/release; '
                  f'"{KERNEL}/build" {words} --headers "{self.headers}" --source "{self.source}"; echo "status $?"; '
                  'find . -type f; cat out/release')
        done = subprocess.run(['unshare', '--map-root-user', '--mount', 'sh', '-c', script], stdin=subprocess.DEVNULL,
                              env=dict(os.environ, TMPDIR=tmpdir.format(disk=disk), PATH=f'{self.tools}:{os.environ["PATH"]}'),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 77 or done.stdout.startswith('unshare:'):
            self.skipTest('this host does not let us mount: ' + done.stdout.strip())
        return done.stdout

    def test_a_full_disk_keeps_the_old_modules(self):
        said = self.on_a_disk_of('2M', '--out out')
        self.assertIn('cannot write to .: what was in out stays as it was', said)
        self.assertTrue(said.endswith('status 1\n./out/release\nold\n'), said)

    def test_a_large_enough_disk_has_the_new_modules(self):
        said = self.on_a_disk_of('8M', '--out out')
        self.assertIn('in out fit Linux 6.12.5-test, and no other', said)
        files = sorted(said.partition('status 0\n')[2].splitlines())
        self.assertEqual(files, ['./out/kvm-amd.ko', './out/kvm-intel.ko', './out/kvm.ko', './out/release', '6.12.5-test'])

    def test_a_lack_of_disk_space_to_build_is_reported_first(self):
        said = self.on_a_disk_of('8M', '--out out', '{disk}')
        self.assertIn('MB left of the', said)
        self.assertIn('set TMPDIR to another folder', said)
        self.assertNotIn('hooks', said)
        self.assertTrue(said.endswith('status 1\n./out/release\nold\n'), said)


tapcase.main()
