#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Traces of real runs in the rig, read on the host. Usage: trace_real.py VSM PAGE SWITCHES SECURE LOGS

SWITCHES and SECURE are the guests vsm-tests.elf and secure-tests.elf. PAGE is docs/trace.md.
"""
import collections
import functools
import itertools
import os
import pathlib
import re
import struct
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/tool'))

# pylint: disable=wrong-import-position
import tapcase
import tracefile

VSM, PAGE, SWITCHES, SECURE = map(os.path.abspath, sys.argv[1:5])
LOGS = pathlib.Path(sys.argv[5])
del sys.argv[1:]  # the remaining arguments are the tests to run

N = collections.namedtuple('Numbers', tracefile.numbers(PAGE))(**tracefile.numbers(PAGE))
ROUNDS = 1000  # guest/tests/switch.c
INTERCEPTS = (N.INTERCEPT_MEMORY, N.INTERCEPT_MSR, N.INTERCEPT_IO, N.INTERCEPT_CR)

Record = collections.namedtuple('Record', 'tsc vp event vtl reserved a b c d')
Run = collections.namedtuple('Run', 'path records exits switches intercepts')


@functools.cache
def run(guest, append):
    """Runs a guest with two processors. Returns its trace and the counts of `vsm run`."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f'{pathlib.Path(guest).stem}.trace'
    done = subprocess.run([ROOT / 'rig/run', '--rig', '--timeout', '200', '--file', f'{guest}:guest.elf', '--get', f'trace:{path}',
                           '--', VSM, 'run', 'guest.elf', '--testdev', '--cpus', '2', '--memory', '128M', '--append', append,
                           '--trace', 'trace'], capture_output=True, text=True, timeout=2400, check=False)
    (LOGS / f'{path.stem}.log').write_text(done.stdout + done.stderr)
    counted = re.search(r'(\d+) exits, (\d+) VTL switches, (\d+) intercepts', done.stderr)
    assert done.returncode == 1 and counted, done.stdout[-2000:] + done.stderr[-2000:]
    data = path.read_bytes()
    lost = struct.unpack_from('<Q', data, 40)[0]
    assert lost == 0, lost
    return Run(path, [Record(*fields) for fields in tracefile.read(data)], *map(int, counted.groups()))


def switches():
    return run(SWITCHES, 'test=switch')


def secure():
    return run(SECURE, '')


