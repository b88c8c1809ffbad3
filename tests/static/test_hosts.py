# SPDX-License-Identifier: BSD-2-Clause
"""build-aux/hosts: the table of tested hosts matches the results."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/rig'))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import tapcase

loader = importlib.machinery.SourceFileLoader('hosts', str(ROOT / 'build-aux/hosts'))
hosts = importlib.util.module_from_spec(importlib.util.spec_from_loader('hosts', loader))
loader.exec_module(hosts)

PAGE = f'before\n{hosts.BEGIN}old\n{hosts.END}after\n'


def report(kernel, engine, verdict='ready', missing=()):
    """What build-aux/hosts reads of `vsm probe --json`."""
    names = {name for column in hosts.COLUMNS for name in column[1:]}
    return json.dumps({
        'verdict': {'engine': engine, 'name': verdict},
        'host': {'kernel': kernel, 'cpu_vendor': 'AuthenticAMD', 'hypervisor': 'TCGTCGTCGTCG'},
        'findings': [{'id': name, 'status': 'missing' if name in missing else 'ok'} for name in sorted(names)] +
                    [{'id': 'other', 'status': 'ok'}]}, indent=2)


class Hosts(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.root / 'docs').mkdir()
        (self.root / 'docs/hosts.md').write_text(PAGE)

    def logs(self, name, probe, **programs):
        """As of rig/suite."""
        folder = self.root / name
        folder.mkdir()
        (folder / 'probe.log').write_text(f'{probe}\n1..1\nok 1 - vsm probe\n')
        for program, text in programs.items():
            (folder / f'{program}.log').write_text(text)
        return str(folder)

    def run_hosts(self, *words):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            return hosts.main(list(words), self.root), said.getvalue()

    def rows(self):
        """Lists of cells."""
        text = (self.root / 'docs/hosts.md').read_text()
        self.assertTrue(text.startswith('before\n') and text.endswith('after\n'), text)
        return [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines() if line.startswith('|')][2:]

    def test_the_page_of_this_tree_matches_its_results(self):
        self.assertEqual(hosts.main(['--check']), 0)

    def test_a_row_has_the_results_of_the_self_tests_of_its_engine(self):
        stock = ('live.restrictions', 'kvm.register_exits')
        uffd = self.logs('uffd', report('6.12.9-x', 'uffd', missing=stock), a='1..2\nok 1 - a\nok 2 - b # SKIP no b\n')
        attr = self.logs('attr', report('6.12.9-x', 'attr', missing=('live.no_write',)), a='1..1\nok 1\n', b='1..1\nnot ok 1 - c\n')
        newer = self.logs('newer', report('6.101.1-x', 'uffd', missing=(*stock, 'live.no_access')))
        self.assertEqual(self.run_hosts(newer, uffd, attr), (0, ''))
        self.assertEqual(self.rows(), [
            ['6.12.9-x', 'AMD, QEMU', 'attr', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'yes', 'no', '2 / 1 / 0'],
            ['6.12.9-x', 'AMD, QEMU', 'uffd', 'yes', 'yes', 'no', 'yes', 'yes', 'no', 'yes', 'no', '2 / 0 / 1'],
            ['6.101.1-x', 'AMD, QEMU', 'uffd', 'yes', 'no', 'no', 'yes', 'yes', 'no', 'yes', 'no', '1 / 0 / 0']])
        self.assertEqual(self.run_hosts('--check'), (0, ''))

    def test_a_host_on_which_nothing_runs_enforces_nothing(self):
        self.assertEqual(self.run_hosts(self.logs('old', report('6.1.0', 'none', 'unable'))), (0, ''))
        self.assertEqual(self.rows()[0][3:], ['refused'] * (len(hosts.COLUMNS) + 1) + ['1 / 0 / 0'])

    def test_mbec_has_the_result_of_its_guest_tests(self):
        good, skipped, bad = '1..2\nok 1 - a\nok 2 - b # SKIP one VP\n', '1..0 # SKIP no MBEC\n', '1..2\nok 1 - a\nnot ok 2 - b\n'
        for name, first, second, shown in (('1', good, good, 'yes'), ('2', skipped, skipped, 'no'), ('3', good, bad, 'no')):
            logs = self.logs(name, report(f'6.{name}.9', 'attr'), mbec_1=first, mbec_2=second)
            self.assertEqual(self.run_hosts(logs), (0, ''))
            self.assertEqual(self.rows()[-1][-2], shown)

    def test_a_program_that_ended_early_is_a_failure(self):
        logs = self.logs('short', report('6.12.9', 'uffd'), a='1..3\nok 1\n', b='ok 1\n', c='1..1\nBail out! no\n')
        self.assertEqual(self.run_hosts('--cpu', 'mine', logs), (0, ''))
        self.assertEqual((self.rows()[0][1], self.rows()[0][-1]), ('mine', '3 / 3 / 0'))

    def test_invalid_results_are_reported(self):
        (self.root / 'empty').mkdir()
        status, said = self.run_hosts(str(self.root / 'empty'))
        self.assertTrue(status == 1 and 'no log of a program `probe`' in said, said)
        status, said = self.run_hosts(self.logs('odd', 'no report'))
        self.assertTrue(status == 1 and 'no report of `vsm probe --json`' in said, said)
        status, said = self.run_hosts('--check')
        self.assertTrue(status == 1 and 'does not match docs/hosts/' in said, said)


tapcase.main()
