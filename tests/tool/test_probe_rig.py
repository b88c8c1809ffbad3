#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm probe --json` inside the rig: another host, another answer. Usage: test_probe_rig.py RIG VSM STATIC SCHEMA

RIG is rig/run. VSM runs here, STATIC (the same program without shared libraries) runs there.
"""
import json
import re
import subprocess
import sys

import report
from tap import run

RIG, VSM, STATIC, SCHEMA = sys.argv[1:]


def rig(*options, command=('./vsm', 'probe', '--json')):
    return subprocess.run([RIG, '--rig', '--cpus', '1', '--timeout', '200', '--file', f'{STATIC}:vsm', *options, '--',
                           *command], stdout=subprocess.PIPE, text=True, timeout=900, check=False)


def the_rig():
    """What the probe said inside; asked once."""
    if not KEPT:
        KEPT.append(rig())
    return KEPT[0]


KEPT = []


def inside():
    return json.loads(the_rig().stdout)


def status_of(report_, name):
    return next(finding['status'] for finding in report_['findings'] if finding['id'] == name)


def in_the_rig_all_that_is_needed_is_here():
    got = the_rig()
    there = inside()
    lacking = [f"{f['id']}: {f['found']}" for f in there['findings'] if f['status'] != 'ok' and f['need'] != 'optional']
    assert got.returncode == 0 and not lacking, (got.returncode, lacking)
    assert there['verdict'] == {'status': 0, 'name': 'ready', 'engine': 'uffd'}, there['verdict']
    assert report.verdict_of(there) == 0


def the_rig_is_a_nested_svm_host():
    host = inside()['host']
    assert host['svm'] and not host['vmx'] and host['nested'] and host['kvm'] == 'svm', host
    assert host['cpu_vendor'] == 'AuthenticAMD' and host['cpus'] == 1 and host['uid'] == 0, host
    assert re.match(r'6\.(12|1[3-9]|[2-9]\d)\.|[7-9]\.', host['kernel']), host
    assert host['hypervisor'] and 'TCGTCGTCGTCG' in host['hypervisor'], host


def every_self_test_passes_on_svm():
    live = {f['id']: f['status'] for f in inside()['findings'] if f['id'].startswith('live.')}
    assert len(live) >= 13 and set(live.values()) == {'ok'}, live


def the_report_from_the_rig_validates_too():
    assert not report.schema_errors(inside(), SCHEMA)


def this_host_gets_another_answer():
    here = subprocess.run([VSM, 'probe', '--json'], stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    mine, there = json.loads(here.stdout), inside()
    # What a self-test sees depends on the host; that these are two hosts shows in any case.
    assert mine['host']['hypervisor'] != there['host']['hypervisor'], mine['host']
    assert [f['id'] for f in mine['findings']] == [f['id'] for f in there['findings']]
    if mine['host']['kvm'] != 'svm':
        assert mine['host']['kvm'] != there['host']['kvm']
        assert status_of(mine, 'host.kvm_kind') == 'ok' or mine['verdict']['status'] > there['verdict']['status'], mine


def without_dev_kvm_the_rig_cannot_run_vsm():
    got = rig(command=('/bin/busybox', 'sh', '-c', 'rm /dev/kvm && ./vsm probe --json'))
    there = json.loads(got.stdout)
    assert got.returncode == 2 == there['verdict']['status'] == report.verdict_of(there), got.returncode
    device = next(f for f in there['findings'] if f['id'] == 'kvm.device')
    assert device['status'] == 'missing' and 'modprobe kvm_amd' in device['remedy'], device
    assert status_of(there, 'live.no_write') == 'unknown'


run([in_the_rig_all_that_is_needed_is_here, the_rig_is_a_nested_svm_host, every_self_test_passes_on_svm,
     the_report_from_the_rig_validates_too, this_host_gets_another_answer, without_dev_kvm_the_rig_cannot_run_vsm])
