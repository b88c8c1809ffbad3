#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command `vsm trace`, on files that the test writes. Usage: test_trace.py VSM PAGE"""
import collections
import json
import os
import pathlib
import random
import re
import resource
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
ALL_BELOW = -1

# In the order of the file: first the records of one processor, then those of the other.
STORY = [
    record(1000, 0, N.MSR_WRITE, 0, 0x40000000, 0x8100, 0),
    record(3000, 0, N.HYPERCALL, 0, 0x0d, 0x0d, 0, 0),
    record(5000, 0, N.VTL_ENTER, 0, 0, 1, 1, 0x1000),
    record(6000, 0, N.PROTECT, 1, ALL_BELOW, 0x200, 16, 1),
    record(6500, 0, N.HYPERCALL, 1, 0x0c, 0x0c | 16 << 32, 0, 16),
    record(7000, 0, N.VTL_RETURN, 0, 1, 0, 1, 0x1003),
    record(2000, 1, N.START, 0, 0, 6, 0x8000),
    record(4000, 1, N.HALT, 0, 0, 1),
    record(8000, 1, N.INTERCEPT_MEMORY, 0, 1, 0x200123, 2, 0xffffffff81000000),
    record(8000, 1, N.VTL_ENTER, 0, 0, 1, 2, 0xffffffff81000000),
    record(9600, 1, 9999, 1, 1, 2, 3, 4),
]

STORY_TEXT = '''\
       seconds   VP VTL  event            arguments
   0.000000000    0   0  MSR_WRITE        msr=HV_X64_MSR_GUEST_OS_ID value=0x8100 fault=no
   0.000001000    1   0  START            vtl=VTL0 how=SIPI rip=0x8000
   0.000002000    0   0  HYPERCALL        code=HvCallEnablePartitionVtl control=memory status=HV_STATUS_SUCCESS reps=0
   0.000003000    1   0  HALT             vtl=VTL0 activity=halted
   0.000004000    0   0  VTL_ENTER        from=VTL0 to=VTL1 reason=HvVtlEntryVtlCall rip=0x1000
   0.000005000    0   1  PROTECT          restricted=all-below gpn=0x200 pages=16 access=R
   0.000005500    0   1  HYPERCALL        code=HvCallModifyVtlProtectionMask control=memory,rep:0-16 \
status=HV_STATUS_SUCCESS reps=16
   0.000006000    0   0  VTL_RETURN       from=VTL1 to=VTL0 fast=yes rip=0x1003
   0.000007000    1   0  INTERCEPT_MEMORY to=VTL1 gpa=0x200123 access=W rip=0xffffffff81000000
   0.000007000    1   0  VTL_ENTER        from=VTL0 to=VTL1 reason=HvVtlEntryInterrupt rip=0xffffffff81000000
   0.000008600    1   1  ?                number=9999 a=1 b=2 c=3 d=4
'''


def vsm(*arguments, data=None, **more):
    """`data`: stdin"""
    return subprocess.run([VSM, 'trace', *map(str, arguments)], input=data, capture_output=True, timeout=300,
                          check=False, **more)


