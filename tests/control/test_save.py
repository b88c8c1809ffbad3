#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Saved machines, without a CPU. Usage: test_save.py SIM_VMM VSM KERNEL"""
import functools
import os
import pathlib
import random
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from sim_machine import TIMEOUT, Machine, wait_until

VMM, VSM, KERNEL = sys.argv[1:4]
del sys.argv[1:4]  # the remaining arguments are the tests to run
Machine.VMM = VMM
OPTIONS = ('--memory', '16M', '--cpus', '2', '--testdev')

# The layout of docs/save.md.
HEADER = struct.Struct('<8sIIIIIIQQ' + 'QQII' * 5 + 'II')
HOST, DEVICES, STATE, RAM, MAP = range(5)


class Saved:

    def __init__(self, data):
        fields = HEADER.unpack_from(data)
        (self.magic, self.version, self.header_size, self.cpus, self.vtls, self.boot_vtl, self.testdev, self.memory,
         self.file_size) = fields[:9]
        parts = [fields[9 + 4 * n:13 + 4 * n] for n in range(5)]
        self.parts = [bytearray(data[offset:offset + size]) for offset, size, _, _ in parts]
        self.places = parts
        self.crc = fields[-1]

    def pack(self, places=None):
        """With correct checksums; `places` replaces offsets and sizes."""
        at = HEADER.size
        words = []
        for number, part in enumerate(self.parts):
            offset, size = (places or {}).get(number, (at, len(part)))
            words += [offset, size, zlib.crc32(part), 0]
            at += len(part)
        head = HEADER.pack(self.magic, self.version, self.header_size, self.cpus, self.vtls, self.boot_vtl,
                           self.testdev, self.memory, at if self.file_size is None else self.file_size, *words, 0, 0)
        head = head[:-4] + struct.pack('<I', zlib.crc32(head[:-4]))
        return head + b''.join(self.parts)


def make(folder, *options, paused=True, name='saved'):
    """Returns the path of the file."""
    path = f'{folder}/{name}'
    with Machine(KERNEL, *(options or OPTIONS), folder=folder, name=f'{name}.sock') as machine:
        wait_until(lambda: '.' in machine.serial())
        if paused:
            assert machine.ask('pause')['ok']
        assert machine.ask('save', file=path) == {'ok': True, 'result': {}}
    return path


@functools.cache
def sample():
    with tempfile.TemporaryDirectory() as folder:
        return pathlib.Path(make(folder)).read_bytes()


