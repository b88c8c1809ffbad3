# SPDX-License-Identifier: BSD-2-Clause
"""build-aux/native: an unsuitable host is refused before anything is built, and the report has the properties of the host that
results depend on."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/rig'))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import tapcase

loader = importlib.machinery.SourceFileLoader('native_report', str(ROOT / 'build-aux/native'))
native = importlib.util.module_from_spec(importlib.util.spec_from_loader('native_report', loader))
loader.exec_module(native)

CPUINFO = '''processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 198
model name\t: A CPU
stepping\t: 2
microcode\t: 0x11
flags\t\t: fpu lm {flags}
vmx flags\t: ept ept_mode_based_exec

processor\t: 1
vendor_id\t: other
'''


class Tools:
    """Given logs instead of a build and its tests."""

    def __init__(self, folder, attr='missing', built=True, logs=None):
        self.folder, self.attr, self.built, self.ran = folder, attr, built, []
        self.logs = {'program.log': '1..2\nok 1 - a\nok 2 - b # SKIP no b\n'} if logs is None else logs

    def prepare(self):
        """As in native.Tools."""
        return self.built

    def probe(self):
        """As in native.Tools."""
        return {'verdict': {'engine': 'uffd'}, 'findings': [{'id': 'kvm.memory_attributes', 'status': self.attr}]}

    def run(self, suite, logs):
        """As in native.Tools."""
        self.ran.append(suite)
        folder = self.folder / 'logs' / suite
        folder.mkdir(parents=True)
        for name, text in self.logs.items():
            (folder / name).write_text(text)
        assert logs
        return folder

    @staticmethod
    def version():
        """As in native.Tools."""
        return '0.1.0 test'


class Native(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.out = self.root / 'out/report.json'

    def host(self, flags='vmx', loaded=('kvm', 'kvm_intel'), nested='Y', device=True):
        """Files of /proc, /sys and /dev."""
        for path, text in {'proc/cpuinfo': CPUINFO.format(flags=flags), 'proc/sys/kernel/osrelease': '6.12.9-x\n',
                           'proc/sys/vm/unprivileged_userfaultfd': '1\n'}.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        for module in loaded:
            (self.root / 'sys/module' / module / 'parameters').mkdir(parents=True)
        if 'kvm_intel' in loaded:
            (self.root / 'sys/module/kvm_intel/parameters/nested').write_text(nested + '\n')
            (self.root / 'sys/module/kvm_intel/parameters/ept').write_text('Y\n')
            (self.root / 'sys/module/kvm_intel/version').write_text('1\n')
        if device:
            (self.root / 'dev').mkdir()
            (self.root / 'dev/kvm').write_text('')

    def run_it(self, **options):
        """Returns status, output, the report and the suites that ran."""
        tools = Tools(self.root, **options)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = native.main(['--out', str(self.out)], self.root, tools)
        return status, out.getvalue() + err.getvalue(), json.loads(self.out.read_text()) if self.out.exists() else None, tools.ran

    def refused(self, text, **options):
        """The only output is a refusal with `text`, and nothing was built or run."""
        with mock.patch.object(Tools, 'prepare', side_effect=AssertionError('the build was started')):
            status, said, report, ran = self.run_it(**options)
        self.assertEqual((status, report, ran), (native.REFUSED, None, []))
        self.assertEqual(len(said.splitlines()), 1)
        self.assertIn('check-native: refused: ' + text, said)

    def test_a_cpu_without_vmx_and_svm_is_refused(self):
        self.host(flags='')
        self.refused('the CPU offers neither SVM nor VMX')

    def test_kvm_pvm_is_refused(self):
        self.host(flags='', loaded=('kvm', 'kvm_pvm'))
        self.refused('/dev/kvm of this host belongs to kvm_pvm')

    def test_kvm_pvm_beside_kvm_intel_is_refused(self):
        self.host(loaded=('kvm', 'kvm_intel', 'kvm_pvm'))
        self.refused('/dev/kvm of this host belongs to kvm_pvm')

    def test_a_module_that_is_not_loaded_and_a_device_that_is_missing_are_refused(self):
        self.host(loaded=('kvm',), device=False)
        self.refused('/dev/kvm of this host does not belong to kvm_intel')
        (self.root / 'sys/module/kvm_intel').mkdir()
        self.refused('/dev/kvm is missing or closed')

    def test_a_build_that_fails_runs_nothing(self):
        self.host()
        status, said, report, ran = self.run_it(built=False)
        self.assertEqual((status, report, ran), (native.REFUSED, None, []))
        self.assertIn('the build failed', said)

    def test_the_report_has_the_processor_the_kernel_the_options_and_the_results(self):
        self.host()
        status, said, report, ran = self.run_it()
        self.assertEqual(status, 0)
        self.assertIn(f'attach {self.out}', said)
        host = report['host']
        self.assertEqual([host[name] for name in native.CPU_FIELDS],
                         ['GenuineIntel', '6', '198', 'A CPU', '2', '0x11'])
        self.assertEqual((host['kernel'], host['vmx flags'], host['virtual machine']),
                         ('6.12.9-x', 'ept ept_mode_based_exec', False))
        self.assertEqual(host['modules']['kvm_intel'], {'ept': 'Y', 'nested': 'Y', 'version of the kernel part': '1'})
        self.assertEqual(ran, ['programs', 'core', 'guest', 'secure_kernel', 'engine_nested'])
        self.assertEqual(report['suites']['programs'], {'programs': {'program': {'passed': 1, 'failed': 0, 'skipped': 1}}})
        self.assertIn('kernel part', report['suites']['native_attr']['skipped'])
        self.assertEqual(report['total'], {'passed': 5, 'failed': 0, 'skipped': 5})

    def test_a_virtual_machine_is_named_as_one(self):
        self.host(flags='vmx hypervisor')
        self.assertTrue(self.run_it()[2]['host']['virtual machine'])

    def test_the_suites_of_an_engine_run_where_the_host_has_it(self):
        self.host(nested='N')
        _, _, report, ran = self.run_it(attr='ok')
        self.assertIn('native_attr', ran)
        self.assertNotIn('engine_nested', ran)
        self.assertEqual(report['suites']['engine_nested'], {'skipped': 'nested=0 of kvm_intel or kvm_amd'})

    def test_a_failed_case_and_a_program_that_ended_early_are_in_the_report(self):
        self.host()
        status, said, report, _ = self.run_it(logs={'a.log': '1..2\nok 1 - x\nnot ok 2 - y\n', 'b.log': '1..3\nok 1 - z\n'})
        self.assertEqual(status, 1)
        self.assertIn('10 failed', said)
        results = report['suites']['core']['programs']
        self.assertEqual((results['a']['failed'], results['a']['cases']), (1, ['y']))
        self.assertEqual((results['b']['failed'], results['b']['end of the output']), (1, ['1..3', 'ok 1 - z']))

    def test_a_suite_that_leaves_no_result_is_a_failure(self):
        self.host()
        status, _, report, _ = self.run_it(logs={})
        self.assertEqual((status, report['total']['failed']), (1, 5))

    def test_native_suites_names_the_tests_and_log_folders_of_meson(self):
        text = (ROOT / 'tests/rig/meson.build').read_text()
        for suite, logs, _ in native.SUITES:
            self.assertRegex(text, rf"'{suite}'")
            self.assertIn(f"'{logs}'", text)


tapcase.main()