class TraceTest(unittest.TestCase):
    """The folder of each test has a file of the records STORY."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='trace test ')))
        self.story = self.write('story', tracefile.trace(STORY))

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def lines(self, *arguments, data=None):
        got = vsm(*arguments, data=data)
        assert got.returncode == 0 and not got.stderr, got
        return got.stdout.decode().splitlines()[1:]


class Lines(TraceTest):

    def test_all_records_are_printed_in_the_order_of_time_with_names(self):
        got = vsm(self.story)
        assert got.returncode == 0 and not got.stderr, got
        assert got.stdout.decode() == STORY_TEXT, got.stdout.decode()

    def test_a_trace_is_read_from_a_pipe(self):
        assert vsm('-', data=self.story.read_bytes()).stdout.decode() == STORY_TEXT
        with subprocess.Popen(['cat', self.story], stdout=subprocess.PIPE) as cat:
            got = subprocess.run([VSM, 'trace', '/dev/stdin'], stdin=cat.stdout, capture_output=True, check=False)
        assert got.returncode == 0 and got.stdout.decode() == STORY_TEXT, got

    def test_filters_choose_by_processor_vtl_event_and_time(self):
        whole = STORY_TEXT.splitlines()[1:]
        for options, wanted in ((['--vp', 1], lambda l: l[18] == '1'), (['--vtl', 1], lambda l: l[22] == '1'),
                                (['--event', 'vtl_enter,HALT'], lambda l: 'VTL_ENTER' in l or 'HALT' in l),
                                (['--event', 'VTL_*'], lambda l: ' VTL_' in l),
                                (['--from', '4us'], lambda l: float(l[:14]) >= 4e-6),
                                (['--from', '0.002ms', '--to', '.000005'], lambda l: 2e-6 <= float(l[:14]) <= 5e-6),
                                (['--vp', 0, '--vtl', 0, '-e', 'HYPERCALL'], lambda l: 'EnablePartition' in l)):
            expected = [line for line in whole if wanted(line)]
            assert expected and len(expected) < len(whole), options
            assert self.lines(*options, self.story) == expected, options

    def test_records_of_many_processors_are_printed_in_the_order_of_time(self):
        generator = random.Random(1)
        batches = []
        clock = [generator.randrange(1000) for _ in range(300)]
        for _ in range(4000):
            vp = generator.randrange(300)
            for _ in range(generator.randrange(1, 90)):
                clock[vp] += generator.randrange(1, 3000)
                batches.append(record(clock[vp], vp, N.INTERRUPT, 0, 0, 0x30))
        got = self.lines(self.write('many', tracefile.trace(batches, vps=300)))
        assert len(got) == len(batches)
        times = sorted((tsc, vp) for tsc, vp, *_ in tracefile.RECORD.iter_unpack(b''.join(batches)))
        first = times[0][0]
        assert [(round(float(line[:14]) * 1e9), int(line[15:19])) for line in got] == [(t - first, vp) for t, vp in times]

    def test_a_later_version_may_have_larger_headers_and_records(self):
        data = tracefile.header(2, len(STORY), size=96, record_size=64) + bytes(32)
        data += b''.join(each + b'\xee' * 16 for each in STORY)
        assert vsm(self.write('large', data)).stdout.decode() == STORY_TEXT

    def test_time_is_counted_by_the_frequency_in_the_header(self):
        path = self.write('slow', tracefile.trace([record(7_000_000, 0, N.RESET, 0), record(12_000_000, 0, N.RESET, 0)],
                                                  hz=2_500_000))
        assert [line.split()[0] for line in self.lines(path)] == ['0.000000000', '2.000000000']

    def test_every_argument_is_printed_as_a_name_or_a_number(self):
        for number in set(range(1, 64)) - {N.INSTRUCTION}:
            for value in (0, 1, 0xff, 0x1234, 1 << 31, (1 << 64) - 1):
                text = vsm('-', data=tracefile.trace([record(0, 0, number, 0, *[value] * 4)])).stdout.decode()
                assert re.fullmatch(r' +0\.0{9} +0 +0  [A-Z_?]+( +\w+=\S+)*', text.splitlines()[1].rstrip()), text
        assert 'code=call-0x7777' in vsm('-', data=tracefile.trace([record(0, 0, N.HYPERCALL, 0, 0x7777)])).stdout.decode()

    def test_an_instruction_is_shown_as_bytes_and_as_text(self):
        # By the SDM: 48 89 03 is MOV r/m64, r64; 89 07 in 16-bit code is MOV [BX], AX; 0f 30 is WRMSR.
        for bytes_, width, text in ((b'\x48\x89\x03', 64, 'bytes=48 89 03 text=mov [rbx], rax'),
                                    (b'\x89\x07', 16, 'bytes=89 07 text=mov [bx], ax'),
                                    (b'\x0f\x30', 32, 'bytes=0f 30 text=wrmsr'), (b'', 64, 'bytes= text='),
                                    (b'\xeb\x0e', 64, 'bytes=eb 0e text=jmp 0x0000000000001010'),
                                    (b'\x0f\xff', 64, 'bytes=0f ff text=?'), (b'\x90', 7, 'bytes=90 text=?')):
            low, high = struct.unpack('<QQ', bytes_.ljust(16, b'\0'))
            got = self.lines('-', data=tracefile.trace([record(0, 0, N.INSTRUCTION, 0, 0x1000, low, high,
                                                               len(bytes_) | width << 8)]))
            assert got[0].endswith(f'INSTRUCTION      rip=0x1000 {text}'), got
        vsm('-', data=tracefile.trace([record(0, 0, N.INSTRUCTION, 0, *[(1 << 64) - 1] * 4)]))

    def test_msrs_have_the_names_of_the_manuals(self):
        # SDM 4 and 3A, table 11-6; TLFS.
        names = {0x1b: 'IA32_APIC_BASE', 0x203: 'IA32_MTRR_PHYSMASK1', 0x26f: 'IA32_MTRR_FIX4K_F8000', 0x827: 'X2APIC_IRR7',
                 0x828: 'X2APIC_ESR', 0x40000003: 'HV_X64_MSR_RESET', 0xc0000080: 'IA32_EFER', 0x12345: 'MSR-0x12345'}
        lines = self.lines('-', data=tracefile.trace([record(i, 0, N.MSR_READ, 0, msr) for i, msr in enumerate(names)]))
        assert [re.search(r'msr=(\S+)', line)[1] for line in lines] == list(names.values()), lines

    def test_the_page_has_the_table_of_the_program(self):
        got = vsm('--events')
        assert got.returncode == 0
        with open(PAGE, encoding='utf-8') as file:
            assert got.stdout.decode() in file.read(), 'docs/trace.md: insert the output of `vsm trace --events`'


class Counts(TraceTest):
    """Tables."""

    def test_counts_are_those_of_the_records(self):
        text = vsm('--count', self.story).stdout.decode()
        assert text.startswith('11 records in 0.000009 s, 0 were lost\n'), text
        for line in (r'2  VTL_ENTER', r'1  \?', r'1  HvCallEnablePartitionVtl: HV_STATUS_SUCCESS',
                     r'1  HvCallModifyVtlProtectionMask: HV_STATUS_SUCCESS', r'1  INTERCEPT_MEMORY W',
                     r'1  write HV_X64_MSR_GUEST_OS_ID', r'1  VTL0 to VTL1: HvVtlEntryVtlCall'):
            assert re.search(rf'^ +{line}$', text, re.M), (line, text)
        # VP 0 is in VTL0 from 1 to 5 and from 7 on (its last record), in VTL1 from 5 to 7; VP 1 is halted from 4 to 8.
        for line in (r'0 +0 +0\.00000[67] s +0\.000000 s .* 1', r'0 +1 +0\.000002 s +0\.000000 s .* 1',
                     r'1 +0 +0\.000002 s +0\.000004 s .* 0', r'1 +1 +0\.00000[12] s +0\.000000 s .* 1'):
            assert re.search(rf'^ +{line}$', text, re.M), (line, text)

    def test_counts_include_only_filtered_records(self):
        text = vsm('--count', '--vp', 1, self.story).stdout.decode()
        assert text.startswith('5 records') and 'HvCall' not in text, text

    def test_kinds_beyond_the_limit_are_counted_together(self):
        data = tracefile.trace([record(i, 0, N.MSR_READ, 0, i) for i in range(6000)])
        text = vsm('--count', '-', data=data).stdout.decode()
        others = int(re.search(r'^ +(\d+)  others', text, re.M)[1])
        assert 1900 < others < 2000, text[-200:]
        assert re.search(r'^ +6000  MSR_READ$', text, re.M)


class Perfetto(TraceTest):

    def events(self, *arguments):
        """Every slice begins and ends, and time never goes back on a track. Returns the events."""
        path = self.folder / 'out.json'
        got = vsm('--perfetto', '-o', path, *arguments)
        assert got.returncode in (0, 2) and not got.stdout, got
        events = json.loads(path.read_text(encoding='ascii'))['traceEvents']
        last, is_open, owner = collections.defaultdict(float), set(), {}
        for event in events:
            track = (event['pid'], event['tid'])
            assert event['pid'] > 0 and event['tid'] > 0 and owner.setdefault(event['tid'], event['pid']) == event['pid']
            if event['ph'] == 'M':
                continue
            assert event['ts'] >= last[track], event
            last[track] = event['ts']
            if event['ph'] == 'B':
                assert track not in is_open, event
                # One processor is in one VTL at a time.
                assert not [other for other in is_open if other[0] == event['pid']], event
                is_open.add(track)
            elif event['ph'] == 'E':
                is_open.remove(track)
            else:
                assert event['ph'] == 'i' and event['s'] == 't' and event['name'] and event['cat'], event
                assert all(isinstance(value, str) for value in event['args'].values()), event
        assert not is_open
        return events

    def test_there_is_a_track_for_each_processor_and_vtl(self):
        events = self.events(self.story)
        names = {(e['pid'], e['tid']): e['args']['name'] for e in events if e.get('name') == 'thread_name'}
        assert sorted(names.values()) == ['VTL0', 'VTL0', 'VTL1', 'VTL1'], names
        assert sorted(e['args']['name'] for e in events if e.get('name') == 'process_name') == ['VP 0', 'VP 1']

    def test_slices_are_the_times_in_which_a_vtl_runs(self):
        slices, begun = [], {}
        events = self.events(self.story)
        tracks = {e['tid']: f"{e['pid'] - 1}.{e['args']['name']}" for e in events if e.get('name') == 'thread_name'}
        for event in events:
            if event['ph'] == 'B':
                begun[event['tid']] = event
            elif event['ph'] == 'E':
                begin = begun.pop(event['tid'])
                if event['ts'] > begin['ts']:
                    slices.append((tracks[event['tid']], begin['name'], begin['ts'], event['ts']))
        assert sorted(slices) == [('0.VTL0', 'runs', 0.0, 4.0), ('0.VTL0', 'runs', 6.0, 8.6), ('0.VTL1', 'runs', 4.0, 6.0),
                                  ('1.VTL0', 'halted', 3.0, 7.0), ('1.VTL0', 'runs', 1.0, 3.0),
                                  ('1.VTL1', 'runs', 7.0, 8.6)], sorted(slices)

    def test_every_record_is_an_instant_with_its_arguments(self):
        instants = [e for e in self.events(self.story) if e['ph'] == 'i']
        assert len(instants) == len(STORY)
        intercept = next(e for e in instants if e['cat'] == 'INTERCEPT_MEMORY')
        assert intercept['args'] == {'to': 'VTL1', 'gpa': '0x200123', 'access': 'W', 'rip': '0xffffffff81000000'}
        assert {e['name'] for e in instants if e['cat'] == 'HYPERCALL'} == {'HvCallEnablePartitionVtl',
                                                                            'HvCallModifyVtlProtectionMask'}
        some = [e for e in self.events('--event', 'HYPERCALL', self.story) if e['ph'] == 'i']
        assert {e['cat'] for e in some} == {'HYPERCALL'} and len(some) == 2

    def test_records_that_contradict_each_other_still_make_slices(self):
        generator = random.Random(3)
        for _ in range(20):
            data = tracefile.trace(record(generator.randrange(9000), generator.randrange(3), generator.randrange(28),
                                          generator.randrange(16), *(generator.choice([0, 1, 2, 15, 16, 1 << 63])
                                                                     for _ in range(4)))
                                   for _ in range(300))
            self.events(self.write('odd', data))


class Damage(TraceTest):

    def test_the_complete_records_of_a_truncated_file_are_printed_and_missing_ones_reported(self):
        data = self.story.read_bytes()
        got = vsm(self.write('cut', data[:-60]))
        assert got.returncode == 2, got
        assert got.stdout.decode().splitlines()[1:10] == [l for l in STORY_TEXT.splitlines()[1:10]][:9]
        assert b'2 of 11 records are missing' in got.stderr and b'the last 36 bytes' in got.stderr, got.stderr
        assert b'9 records are complete' in got.stderr, got.stderr

    def test_a_file_of_a_killed_vmm_is_reported(self):
        data = tracefile.header(2, 0) + b''.join(STORY)
        got = vsm(self.write('killed', data))
        assert got.returncode == 2 and got.stdout.decode() == STORY_TEXT, got
        assert b'did not complete the file' in got.stderr, got.stderr
        assert vsm(self.write('empty', tracefile.header(2, 0))).returncode == 0
        got = vsm('--count', self.folder / 'killed')
        assert got.returncode == 2 and got.stdout.startswith(b'11 records'), got

    def test_records_of_unknown_vps_are_omitted_and_counted(self):
        data = tracefile.trace([STORY[0], record(1, 2, 1, 0), record(1, 0, 1, 16), STORY[1]])
        got = vsm('-', data=data)
        assert got.returncode == 2 and len(got.stdout.splitlines()) == 3, got
        assert b'2 records have an invalid processor or VTL' in got.stderr

    def test_lost_records_are_reported(self):
        got = vsm('-', data=tracefile.trace(STORY, lost=77))
        assert got.returncode == 0 and b'77 records were lost' in got.stderr, got

    def test_other_files_are_refused_with_one_line(self):
        good = tracefile.trace(STORY)
        for data in (b'', b'VSMTRACE', good[:63], b'x' + good[1:], tracefile.trace(STORY, version=0),
                     tracefile.trace(STORY, version=4096), tracefile.trace(STORY, size=63),
                     tracefile.trace(STORY, size=1 << 30), tracefile.trace(STORY, record_size=47),
                     tracefile.trace(STORY, record_size=1 << 31), tracefile.trace(STORY, vps=0),
                     tracefile.trace(STORY, vps=2049), tracefile.trace(STORY, hz=0)):
            got = vsm(self.write('bad', data))
            assert got.returncode == 1 and not got.stdout, (data[:64], got)
            assert got.stderr.startswith(b'vsm trace: ') and got.stderr.count(b'\n') == 1, got
        for path in (self.folder, self.folder / 'nowhere'):
            got = vsm(path)
            assert got.returncode == 1 and got.stderr.count(b'\n') == 1, got

    def test_a_file_larger_than_any_trace_is_not_read(self):
        path = self.write('huge', tracefile.trace(STORY))
        os.truncate(path, 1 << 40)
        got = vsm(path)
        assert got.returncode == 1 and b'larger than any' in got.stderr, got

    def test_random_bytes_cause_no_crash(self):
        generator = random.Random(2)
        good = tracefile.trace(STORY)
        for round_ in range(150):
            data = bytearray(good)
            for _ in range(generator.randrange(1, 12)):
                data[generator.randrange(len(data) if round_ % 3 else 64)] = generator.randrange(256)
            for form in ([], ['--count'], ['--perfetto']):
                got = vsm('-', *form, data=bytes(data[:generator.randrange(len(data)) + 1]))
                assert got.returncode in (0, 1, 2), (bytes(data), got)
                if form == ['--perfetto'] and got.returncode != 1:
                    json.loads(got.stdout)


class CommandLine(TraceTest):

    def test_wrong_options_are_distinguished_from_a_verdict(self):
        for wrong in ([], ['a', 'b'], ['--vp'], ['--vp', 'x', 'a'], ['--vp', '-1', 'a'], ['--vp', '99999', 'a'],
                      ['--vtl', '16', 'a'], ['--event', 'NOTHING', 'a'], ['--event', '', 'a'], ['--from', 'noon', 'a'],
                      ['--to', '5 years', 'a'], ['--from', 'nan', 'a'], ['--count', '--perfetto', 'a'], ['--nonesuch', 'a']):
            got = vsm(*wrong)
            assert got.returncode == 64 and not got.stdout, (wrong, got)
            assert got.stderr.startswith(b'vsm trace: ') and b'vsm help trace' in got.stderr, (wrong, got)

    def test_a_result_that_cannot_be_written_is_reported_and_leaves_no_file(self):
        got = vsm('-o', self.folder / 'nowhere/out', self.story)
        assert got.returncode == 74 and b'No such file' in got.stderr, got
        with open('/dev/full', 'w', encoding='ascii') as full:
            got = subprocess.run([VSM, 'trace', self.story], stdout=full, stderr=subprocess.PIPE, check=False)
        assert got.returncode == 74, got
        resource_limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        got = vsm('-o', self.folder / 'out', self.story, preexec_fn=resource_limit, restore_signals=False)
        assert got.returncode in (74, -25), got
        assert not (self.folder / 'out').exists()

    def test_the_output_file_has_the_mode_of_the_umask_and_replaces_an_old_one(self):
        out = self.write('out', b'old')
        got = vsm('-o', out, self.story)
        assert got.returncode == 0 and out.read_text(encoding='ascii') == STORY_TEXT, got
        mask = os.umask(0)
        os.umask(mask)
        assert out.stat().st_mode & 0o777 == 0o666 & ~mask
        assert sorted(path.name for path in self.folder.iterdir()) == ['out', 'story']


class Large(TraceTest):

    def test_a_million_records_take_little_memory(self):
        path = self.folder / 'million'
        with open(path, 'wb') as file:
            file.write(tracefile.header(4, 1_000_000))
            one = struct.Struct('<QIHBB4Q')
            for batch in range(10_000):
                file.write(b''.join(one.pack(batch * 1000 + i, batch % 4, N.INTERRUPT, 0, 0, 0, i, 0, 0)
                                    for i in range(100)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        got = subprocess.run([VSM, 'trace', '--count', path], capture_output=True, check=False)
        assert got.returncode == 0 and b'1000000  INTERRUPT' in got.stdout, got
        # The maximum of all child processes so far, an upper bound for this one.
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 40_000) + 1, before


tapcase.main()
