#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm metrics` of a running machine, checked with the grammar of OpenMetrics 1.0. Usage: test_metrics.py VMM VSM KERNEL"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from sim_machine import TIMEOUT, Machine, wait_until

Machine.VMM, VSM, KERNEL = sys.argv[1:4]
del sys.argv[1:4]
SAMPLE = re.compile(r'^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (\d+)$')


def metrics(path, **arguments):
    return subprocess.run([VSM, 'metrics', path], capture_output=True, text=True, timeout=TIMEOUT, check=False, **arguments)


def parse(text):
    """Returns {(name, labels): value}."""
    lines = text.split('\n')
    assert lines[-2:] == ['# EOF', ''], lines[-2:]
    samples, kinds, described, current = {}, {}, set(), None
    for line in lines[:-2]:
        if line.startswith('# '):
            _, word, name, rest = line.split(' ', 3)
            if word == 'TYPE':
                assert name not in kinds, f'{name} is there twice'
                kinds[name], current = rest, name
            assert name == current, f'{word} of {name} below {current}'
            if word == 'HELP':
                described.add(name)
            if word == 'UNIT':
                assert name.endswith('_' + rest), line
            continue
        sample = SAMPLE.match(line)
        assert sample, f'no sample: {line!r}'
        suffix = {'counter': '_total', 'info': '_info', 'gauge': ''}[kinds[current]]
        assert sample[1] == current + suffix, f'{line} of a {kinds[current]}'
        assert (sample[1], sample[2]) not in samples, line
        samples[sample[1], sample[2]] = int(sample[3])
    assert described == set(kinds)
    return samples


class Metrics(unittest.TestCase):

    def test_size_state_and_counters_of_each_processor_are_there(self):
        with Machine(KERNEL, '--memory', '16M', '--cpus', '3') as machine:
            wait_until(lambda: machine.serial() == '.')
            found = parse(metrics(machine.path).stdout)
            assert found['vsm_running', None] == 1
            assert found['vsm_processors', None] == 3 and found['vsm_memory_bytes', None] == 16 << 20
            assert [found['vsm_exits_total', f'{{vp="{vp}"}}'] > 0 for vp in range(3)] == [True, False, False], found
            assert ('vsm_vtl_switches_total', '{vp="2"}') in found and ('vsm_intercepts_total', '{vp="0"}') in found
            before = found['vsm_exits_total', '{vp="0"}']
            assert machine.ask('nmi', vp=0)['ok']
            wait_until(lambda: '0' in machine.serial())
            assert parse(metrics(machine.path).stdout)['vsm_exits_total', '{vp="0"}'] > before
            assert machine.ask('pause')['ok']
            assert parse(metrics(machine.path).stdout)['vsm_running', None] == 0

    def test_a_file_name_cannot_break_the_format(self):
        machine = Machine('--memory', '16M')
        os.mkdir(f'{machine.folder}/odd')
        name = machine.folder + '/odd/' + '"} 1\nfalse_total{a="\\'
        shutil.copy(KERNEL, name)
        machine.options.append(name)
        with machine:
            found = parse(metrics(machine.path).stdout)
            assert sum(one == 'vsm_machine_info' for one, _ in found) == 1 and not any(one == 'false_total' for one, _ in found)

    def test_without_a_machine_there_is_no_output(self):
        done = metrics('/nowhere')
        assert done.returncode == 2 and done.stdout == '' and 'no such socket' in done.stderr, done


if __name__ == '__main__':
    tapcase.main()
