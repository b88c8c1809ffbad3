#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm probe --json` on this host. Usage: test_probe_json.py VSM SCHEMA PAGE"""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import report
import tapcase

VSM, SCHEMA, PAGE = sys.argv[1:]
del sys.argv[1:]  # the remaining arguments are the tests to run


def probe(*options):
    got = subprocess.run([VSM, 'probe', *options], capture_output=True, text=True, timeout=300, check=False)
    assert got.returncode in (0, 1, 2) and not got.stderr, got
    return got.returncode, got.stdout


STATUS, TEXT = probe('--json')
HERE = json.loads(TEXT)


class Report(unittest.TestCase):

    def test_the_json_validates_against_the_schema(self):
        assert not report.schema_errors(HERE, SCHEMA)
        assert not report.schema_errors(json.loads(probe('--json', '--no-live')[1]), SCHEMA)

    def test_the_schema_refuses_invalid_reports(self):
        for broken in report.broken_copies(HERE):
            assert report.schema_errors(broken, SCHEMA), broken

    def test_the_exit_status_follows_from_the_findings(self):
        assert HERE['verdict']['status'] == STATUS == report.verdict_of(HERE)

    def test_the_report_describes_this_host(self):
        host = HERE['host']
        assert host['kernel'] == platform.release()
        assert host['uid'] == os.geteuid()
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
            text = file.read()
        flags = re.search(r'^flags\s*:(.*)$', text, re.M).group(1).split()
        assert (host['vmx'], host['svm'], host['nested']) == tuple(f in flags for f in ('vmx', 'svm', 'hypervisor'))
        assert host['cpus'] == len(re.findall(r'^processor\s*:', text, re.M))
        assert host['memory'] == int(re.search(r'MemTotal:\s*(\d+)', open('/proc/meminfo', encoding='ascii').read())[1]) << 10
        if os.path.isdir('/sys/module/kvm_pvm') and not host['vmx'] and not host['svm']:
            assert host['kvm'] == 'pvm'

    def test_ids_are_unique(self):
        ids = [finding['id'] for finding in HERE['findings']]
        assert len(ids) == len(set(ids))

    def test_the_page_has_the_table_of_the_program(self):
        status, items = probe('--items')
        assert status == 0
        with open(PAGE, encoding='utf-8') as file:
            assert items in file.read(), 'docs/probe.md: insert the output of `vsm probe --items`'
        for finding in HERE['findings']:
            assert f"`{finding['id']}`" in items

    def test_what_the_backend_requires_is_required(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        backend = (root / 'src/backend/kvm/host/capability.c').read_text(encoding='utf-8')
        rows = (root / 'tool/probe/items_kvm.c').read_text(encoding='utf-8')
        needed = set(re.findall(r'\{(KVM_CAP_\w+), \w+, NEEDED', backend))
        required = set(re.findall(r'(KVM_CAP_\w+),[^"]*PROBE_REQUIRED', rows))
        assert len(needed) > 8 and needed <= required, needed - required


tapcase.main()
