#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm probe --json` inside the rig, compared with this host. Usage: test_probe_rig.py RIG VSM STATIC SCHEMA

RIG is rig/run. VSM runs on this host, STATIC (the same program without shared libraries) in the rig.
"""
import functools
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import report
import tapcase

RIG, VSM, STATIC, SCHEMA = sys.argv[1:]
del sys.argv[1:]  # the remaining arguments are the tests to run


def rig(*options, command=('./vsm', 'probe', '--json')):
    return subprocess.run([RIG, '--rig', '--cpus', '1', '--timeout', '200', '--file', f'{STATIC}:vsm', *options, '--',
                           *command], stdout=subprocess.PIPE, text=True, timeout=2400, check=False)


@functools.cache
def the_rig():
    """Runs the probe once."""
    return rig()


def inside():
    return json.loads(the_rig().stdout)


def status_of(report_, name):
    return next(finding['status'] for finding in report_['findings'] if finding['id'] == name)


def self_tests(report_):
    return {finding['id']: finding['status'] for finding in report_['findings'] if finding['id'].startswith('live.')}


class InTheRig(unittest.TestCase):

    def test_the_rig_has_every_required_item(self):
        got = the_rig()
        there = inside()
        lacking = [f"{f['id']}: {f['found']}" for f in there['findings'] if f['status'] != 'ok' and f['need'] != 'optional']
        assert got.returncode == 0 and not lacking, (got.returncode, lacking)
        assert there['verdict'] == {'status': 0, 'name': 'ready', 'engine': 'uffd'}, there['verdict']
        assert report.verdict_of(there) == 0

    def test_the_rig_is_a_nested_svm_host(self):
        host = inside()['host']
        assert host['svm'] and not host['vmx'] and host['nested'] and host['kvm'] == 'svm', host
        assert host['cpu_vendor'] == 'AuthenticAMD' and host['cpus'] == 1 and host['uid'] == 0, host
        assert re.match(r'6\.(12|1[3-9]|[2-9]\d)\.|[7-9]\.', host['kernel']), host
        assert host['hypervisor'] and 'TCGTCGTCGTCG' in host['hypervisor'], host

    def test_every_self_test_passes_on_svm(self):
        live = self_tests(inside())
        assert live.pop('live.restrictions') == 'missing', 'a stock KVM has no restrictions'
        assert len(live) >= 13 and set(live.values()) == {'ok'}, live

    def test_under_load_no_available_item_is_missing(self):
        """With twelve programs that use the only processor a self-test passes or is reported as busy."""
        got = rig(command=('/bin/busybox', 'sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do '
                           "/bin/busybox sh -c 'while :; do :; done' & done; ./vsm probe --json --timeout 3"))
        live = self_tests(json.loads(got.stdout))
        assert live.pop('live.restrictions') in ('missing', 'busy') and set(live.values()) <= {'ok', 'busy'}, live

    def test_with_the_kernel_part_every_self_test_passes_and_engine_attr_is_ready(self):
        got = rig('--blocks')
        there = json.loads(got.stdout)
        assert got.returncode == 0 and there['verdict'] == {'status': 0, 'name': 'ready', 'engine': 'attr'}, there['verdict']
        assert set(self_tests(there).values()) == {'ok'}, self_tests(there)
        for block in 'memory_attributes', 'register_exits', 'shared_fpu':
            assert status_of(there, 'kvm.' + block) == 'ok', block
        assert report.verdict_of(there) == 0 and not report.schema_errors(there, SCHEMA)

    def test_the_report_from_the_rig_validates(self):
        assert not report.schema_errors(inside(), SCHEMA)

    def test_the_report_of_this_host_differs(self):
        here = subprocess.run([VSM, 'probe', '--json'], stdout=subprocess.PIPE, text=True, timeout=300, check=False)
        mine, there = json.loads(here.stdout), inside()
        # The results of self-tests depend on the host, but the two reports always differ.
        assert mine['host']['hypervisor'] != there['host']['hypervisor'], mine['host']
        assert [f['id'] for f in mine['findings']] == [f['id'] for f in there['findings']]
        if mine['host']['kvm'] != 'svm':
            assert mine['host']['kvm'] != there['host']['kvm']
            assert status_of(mine, 'host.kvm_kind') == 'ok' or mine['verdict']['status'] > there['verdict']['status'], mine

    def test_without_dev_kvm_the_rig_cannot_run_vsm(self):
        got = rig(command=('/bin/busybox', 'sh', '-c', 'rm /dev/kvm && ./vsm probe --json'))
        there = json.loads(got.stdout)
        assert got.returncode == 2 == there['verdict']['status'] == report.verdict_of(there), got.returncode
        device = next(f for f in there['findings'] if f['id'] == 'kvm.device')
        assert device['status'] == 'missing' and 'modprobe kvm_amd' in device['remedy'], device
        assert status_of(there, 'live.no_write') == 'unknown'


tapcase.main()