def restore(path, *options):
    """Returns the messages of the refusal."""
    done = subprocess.run([VMM, '--restore', path, *options], capture_output=True, text=True, timeout=TIMEOUT, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2, done
    assert 'AddressSanitizer' not in done.stderr and 'runtime error' not in done.stderr, done.stderr
    return done.stderr


class RoundTrip(unittest.TestCase):

    def test_a_restored_machine_is_the_saved_one_to_the_byte(self):
        for options in (OPTIONS, ('--memory', '16M', '--cpus', '4', '--vtls', '2', '--boot-vtl', '1'),
                        ('--memory', '4M', '--vtls', '1')):
            with tempfile.TemporaryDirectory() as folder:
                first = make(folder, *options)
                with Machine('--restore', first, '--paused', folder=folder) as machine:
                    assert machine.state() == 'paused'
                    value = machine.ask('inspect', path='machine')['result']['value']
                    assert value['testdev'] == ('--testdev' in options)
                    assert machine.ask('save', file=f'{folder}/second')['ok']
                assert pathlib.Path(first).read_bytes() == pathlib.Path(f'{folder}/second').read_bytes()

    def test_registers_apics_and_memory_are_the_same(self):
        paths = ['vp/0/vtl/0/registers', 'vp/1/vtl/0/lapic', 'vp/0/vtl/0/synic', 'devices/ioapic', 'devices/cmos',
                 'devices/serial', 'partition/protection/0', 'partition/memory']
        with tempfile.TemporaryDirectory() as folder:
            with Machine(KERNEL, *OPTIONS, folder=folder, name='a') as machine:
                assert machine.ask('pause')['ok']
                assert machine.ask('save', file=f'{folder}/saved')['ok']
                before = [machine.ask('inspect', path=path) for path in paths]
                memory = machine.ask('memory', gpa=0x101000, size=512)
            assert any(bytes.fromhex(memory['result']['data']))
            with Machine('--restore', f'{folder}/saved', '--paused', folder=folder, name='b') as machine:
                assert [machine.ask('inspect', path=path) for path in paths] == before
                assert machine.ask('memory', gpa=0x101000, size=512) == memory

    def test_a_running_machine_is_saved_and_continues_like_the_restored_one(self):
        with tempfile.TemporaryDirectory() as folder:
            with Machine(KERNEL, *OPTIONS, folder=folder, name='a') as machine:
                for number in range(5):
                    assert machine.ask('save', file=f'{folder}/saved')['ok']
                    assert machine.state() == 'running'
                    assert machine.ask('nmi', vp=0)['ok']
                    wait_until(lambda: machine.serial().count('0') == number + 1)
            with Machine('--restore', f'{folder}/saved', folder=folder, name='b') as machine:
                assert machine.state() == 'running'
                assert machine.ask('nmi', vp=0)['ok']
                wait_until(lambda: '0' in machine.serial())

    def test_a_pending_nmi_is_saved(self):
        with tempfile.TemporaryDirectory() as folder:
            with Machine(KERNEL, *OPTIONS, folder=folder, name='a') as machine:
                assert machine.ask('pause')['ok'] and machine.ask('nmi', vp=0)['ok']
                assert machine.ask('save', file=f'{folder}/saved')['ok']
            with Machine('--restore', f'{folder}/saved', folder=folder, name='b') as machine:
                wait_until(lambda: '0' in machine.serial())

    def test_a_reset_needs_the_kernel_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = make(folder)
            with Machine('--restore', path, folder=folder, name='a') as machine:
                assert 'no kernel' in machine.ask('reset')['error']['message']
                assert machine.state() == 'running'
            with Machine('--restore', path, '--kernel', KERNEL, folder=folder, name='b') as machine:
                assert machine.ask('reset')['ok']
                wait_until(lambda: machine.ask('inspect', path='machine')['result']['value']['resets'] == 1)

    def test_a_guest_that_resets_without_a_kernel_ends_the_machine_with_status_8(self):
        with tempfile.TemporaryDirectory() as folder:
            path = make(folder, '--memory', '16M', '--cpus', '8')
            machine = Machine('--restore', path, folder=folder, name='a').start()
            machine.ask('nmi', vp=0)  # this guest resets on the NMI
            assert machine.process.wait(20) == 8
            said = machine.stop()
            assert 'the guest reset, and there is no kernel to boot: add one to --restore' in said, said
            with Machine('--restore', path, '--kernel', KERNEL, folder=folder, name='b') as machine:
                assert machine.ask('nmi', vp=0)['ok']
                wait_until(lambda: machine.ask('inspect', path='machine')['result']['value']['resets'] == 1)

    def test_memory_that_was_never_written_takes_no_space(self):
        with tempfile.TemporaryDirectory() as folder:
            path = make(folder, '--memory', '1G')
            assert os.stat(path).st_size < 1 << 20
            with Machine('--restore', path, folder=folder, name='b') as machine:
                status = pathlib.Path(f'/proc/{machine.process.pid}/status').read_text()
                assert int(status.split('RssShmem:')[1].split()[0]) < 16 << 10


class Dump(unittest.TestCase):

    def dump(self, data):
        """Returns stdout, stderr and the status."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(f'{folder}/saved').write_bytes(data)
            done = subprocess.run([VSM, 'dump', f'{folder}/saved'], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        return done.stdout, done.stderr, done.returncode

    def test_dump_prints_the_contents_of_the_file(self):
        out, err, status = self.dump(sample())
        assert (err, status) == ('', 0), (err, status)
        saved = Saved(sample())
        for name in ('cpus', 'vtls', 'boot_vtl', 'testdev', 'memory'):
            value = getattr(saved, name)
            assert f'\n    {name} = {f"{value:#x}" if value else 0}\n' in out, name
        words = struct.iter_unpack('<IIII', saved.parts[HOST])
        for leaf, index, register, value in words:
            text = f'leaf {leaf:#x}, index {index}, E{"ABCD"[register]}X = '.replace('leaf 0x0,', 'leaf 0,')
            assert text + (f'{value:#x}' if value else '0') in out, text
        for gpn, pages in struct.iter_unpack('<QQ', saved.parts[MAP]):
            assert f'\n    gpn {f"{gpn:#x}" if gpn else 0}, pages {pages}\n' in out
        assert '\n    serial.divisor[0] = 0x' in out and '\n    ioapic.entry[23] = 0x' in out
        # The partition has the same text as in the file of a partition only.
        alone, _, status = self.dump(bytes(saved.parts[STATE]))
        assert status == 0 and alone and out.endswith(alone)

    def test_each_field_of_a_device_has_the_offset_of_version_1(self):
        places = {'serial.interrupt_enable': (0, 1), 'serial.fifo_control': (1, 1), 'serial.scratch': (4, 1),
                  'serial.divisor[1]': (6, 1), 'serial.modem_changes': (7, 1), 'serial.line_level': (10, 1),
                  'serial.receiver[15]': (26, 1), 'serial.received': (27, 4), 'serial.queue[4095]': (4126, 1),
                  'serial.queue_first': (4127, 8), 'serial.queue_count': (4135, 8), 'cmos.index': (4143, 1),
                  'cmos.ram[127]': (4271, 1), 'pci.address': (4272, 4), 'testdev.latch': (4276, 4),
                  'testdev.fw_cfg_item': (4280, 2), 'testdev.fw_cfg_offset': (4282, 4), 'serial_lines': (4286, 4),
                  'test_lines': (4290, 4)}
        for name, (offset, size) in places.items():
            saved = Saved(sample())
            before = int.from_bytes(saved.parts[DEVICES][offset:offset + size], 'little')
            value = 16 if name == 'serial_lines' else 1 if before != 1 else 0
            saved.parts[DEVICES][offset:offset + size] = value.to_bytes(size, 'little')
            out, err, status = self.dump(saved.pack())
            assert status == 0 and (f'    {name} = {value:#x}\n' in out or (not value and name not in out)), (name, out, err)

    @unittest.skipUnless(os.path.exists(f'{VSM}-static'), 'not built here')
    def test_the_command_without_the_vmm_refuses_a_saved_machine(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(f'{folder}/saved').write_bytes(sample())
            done = subprocess.run([f'{VSM}-static', 'dump', f'{folder}/saved'], capture_output=True, text=True, timeout=TIMEOUT,
                                  check=False)
        assert done.returncode == 1 and not done.stdout and 'this is a saved machine' in done.stderr, done

    def test_damage_is_reported_after_the_sections_before_it(self):
        places = {'host': HOST, 'devices': DEVICES, 'memory': RAM, 'map of memory': MAP, 'state': STATE}
        for name, number in places.items():
            data = bytearray(sample())
            data[Saved(data).places[number][0]] ^= 1
            out, err, status = self.dump(bytes(data))
            assert status == 1 and f'it is damaged: checksum of its {name}' in err, (name, err)
            assert out.startswith('machine: version 1') and out.count('vp 0, vtl 0') == 0
        for size in (4, 12, 100, len(sample()) - 1):
            out, err, status = self.dump(sample()[:size])
            assert status == 1 and err and not out, (size, err)

    def test_random_sections_with_correct_checksums_are_described_or_refused(self):
        generator = random.Random(5)
        for number in (HOST, DEVICES, STATE, MAP):
            for _ in range(12):
                saved = Saved(sample())
                part = saved.parts[number]
                for _ in range(generator.randrange(1, 20)):
                    part[generator.randrange(len(part))] = generator.randrange(256)
                if generator.randrange(3) == 0:
                    del part[generator.randrange(len(part)):]
                saved.file_size = None
                out, err, status = self.dump(saved.pack())
                assert out.startswith('machine: version 1') and status in (0, 1) and 'Sanitizer' not in err and 'runtime error' not in err, err


class File(unittest.TestCase):

    def test_the_file_is_accessible_only_to_its_owner(self):
        with tempfile.TemporaryDirectory() as folder:
            assert stat.S_IMODE(os.stat(make(folder)).st_mode) == 0o600

    def test_a_failure_keeps_the_old_file_and_leaves_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(f'{folder}/saved').write_text('old')
            with Machine(KERNEL, *OPTIONS, folder=folder,
                         preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN)) as machine:
                resource.prlimit(machine.process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
                before = sorted(os.listdir(folder))
                answer = machine.ask('save', file=f'{folder}/saved')
                assert answer['error']['code'] == 'failed' and 'File too large' in answer['error']['message'], answer
                assert pathlib.Path(f'{folder}/saved').read_text() == 'old'
                assert sorted(os.listdir(folder)) == before
                assert machine.state() == 'running'

    def test_a_path_that_cannot_be_written_is_reported(self):
        with tempfile.TemporaryDirectory() as folder, Machine(KERNEL, *OPTIONS, folder=folder) as machine:
            os.mkdir(f'{folder}/folder')
            before = sorted(os.listdir(folder))
            for name, words in (('missing/saved', 'No such file'), ('folder', 'not a regular file'), ('x' * 300, 'too long')):
                answer = machine.ask('save', file=f'{folder}/{name}')
                assert answer['error']['code'] == 'failed' and words in answer['error']['message'], answer
            assert sorted(os.listdir(folder)) == before and machine.state() == 'running'

    def test_only_a_regular_file_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server, \
                Machine(KERNEL, *OPTIONS, folder=folder) as machine:
            pathlib.Path(f'{folder}/file').write_text('old')
            os.symlink('file', f'{folder}/link')
            os.symlink('nowhere', f'{folder}/dangling')
            os.mkfifo(f'{folder}/fifo')
            os.mkdir(f'{folder}/folder')
            server.bind(f'{folder}/socket')
            names = ['link', 'dangling', 'fifo', 'folder', 'socket']
            if os.geteuid() == 0:
                try:
                    os.mknod(f'{folder}/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
                    names.append('null')
                except PermissionError:
                    pass  # containers may forbid mknod
            before = {name: os.lstat(f'{folder}/{name}')[:2] for name in os.listdir(folder)}
            for name in names:
                answer = machine.ask('save', file=f'{folder}/{name}')
                assert answer['error']['code'] == 'failed' and 'not a regular file' in answer['error']['message'], answer
            assert {name: os.lstat(f'{folder}/{name}')[:2] for name in os.listdir(folder)} == before
            assert pathlib.Path(f'{folder}/file').read_text() == 'old'
            assert machine.ask('save', file=f'{folder}/file')['ok'] and machine.state() == 'running'
            assert Saved(pathlib.Path(f'{folder}/file').read_bytes()).cpus == 2
            assert sorted(os.listdir(folder)) == sorted(before)

    def test_a_relative_name_goes_into_the_save_folder_whatever_folder_the_client_is_in(self):
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
            with Machine(KERNEL, *OPTIONS, folder=folder) as machine:
                subprocess.run([VSM, 'inspect', machine.path, 'save', 'here'], cwd='/', timeout=TIMEOUT, check=True)
                assert Saved(pathlib.Path(f'{folder}/here').read_bytes()).cpus == 2
            with Machine(KERNEL, *OPTIONS, '--save-dir', other, folder=folder, name='b') as machine:
                for command, name in (('save', 'saved'), ('core', 'core')):
                    subprocess.run([VSM, 'inspect', machine.path, command, name], cwd=folder, timeout=TIMEOUT, check=True)
                assert sorted(os.listdir(other)) == ['core', 'saved']
            # As the systemd unit does: the saved machine is in the current folder.
            with Machine('--restore', 'saved', folder=folder, name='c', cwd=other) as machine:
                assert machine.state() == 'running'
                assert machine.ask('nmi', vp=0)['ok']
                wait_until(lambda: '0' in machine.serial())


class Hostile(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = f'{self.folder.name}/saved'
        self.data = sample()
        pathlib.Path(self.path).write_bytes(self.data)

    def tearDown(self):
        self.folder.cleanup()

    def refused(self, data):
        path = f'{self.folder.name}/changed'
        pathlib.Path(path).write_bytes(data)
        return restore(path)

    def changed(self, places=None, **fields):
        saved = Saved(self.data)
        saved.file_size = None
        for name, value in fields.items():
            setattr(saved, name, value)
        return self.refused(saved.pack(places))

    def test_the_layout_is_the_documented_one(self):
        saved = Saved(self.data)
        assert (saved.magic, saved.version, saved.header_size) == (b'VSMSAVED', 1, HEADER.size)
        assert (saved.cpus, saved.vtls, saved.testdev, saved.memory) == (2, 3, 1, 16 << 20)
        assert saved.pack() == self.data and saved.file_size == len(self.data)
        runs = list(struct.iter_unpack('<QQ', saved.parts[MAP]))
        assert sum(pages for _, pages in runs) * 4096 == len(saved.parts[RAM])
        # The map has the offset of the kernel's page in the file.
        at = 0
        for gpn, pages in runs:
            if gpn <= 0x101 < gpn + pages:
                at += (0x101 - gpn) * 4096
                break
            at += pages * 4096
        assert bytes(saved.parts[RAM][at:at + 64]) in pathlib.Path(KERNEL).read_bytes()

    def test_a_truncated_file_is_refused(self):
        for size in (0, 1, 8, HEADER.size - 1, HEADER.size, HEADER.size + 100, len(self.data) // 2, len(self.data) - 1):
            text = self.refused(self.data[:size])
            assert 'not a saved machine' in text or 'damaged' in text, (size, text)
        assert 'damaged' in self.refused(self.data + b'x')

    def test_a_changed_byte_is_detected(self):
        random.seed(6)
        saved = Saved(self.data)
        spots = [8, 20, 40, 60, HEADER.size - 1] + [
            offset + random.randrange(size) for offset, size, _, _ in saved.places if size for _ in range(4)]
        for spot in spots:
            data = bytearray(self.data)
            data[spot] ^= 0x10
            text = self.refused(data)
            assert 'damaged' in text or 'version' in text or 'saved state' in text, (spot, text)

    def test_each_invalid_number_in_the_header_is_reported(self):
        for fields, words in (({'magic': b'VSMSAVE!'}, 'not a saved machine'), ({'version': 2}, 'version 2'),
                              ({'header_size': 8}, 'version'), ({'cpus': 0}, 'processors'), ({'cpus': 2049}, 'processors'),
                              ({'vtls': 0}, 'VTLs'), ({'vtls': 17}, 'VTLs'), ({'boot_vtl': 3}, 'VTLs'),
                              ({'testdev': 2}, 'test devices'), ({'memory': 0}, 'memory'), ({'memory': 1 << 43}, 'memory'),
                              ({'memory': (16 << 20) + 4096}, 'memory'), ({'file_size': 1 << 40}, 'size')):
            assert words in self.changed(**fields), fields

    def test_a_machine_of_another_size_is_refused(self):
        for fields in ({'cpus': 1}, {'cpus': 3}, {'vtls': 2}, {'vtls': 4}, {'memory': 4 << 20}, {'memory': 32 << 20},
                       {'cpus': 8, 'vtls': 16}):
            self.changed(**fields)

    def test_sections_that_overlap_lie_outside_or_are_huge_are_refused(self):
        saved = Saved(self.data)
        size = len(saved.parts[STATE])
        offset = saved.places[STATE][0]
        for place in ((offset - 1, size), (offset + 1, size), (0, size), (offset, size + 1), (offset, 1 << 63),
                      (1 << 63, size), (offset, (1 << 64) - offset)):
            assert 'damaged' in self.changed(places={STATE: place}), place
        assert 'damaged' in self.changed(places={RAM: (saved.places[RAM][0], 1 << 40)})

    def test_a_huge_sparse_file_takes_no_memory(self):
        path = f'{self.folder.name}/huge'
        with open(path, 'wb') as file:
            file.write(self.data)
            file.truncate(1 << 40)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        assert 'damaged' in restore(path)
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 1 << 20)

    def test_an_invalid_map_of_the_saved_pages_is_refused(self):
        runs = list(struct.iter_unpack('<QQ', Saved(self.data).parts[MAP]))
        first, rest = runs[0], runs[1:]
        last = runs[-1]
        for other in ([(first[0], 0), *runs], [*rest, first], [first, *runs], [(first[0], first[1] + 1), *rest], rest,
                      [(1 << 52, first[1]), *rest], [*runs[:-1], (4096 - last[1] + 1, last[1])],
                      [((1 << 64) - 1, 2), *rest], [(first[0], (1 << 64) - 1), *rest], [*runs[:-1], (1 << 20, last[1])]):
            saved = Saved(self.data)
            saved.file_size = None
            saved.parts[MAP] = bytearray(b''.join(struct.pack('<QQ', *run) for run in other))
            assert 'damaged' in self.refused(saved.pack()), other[:3]
        saved = Saved(self.data)
        saved.file_size = None
        saved.parts[MAP] += b'x'
        assert 'damaged' in self.refused(saved.pack())

    def test_features_that_this_host_lacks_are_reported(self):
        for word, words in (((0x7, 0xffff, 1, 1 << 11), 'bit 11 of EBX in CPUID leaf 0x7, index 65535'),
                            ((0x0, 0, 1, 0x12345678), 'vendor'), ((0x99, 1, 0, 6), 'and more'),
                            ((1, 0, 4, 0), 'register 4')):
            saved = Saved(self.data)
            saved.file_size = None
            saved.parts[HOST] = bytearray(struct.pack('<IIII', *word))
            text = self.refused(saved.pack())
            assert words in text, (word, text)

    def test_devices_with_invalid_values_are_refused(self):
        size = len(Saved(self.data).parts[DEVICES])
        for spot, value in ((0, 0xff), (1, 0xff), (3, 0xff)):
            saved = Saved(self.data)
            saved.file_size = None
            saved.parts[DEVICES][spot] = value
            assert 'devices: serial.' in self.refused(saved.pack())
        for length in (0, size - 1, size + 1):
            saved = Saved(self.data)
            saved.file_size = None
            saved.parts[DEVICES] = bytearray(length)
            assert 'devices: their size' in self.refused(saved.pack())

    def test_a_damaged_state_is_refused(self):
        saved = Saved(self.data)
        saved.file_size = None
        saved.parts[STATE][100] ^= 1
        assert 'saved state' in self.refused(saved.pack())

    def test_paths_that_are_no_regular_file_are_refused(self):
        folder = self.folder.name
        os.mkfifo(f'{folder}/fifo')
        for path, words in ((f'{folder}/fifo', 'not a regular file'), (folder, 'a folder, not a file'),
                            ('/dev/zero', 'not a regular file'), (f'{folder}/missing', 'No such file'),
                            (KERNEL, 'not a saved machine')):
            assert words in restore(path), path

    def test_options_of_the_saved_machine_are_refused(self):
        for option in (('--cpus', '2'), ('--memory', '16M'), ('--vtls', '3'), ('--boot-vtl', '0'), ('--testdev',)):
            done = subprocess.run([VMM, '--restore', self.path, *option], capture_output=True, text=True, timeout=TIMEOUT,
                                  check=False)
            assert done.returncode == 64 and 'is part of the saved machine' in done.stderr, done
        done = subprocess.run([VMM, KERNEL, '--paused'], capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 64 and '--paused needs --control' in done.stderr, done


if __name__ == '__main__':
    tapcase.main()