def vsm(*arguments):
    done = subprocess.run([VSM, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def code_at(elf, address, size):
    """The bytes of an ELF file (64 or 32 bits) at an address of memory."""
    data = pathlib.Path(elf).read_bytes()
    wide = data[4] == 2
    offset, = struct.unpack_from('<Q', data, 32) if wide else struct.unpack_from('<I', data, 28)
    each, count = struct.unpack_from('<HH', data, 54 if wide else 42)
    for i in range(count):
        at = offset + i * each
        if wide:
            kind, _, begin, _, to, length = struct.unpack_from('<IIQQQQ', data, at)
        else:
            kind, begin, _, to, length = struct.unpack_from('<IIIII', data, at)
        if kind == 1 and to <= address and address + size <= to + length:
            return data[begin + address - to:begin + address - to + size]
    return None


class RealTraces(unittest.TestCase):
    """The contents of traces."""

    def test_the_trace_has_the_counted_switches_and_intercepts(self):
        for one in (switches(), secure()):
            count = collections.Counter(record.event for record in one.records)
            assert count[N.VTL_ENTER] + count[N.VTL_RETURN] == one.switches, (count, one.switches)
            assert sum(count[event] for event in INTERCEPTS) == one.intercepts, (count, one.intercepts)
            told = [record for record in one.records if record.event == N.COUNTERS]
            assert len(told) == 2 and sum(record.a for record in told) == one.exits, (told, one.exits)
            assert sum(record.b for record in told) == one.switches and sum(record.c for record in told) == one.intercepts
            text = vsm('trace', '--count', one.path)
            assert re.search(rf'^ +{count[N.VTL_ENTER]}  VTL_ENTER$', text, re.M), text

    def test_each_switch_begins_in_the_vtl_in_which_the_last_one_ended(self):
        for one in (switches(), secure()):
            for vp in (0, 1):
                path = [(record.a, record.b) for record in one.records
                        if record.vp == vp and record.event in (N.VTL_ENTER, N.VTL_RETURN)]
                assert path[0][0] == 0 and all(before[1] == after[0] for before, after in itertools.pairwise(path))

    def test_a_thousand_calls_are_a_thousand_entries_and_returns_on_each_processor(self):
        lines = vsm('trace', '--event', 'VTL_ENTER,VTL_RETURN', switches().path).splitlines()[1:]
        for vp in ('0', '1'):
            path = ''.join('C' if 'from=VTL0 to=VTL1 reason=HvVtlEntryVtlCall' in line else
                           'R' if 'VTL_RETURN' in line and 'from=VTL1 to=VTL0' in line else '.'
                           for line in lines if line.split()[1] == vp)
            longest = max(len(match) for match in re.findall('(?:CR)+', path)) // 2
            assert longest >= ROUNDS, (vp, longest)

    def test_every_intercept_has_the_instruction_at_its_address(self):
        one, checked = secure(), 0
        for vp in (0, 1):
            mine = [record for record in one.records if record.vp == vp]
            for record, after in itertools.pairwise(mine):
                if record.event not in INTERCEPTS:
                    continue
                assert after.event == N.INSTRUCTION, after
                size = after.d & 255
                code = struct.pack('<QQ', after.b, after.c)[:size]
                own = code_at(SECURE, after.a, size)
                assert size and own in (None, code), (hex(after.a), code, own)
                checked += own is not None
        assert checked > 100 and checked > one.intercepts // 2, (checked, one.intercepts)

    def test_the_memory_of_the_trace_has_the_size_of_the_machine(self):
        for one in (switches(), secure()):
            assert sum(record.b for record in one.records if record.event == N.MEMORY) == (128 << 20) // 4096

    def test_the_report_shows_every_intercept(self):
        page = LOGS / 'secure.html'
        vsm('report', secure().path, '-o', page)
        text = page.read_text(encoding='utf-8')
        assert f'"intercepts":{{"total":{secure().intercepts},"others":0' in text
        assert len(text) < 2 << 20, len(text)

    def test_the_trace_of_a_killed_vmm_is_read_up_to_its_end(self):
        path = LOGS / 'killed.trace'
        done = subprocess.run([ROOT / 'rig/run', '--rig', '--timeout', '120', '--file', f'{SECURE}:guest.elf', '--file', f'{VSM}:{VSM}',
                               '--get', f'left:{path}', '--', 'sh', '-c', f"""
            "{VSM}" run guest.elf --testdev --memory 128M --trace trace &
            while sleep 0.2 && kill -0 $!; do
                set -- trace.*
                [ -f "$1" ] && [ "$(wc -c < "$1")" -gt 20000 ] && break
            done
            kill -9 $!
            wait $!
            [ ! -e trace ] && mv trace.* left"""], capture_output=True, text=True, timeout=2400, check=False)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
        got = subprocess.run([VSM, 'trace', '--count', path], capture_output=True, text=True, timeout=60, check=False)
        assert got.returncode == 2 and 'did not complete the file' in got.stderr, got.stderr
        whole = (path.stat().st_size - 64) // 48
        assert got.stdout.startswith(f'{whole} records') and re.search(r'^ +\d+  VTL_ENTER$', got.stdout, re.M), got.stdout
        got = subprocess.run([VSM, 'report', path, '-o', LOGS / 'killed.html'], capture_output=True, text=True, timeout=60, check=False)
        assert got.returncode == 2 and 'The trace is incomplete' in (LOGS / 'killed.html').read_text(encoding='utf-8'), got.stderr

    def test_the_perfetto_file_has_a_slice_for_every_switch(self):
        text = vsm('trace', '--perfetto', switches().path)
        # VTLs that were halted have additional slices.
        assert text.count('"ph":"B"') == text.count('"ph":"E"') > switches().switches


tapcase.main()
