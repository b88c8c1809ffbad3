#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm report`: the data of the page, without a browser. Usage: test_report.py VSM PAGE"""
import base64
import collections
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
import tracefile
from tracefile import record

VSM, PAGE = sys.argv[1:]
del sys.argv[1:]  # the remaining arguments are the tests to run

N = collections.namedtuple('Numbers', tracefile.numbers(PAGE))(**tracefile.numbers(PAGE))
MIB = 1 << 20


def vsm(*arguments, data=None):
    return subprocess.run([VSM, 'report', *map(str, arguments)], input=data, capture_output=True, timeout=600, check=False)


def page_of(records, **more):
    got = vsm('-', data=tracefile.trace(records, **more))
    assert got.returncode in (0, 2), got.stderr
    return got.stdout.decode()


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def unpack(text):
    numbers, value, shift = [], 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            numbers.append(value)
            value = shift = 0
    assert shift == 0
    return numbers


def slices(text):
    """(begin, end, VTL, halted) in nanoseconds."""
    result, at = [], 0
    for number in unpack(text):
        end = at + number // 64
        if number % 64 < 32:
            result.append((at, end, number % 64 // 2, bool(number & 1)))
        at = end
    return result


def changes(memory):
    """(time, VTL, first grain, grains, rights)"""
    numbers, time, result = unpack(memory['changes']), 0, []
    for i in range(0, len(numbers), 5):
        time += numbers[i]
        result.append((time, *numbers[i + 1:i + 5]))
    return result


def switches(vps, count, step=700):
    """VTL0 and VTL1 take turns."""
    one = struct.Struct('<QIHBB4Q')
    for i in range(count):
        up = i // vps % 2 == 0
        yield one.pack(i * step, i % vps, N.VTL_ENTER if up else N.VTL_RETURN, 0, 0, 0 if up else 1, 1 if up else 0, 1, 0x1000)


class Data(unittest.TestCase):

    def test_slices_are_those_of_the_switches(self):
        data = data_of(page_of([record(1000, 0, N.MSR_READ, 0, 1), record(3000, 0, N.VTL_ENTER, 0, 0, 1, 1, 0),
                                record(4500, 0, N.VTL_RETURN, 0, 1, 0, 1, 0), record(6000, 0, N.HALT, 0, 0, 1),
                                record(9000, 0, N.INTERRUPT, 0, 0, 0x30), record(9900, 1, N.HALT, 1, 1, 1),
                                record(10000, 1, N.MSR_READ, 1, 1)]))
        lanes = {lane['vp']: slices(lane['slices']) for lane in data['timeline']['lanes']}
        assert lanes[0] == [(0, 2000, 0, False), (2000, 3500, 1, False), (3500, 5000, 0, False), (5000, 8000, 0, True),
                            (8000, 9000, 0, False)], lanes
        assert lanes[1] == [(8900, 9000, 1, True)], lanes
        assert data['duration'] == 9000 and data['timeline']['sliceCell'] == 0
        shares = {(s['vp'], s['vtl']): (s['running'], s['halted'], s['entries']) for s in data['shares']}
        assert shares == {(0, 0): (4500, 3000, 1), (0, 1): (1500, 0, 1), (1, 1): (0, 100, 0)}, shares

    def test_marks_have_their_time_and_name(self):
        data = data_of(page_of([record(0, 0, N.HYPERCALL, 0, 0x0d, 0x0d, 0, 0), record(50, 0, N.INTERRUPT, 0, 0, 0xd1),
                                record(70, 0, N.HYPERCALL, 0, 0x0c, 0, 0, 0), record(90, 0, N.RESET, 0)]))
        lane, labels = data['timeline']['lanes'][0], data['timeline']['labels']
        calls = unpack(lane['hypercalls'])
        assert [(calls[i], labels[calls[i + 1]], calls[i + 2]) for i in (0, 3)] == [
            (0, 'HvCallEnablePartitionVtl', 1), (70, 'HvCallModifyVtlProtectionMask', 1)]
        time, label, many = unpack(lane['interrupts'])
        assert (time, labels[label], many) == (50, 'INTERRUPT 0xd1', 1)
        assert lane['intercepts'] == lane['protections'] == ''

    def test_protections_of_several_owners_add_up(self):
        data = data_of(page_of([
            record(0, 0, N.MEMORY, 0, 0, 160), record(0, 0, N.MEMORY, 0, 0x100000, 256),
            record(100, 0, N.PROTECT, 1, -1, 16, 4, 5),         # VTL1: VTL0 may read and execute
            record(200, 0, N.PROTECT, 2, 0, 18, 4, 3),          # VTL2: VTL0 may read and write
            record(300, 0, N.PROTECT, 2, -1, 0x100000, 1, 0),   # VTL2: neither may
            record(400, 0, N.PROTECT, 1, -1, 16, 4, 15),        # VTL1 removes its restriction
            record(500, 0, N.PROTECT_DEFAULT, 1, 1, 7),
            record(600, 0, N.RESET, 0)]))
        memory = data['memory']
        assert memory['ranges'] == [[0, 160], [0x100000, 256]] and memory['grain'] == 1 and memory['grains'] == 416
        assert memory['history'] and not memory['guessed'] and memory['vtls'] == [0, 1]
        assert [c for c in changes(memory) if c[0] < 500] == [
            (100, 0, 16, 4, 5), (200, 0, 18, 2, 1), (200, 0, 20, 2, 3), (300, 0, 160, 1, 0), (300, 1, 160, 1, 0),
            (400, 0, 16, 2, 15), (400, 0, 18, 2, 3)], changes(memory)
        state = {vtl: [15] * 416 for vtl in (0, 1)}
        for time, vtl, first, count, access in changes(memory):
            if time <= 500:
                state[vtl][first:first + count] = [access] * count
        expected = [7] * 416
        expected[18:22] = [3] * 4
        expected[160] = 0
        assert state[0] == expected, state[0]
        for time, vtl, first, count, access in changes(memory):
            if time == 600:
                state[vtl][first:first + count] = [access] * count
        assert state == {0: [15] * 416, 1: [15] * 416}

    def test_ranges_that_overlap_become_one(self):
        memory = data_of(page_of([
            record(0, 0, N.MEMORY, 0, 0, 160), record(0, 0, N.MEMORY, 0, 256, 64), record(0, 0, N.MEMORY, 0, 512, 16),
            record(1, 0, N.MEMORY, 0, 528, 16),                 # adjacent: stays a range of its own
            record(2, 0, N.MEMORY, 0, 150, 110),                # overlaps the first two in part
            record(3, 0, N.MEMORY, 0, 8, 4),                    # is inside the first
            record(100, 0, N.PROTECT, 1, 0, 170, 40, 1)]))['memory']
        assert memory['ranges'] == [[0, 320], [512, 16], [528, 16]], memory['ranges']
        assert changes(memory) == [(100, 0, 170, 40, 1)], changes(memory)

    def test_random_protections_equal_a_plain_model(self):
        generator = random.Random(5)
        pages, records = 600, [record(0, 0, N.MEMORY, 0, 0, 600)]
        model = {}
        for time in range(1, 400):
            owner = generator.randrange(1, 3)
            restricted = generator.choice([-1, 0, owner - 1])
            first, access = generator.randrange(pages), generator.choice([0, 1, 3, 5, 7, 13, 15])
            many = generator.randrange(1, 40)
            records.append(record(time, 0, N.PROTECT, owner, restricted, first, many, access))
            for vtl in range(owner):
                if restricted in (-1, vtl):
                    for page in range(first, min(first + many, pages)):
                        model[owner, vtl, page] = access
        memory = data_of(page_of(records))['memory']
        state = {vtl: [15] * pages for vtl in (0, 1)}
        for _, vtl, first, count, access in changes(memory):
            state[vtl][first:first + count] = [access] * count
        for vtl in (0, 1):
            assert state[vtl] == [model.get((1, vtl, page), 15) & model.get((2, vtl, page), 15) for page in range(pages)]

    def test_intercepts_have_rip_gpa_access_and_instruction(self):
        mov = struct.unpack('<QQ', b'\x48\x89\x03'.ljust(16, b'\0'))
        records = []
        for i in range(3):
            records += [record(10 * i, 0, N.INTERCEPT_MEMORY, 0, 1, 0x200123, 2, 0x1000),
                        record(10 * i + 1, 0, N.INSTRUCTION, 0, 0x1000, *mov, 3 | 64 << 8)]
        records += [record(50, 1, N.INTERCEPT_MSR, 0, 1, 0xc0000082, 1, 0x4711),
                    record(51, 1, N.MESSAGE, 1, 1, 0, 0x80010001, 0), # a record of another intercept in between
                    record(52, 1, N.INSTRUCTION, 0, 0x2000, 0x300f, 0, 2 | 64 << 8),
                    record(60, 1, N.INTERCEPT_IO, 0, 1, 0x3f8, 1, 1), record(61, 1, N.INTERCEPT_CR, 0, 1, 0, 0x31, 0x3000)]
        intercepts = data_of(page_of(records))['intercepts']
        assert intercepts['total'] == 6 and intercepts['others'] == 0
        assert intercepts['rows'] == [
            [0, 20, 3, 0, 0, 1, 'memory', '0x200123', 'W', '0x1000', 'mov [rbx], rax', '48 89 03', ''],
            [50, 50, 1, 1, 0, 1, 'MSR', 'IA32_LSTAR', 'write', '0x2000', 'wrmsr', '0f 30', '0x4711'],
            [60, 60, 1, 1, 0, 1, 'port', '0x3f8, 1 bytes', 'write', '', '', '', ''],
            [61, 61, 1, 1, 0, 1, 'register', 'Cr0Write', 'write', '0x3000', '', '', '0x31']], intercepts['rows']

    def test_counts_and_missing_records_are_reported(self):
        got = vsm('-', data=tracefile.trace([record(0, 0, N.COUNTERS, 0, 10, 4, 1), record(5, 1, N.COUNTERS, 0, 7, 0, 0)], lost=9)[:-10])
        assert got.returncode == 2 and b'not all of a trace' in got.stderr, got.stderr
        data = data_of(got.stdout.decode())
        assert data['exits'] == 10 and data['lost'] == 9 and '1 of 2 records are missing' in data['cut'], data
        assert data_of(page_of([record(0, 0, N.RESET, 0)]))['exits'] is None


class Page(unittest.TestCase):

    def test_the_page_loads_no_other_resource(self):
        page = page_of([record(0, 0, N.RESET, 0)])
        assert not re.search(r'https?:|//[a-z]|\bsrc=|@import|url\(', re.sub(r'^\s*//.*$', '', page, flags=re.M)), page[:3000]
        assert "default-src 'none'" in page and page.startswith('<!doctype html>')

    def test_a_name_of_a_file_is_never_html(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / '<script>alert(1)<!-- &"\x01é .vsm'
            path.write_bytes(tracefile.trace([record(0, 0, N.RESET, 0)]))
            page = vsm(path).stdout.decode()
        assert 'alert(1)' in page and '<script>alert' not in page and 'alert(1)<!--' not in page
        assert data_of(page)['file'].startswith('<script>alert(1)<!-- &"\x01')

    def test_a_page_that_cannot_be_written_is_reported_and_leaves_no_file(self):
        trace = tracefile.trace([record(0, 0, N.RESET, 0)])
        with tempfile.TemporaryDirectory() as folder:
            got = vsm('-', '-o', f'{folder}/nowhere/page.html', data=trace)
            assert got.returncode == 74 and got.stderr.count(b'\n') == 1, got
            # Only a regular file is replaced.
            os.symlink('page.html', f'{folder}/link')
            os.mkfifo(f'{folder}/fifo')
            for name in 'link', 'fifo':
                got = vsm('-', '-o', f'{folder}/{name}', data=trace)
                assert got.returncode == 74 and b'not a regular file' in got.stderr, got
            assert os.path.islink(f'{folder}/link') and sorted(os.listdir(folder)) == ['fifo', 'link'], os.listdir(folder)
            os.unlink(f'{folder}/link')
            os.unlink(f'{folder}/fifo')
            got = vsm('-', '-o', f'{folder}/page.html', data=trace[:30])
            assert got.returncode == 1 and os.listdir(folder) == [], got
            got = vsm('-', '-o', f'{folder}/page.html', data=trace)
            assert got.returncode == 0 and os.listdir(folder) == ['page.html'], got
        for wrong in ([], ['a', 'b'], ['-o'], ['--nonesuch', 'a']):
            assert vsm(*wrong).returncode == 64, wrong


class Bounds(unittest.TestCase):

    def test_half_a_million_switches_make_a_small_page_that_reports_omissions(self):
        got = vsm('-', data=tracefile.header(4, 500_000) + b''.join(switches(4, 500_000)))
        assert got.returncode == 0 and len(got.stdout) < 6 * MIB, len(got.stdout)
        data = data_of(got.stdout.decode())
        cell = data['timeline']['sliceCell']
        assert cell > 0 and data['switches'] == 500_000
        total = 0
        for lane in data['timeline']['lanes']:
            parts = slices(lane['slices'])
            total += len(parts)
            # The total time of each VTL is the same at every size of cells.
            for vtl in (0, 1):
                kept = sum(end - begin for begin, end, of, _ in parts if of == vtl)
                share = next(s for s in data['shares'] if (s['vp'], s['vtl']) == (lane['vp'], vtl))
                assert kept == share['running'], (kept, share)
        assert total <= 400_000, total

    def test_a_quarter_million_of_marks_make_a_small_page_that_counts_all(self):
        one = struct.Struct('<QIHBB4Q')
        got = vsm('-', data=tracefile.header(2, 250_000) + b''.join(
            one.pack(i * 500, i % 2, N.HYPERCALL, 0, 0, 0x0c + i % 3, 0, 0, 0) for i in range(250_000)))
        assert got.returncode == 0 and len(got.stdout) < 4 * MIB, len(got.stdout)
        data = data_of(got.stdout.decode())
        assert data['timeline']['markCell'] > 0
        assert sum(sum(unpack(lane['hypercalls'])[2::3]) for lane in data['timeline']['lanes']) == 250_000

    def test_many_different_intercepts_and_protections_make_a_small_page(self):
        records = [record(0, 0, N.MEMORY, 0, 0, 1 << 24)]
        for i in range(60_000):
            records.append(record(3 * i, 0, N.INTERCEPT_MEMORY, 0, 1, i << 12, 2, i))
            records.append(record(3 * i + 1, 0, N.PROTECT, 1, -1, i * 64, 3, i % 5))
        got = vsm('-', data=tracefile.trace(records))
        assert got.returncode == 0 and len(got.stdout) < 12 * MIB, len(got.stdout)
        data = data_of(got.stdout.decode())
        assert data['memory']['grain'] > 1 and not data['memory']['history']
        assert len(data['intercepts']['rows']) + data['intercepts']['others'] == 60_000
        # A grain with a denied part is denied: pages 0 to 2 have no rights.
        grains = [15] * data['memory']['grains']
        for _, _, first, count, access in changes(data['memory']):
            grains[first:first + count] = [access] * count
        assert grains[0] == 0 and 15 in grains

    def test_random_bytes_cause_no_crash(self):
        generator = random.Random(7)
        for _ in range(60):
            records = [record(generator.randrange(9000), generator.randrange(3), generator.randrange(32), generator.randrange(16),
                              *(generator.choice([0, 1, 2, 15, 16, 4096, 1 << 40, 1 << 63, (1 << 64) - 1]) for _ in range(4)))
                       for _ in range(200)]
            data = bytearray(tracefile.trace(records))
            for _ in range(generator.randrange(6)):
                data[generator.randrange(len(data))] = generator.randrange(256)
            got = vsm('-', data=bytes(data))
            assert got.returncode in (0, 1, 2), got
            if got.returncode != 1:
                data_of(got.stdout.decode())


tapcase.main()
