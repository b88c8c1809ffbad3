#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The control socket of a machine, and `vsm inspect`. Usage: test_control.py SIM_VMM VSM KERNEL SCHEMA"""
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import sim_machine
import tapcase
from sim_machine import TIMEOUT, Client, wait_until

VMM, VSM, KERNEL, SCHEMA = sys.argv[1:5]
del sys.argv[1:5]  # the remaining arguments are the tests to run
CODES = ('bad-request', 'not-found', 'busy', 'failed')
COMMANDS = ('help', 'inspect', 'memory', 'gva', 'pause', 'resume', 'save', 'core', 'nmi', 'events', 'reset', 'quit')


def validator(name):
    """Skips the test without the package jsonschema."""
    try:
        import jsonschema
    except ImportError:
        raise unittest.SkipTest('python3-jsonschema is not installed') from None
    with open(SCHEMA, encoding='utf-8') as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator({'$ref': f'#/$defs/{name}', '$defs': schema['$defs']})


class Machine(sim_machine.Machine):
    VMM = VMM

    def __init__(self, *options, **arguments):
        super().__init__(KERNEL, '--memory', '16M', *options, **arguments)

    def memory(self):
        """KiB of private memory."""
        return int(pathlib.Path(f'/proc/{self.process.pid}/status').read_text().split('RssAnon:')[1].split()[0])


def all_paths(client, path=''):
    """Yields (path, answer)."""
    answer = client.ask('inspect', path=path)
    yield path, answer
    for child in answer.get('result', {}).get('children', ()):
        yield from all_paths(client, f'{path}/{child["name"]}'.lstrip('/'))


def inspect(*words, status=0):
    done = subprocess.run([VSM, 'inspect', *words], capture_output=True, text=True, errors='replace',
                          timeout=TIMEOUT, check=False)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


class Answers(unittest.TestCase):

    def test_answers_of_all_paths_and_commands_match_the_schema(self):
        answers, requests = validator('answer'), validator('request')
        with Machine('--cpus', '2', '--boot-vtl', '1', '--testdev') as machine, Client(machine.path) as client:
            paths = dict(all_paths(client))
            for path, answer in paths.items():
                answers.validate(answer)
                kinds = [name for name in answers.schema['$defs'] if path.split('/')[-1] == name]
                for kind in kinds:
                    if 'value' in answer.get('result', {}):
                        validator(kind).validate(answer['result']['value'])
            for wanted in ('machine', 'counters', 'partition', 'partition/protection/0', 'devices/ioapic', 'vp/1',
                           'vp/0/vtl/1', 'vp/0/vtl/1/synic', 'vp/0/vtl/1/registers', 'vp/1/vtl/0/lapic'):
                assert paths[wanted]['ok'], wanted
            for request in ({'command': 'help'}, {'command': 'pause', 'id': 'x'}, {'command': 'resume', 'id': -3},
                            {'command': 'nmi', 'vp': '0x1'}, {'command': 'memory', 'gpa': 0, 'size': 4096},
                            {'command': 'events'}):
                requests.validate(request)
                client.send(json.dumps(request).encode() + b'\n')
                answer = client.receive()
                answers.validate(answer)
                assert answer['ok'] and answer.get('id') == request.get('id'), answer
            listed = [row['command'] for row in Client(machine.path).ask('help')['result']['commands']]
            assert tuple(listed) == COMMANDS

    def test_the_schema_refuses_invalid_answers(self):
        answers = validator('answer')
        for broken in ({}, {'ok': True}, {'ok': False}, {'ok': True, 'result': {}, 'extra': 1},
                       {'ok': False, 'error': {'code': 'no', 'message': 'x'}}, {'ok': True, 'result': {'path': 'x'}},
                       {'ok': True, 'result': {'path': '', 'children': [], 'value': {'rip': 3}}}):
            assert not answers.is_valid(broken), broken

    def test_memory_has_the_contents_of_guest_ram(self):
        with Machine() as machine, Client(machine.path) as client:
            # The kernel's code is loaded at this GPA.
            answer = client.ask('memory', gpa='0x101000', size=64)
            data = bytes.fromhex(answer['result']['data'])
            assert data in pathlib.Path(KERNEL).read_bytes() and any(data)
            assert client.ask('memory', gpa=0x1000000 - 8, size=8)['ok']
            for gpa, size in ((0x1000000 - 8, 9), ('0xffffffffffffffff', 2), (1 << 40, 1)):
                assert client.ask('memory', gpa=gpa, size=size)['error']['code'] == 'not-found'
            for size in (0, 4097, '0xffffffffffffffff'):
                assert client.ask('memory', gpa=0, size=size)['error']['code'] == 'bad-request'

    def test_memory_by_virtual_address_is_translated_by_the_page_tables(self):
        with Machine() as machine, Client(machine.path) as client:
            # The kernel starts without paging.
            data = client.ask('memory', gpa='0x101000', size=64)['result']['data']
            assert client.ask('gva', vp=0, vtl=0, gva='0x101000', size=64)['result'] == {'gva': '0x101000', 'data': data}
            for vp, vtl, gva, size, code in ((0, 0, 0x1000000 - 8, 9, 'not-found'), (0, 0, 0xf0000000, 4, 'not-found'),
                                             (1, 0, 0, 4, 'not-found'), (0, 3, 0, 4, 'not-found'),
                                             ('0x8000000000000000', 0, 0, 4, 'not-found'), (0, '0x100', 0, 4, 'not-found'), (0, 0, 0, 0, 'bad-request'),
                                             (0, 0, 0, 4097, 'bad-request')):
                assert client.ask('gva', vp=vp, vtl=vtl, gva=gva, size=size)['error']['code'] == code, (vp, vtl, gva, size)

    def test_a_core_file_has_memory_and_registers_for_gdb(self):
        with Machine('--cpus', '2') as machine, Client(machine.path) as client:
            path = f'{machine.folder}/core'
            code = client.ask('memory', gpa='0x101000', size=8)['result']['data']
            assert client.ask('core', file=path)['ok'] and machine.state() == 'running'
            assert client.ask('pause')['ok'] and client.ask('core', file=path)['ok'] and machine.state() == 'paused'
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            # The file includes the last byte of RAM; pages that were not written take no space.
            assert os.stat(path).st_size > 16 << 20 and os.stat(path).st_blocks * 512 < 8 << 20
            for wrong in (machine.folder, f'{machine.folder}/missing/core'):
                assert client.ask('core', file=wrong)['error']['code'] == 'failed'
            if not shutil.which('gdb'):
                self.skipTest('gdb is not installed')
            shown = subprocess.run(['gdb', '-nx', '-batch', '-c', path, '-ex', 'info threads', '-ex', 'x/8xb 0x101000',
                                    '-ex', 'info registers rip cs'], capture_output=True, text=True, timeout=TIMEOUT,
                                   check=False).stdout
            rip = client.ask('inspect', path='vp/0/vtl/0/registers')['result']['value']['rip']
            # A thread for VTL0 of each VP.
            assert re.findall(r'^\*? +\d +LWP (\d+)', shown, re.MULTILINE) == ['1', '17'], shown
            assert ''.join(re.findall(r'0x([0-9a-f]{2})\b', shown.split('0x101000:')[1].split('\n')[0])) == code, shown
            assert re.search(rf'^rip +{rip}\b', shown, re.MULTILINE), (rip, shown)

    def test_pause_stops_the_processors_and_resume_continues_them(self):
        with Machine('--cpus', '2') as machine, Client(machine.path) as client:
            assert machine.state() == 'running'
            for _ in range(2):
                assert client.ask('pause')['ok']
                assert machine.state() == 'paused'
            before = client.ask('inspect', path='counters')
            assert client.ask('nmi', vp=0)['ok']
            time.sleep(0.2)
            assert client.ask('inspect', path='counters') == before
            assert '0' not in machine.serial()
            assert client.ask('resume')['ok']
            assert machine.state() == 'running'
            wait_until(lambda: '0' in machine.serial())
            # The NMI that was sent meanwhile was not lost.
            assert machine.serial().count('0') == 1

    def test_a_hundred_pauses_of_several_clients_at_once(self):
        with Machine('--cpus', '4') as machine:
            clients = [Client(machine.path) for _ in range(8)]
            for number in range(100):
                for client in clients:
                    client.send(b'{"command":"pause","id":%d}\n{"command":"resume"}\n' % number)
                for client in clients:
                    assert client.receive() == {'id': number, 'ok': True, 'result': {}}
                    assert client.receive() == {'ok': True, 'result': {}}
            assert machine.state() == 'running'

    def test_a_reset_is_counted_and_a_paused_machine_stays_paused(self):
        with Machine() as machine, Client(machine.path) as client, Client(machine.path) as listener:
            assert listener.ask('events')['ok']
            assert client.ask('pause')['ok'] and listener.receive()['event'] == 'paused'
            assert client.ask('reset')['ok']
            assert listener.receive()['event'] == 'reset'
            assert machine.state() == 'paused'
            assert client.ask('inspect', path='machine')['result']['value']['resets'] == 1
            assert client.ask('resume')['ok'] and listener.receive()['event'] == 'resumed'

    def test_quit_ends_the_machine_and_removes_the_socket(self):
        with Machine() as machine, Client(machine.path) as client:
            assert client.ask('events')['ok']
            assert client.ask('quit')['ok']
            last = client.receive()
            assert last['event'] == 'end' and last['detail'] == '0x0', last
            assert client.receive() is None
            assert machine.wait() == 0
            assert not os.path.exists(machine.path)

    def test_events_arrive_and_those_that_do_not_fit_are_counted(self):
        events = validator('event')
        with Machine() as machine, Client(machine.path) as client, Client(machine.path) as other:
            assert client.ask('events')['ok']
            for number in range(1, 5):
                assert other.ask('nmi', vp=0)['ok']
                wait_until(lambda: machine.serial().count('0') >= number)
            told = dropped = 0
            while True:
                if told == 1500:
                    assert other.ask('pause')['ok']
                event = client.receive()
                events.validate(event)
                dropped += event.get('dropped', 0)
                if event['event'] == 'paused':
                    break
                assert event['event'] == 'INTERCEPT_IO' and event['arguments'][0] == '0x1', event
                told += 1
            assert dropped > 0 and told + dropped == 4 * 3000, (told, dropped)


class Abuse(unittest.TestCase):

    def check_alive(self, machine):
        with Client(machine.path) as client:
            assert client.ask('inspect', path='vp/0/vtl/0/registers')['ok']

    def test_invalid_requests_and_paths_are_refused_with_their_code(self):
        answers = validator('answer')
        lines = (b'', b'{', b'[]', b'3', b'"inspect"', b'null', b'{}', b'{"command":3}', b'{"command":"inspec"}',
                 b'{"command":"inspect"}', b'{"command":"inspect","path":3}', b'{"command":"pause","x":1}',
                 b'{"command":"pause","command":"quit"}', b'{"command":"nmi"}', b'{"command":"nmi","vp":-1}',
                 b'{"command":"nmi","vp":" 0"}', b'{"command":"nmi","vp":"0x"}', b'{"command":"nmi","vp":1e3}',
                 b'{"command":"save"}', b'{"command":"save","file":""}', b'{"command":"save","path":"x"}',
                 b'{"command":"memory","gpa":"0x1ffffffffffffffff","size":1}', b'{"command":"help","id":{}}',
                 b'{"command":"help"} x', b'\xff\xfe', b'{"command":"\xff"}', b'[' * 4000, b'{"a":' * 800,
                 b'{"command":"inspect","path":"\\u0000"}')
        with Machine() as machine, Client(machine.path) as client:
            for line in lines:
                client.send(line + b'\n')
                answer = client.receive()
                answers.validate(answer)
                assert answer['error']['code'] == 'bad-request', (line, answer)
            for path in ('x', 'vp/1', 'vp/x', 'vp/-1', 'vp/0/vtl/3', 'vp/00000000000', 'vp//0', '//', 'machine/x',
                         'vp/0/vtl/2/synic', 'devices/testdev', 'a/' * 100, 'x' * 3000, '%s%n'):
                answer = client.ask('inspect', path=path)
                answers.validate(answer)
                assert answer['error']['code'] == 'not-found', (path, answer)
            assert client.ask('nmi', vp=1)['error']['code'] == 'not-found'
            self.check_alive(machine)

    def test_truncated_and_invalid_utf_8_names_are_printed(self):
        answers, long = validator('answer'), 'x' + 'ß' * 300
        with tempfile.TemporaryDirectory() as folder:
            kernel = os.fsencode(folder) + b'/no \xff text'
            shutil.copy(KERNEL, kernel)
            machine = Machine(folder=folder)
            machine.options[machine.options.index(KERNEL)] = kernel
            with machine, Client(machine.path) as client:
                for command, fields in (('inspect', {'path': long}), (long, {}), ('help', {long: 1}),
                                        ('save', {'file': f'/no-where/{long}'})):
                    answer = client.ask(command, **fields)
                    answers.validate(answer)
                    assert 'x???' in answer['error']['message'], answer
                answer = client.ask('inspect', path='machine')
                answers.validate(answer)
                assert answer['result']['value']['kernel'] == f'{folder}/no ? text', answer

    def test_an_endless_line_is_refused(self):
        with Machine() as machine, Client(machine.path) as client:
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(10000):
                    client.send(b'x' * 4096)
            self.check_alive(machine)
        with Machine() as machine, Client(machine.path) as client:
            client.send(b'{"command":"help","id":"' + b'x' * 4072)
            assert 'at most 4095 bytes' in client.receive()['error']['message']
            assert client.receive() is None

    def test_the_longest_line_is_accepted_and_a_line_may_arrive_in_parts(self):
        with Machine() as machine, Client(machine.path) as client:
            head, tail = b'{"command":"pause","id":"', b'"}\n'
            line = head + b'y' * (4096 - len(head) - len(tail)) + tail
            client.send(line)
            assert client.receive()['id'] == 'y' * (4096 - len(head) - len(tail))
            for byte in b'{"command":"resume","id":1}\n{"command":"help","id":2}\n':
                client.send(bytes([byte]))
            assert client.receive()['id'] == 1 and client.receive()['id'] == 2

    def test_a_client_that_closes_its_end_still_gets_all_answers(self):
        with Machine() as machine, Client(machine.path) as client:
            client.send(b'{"command":"pause","id":1}\n{"command":"resume","id":2}\n{"command":"help","id":3}\n{"comm')
            client.socket.shutdown(socket.SHUT_WR)
            assert [client.receive()['id'] for _ in range(3)] == [1, 2, 3]
            # An incomplete line is no request.
            assert client.receive()['error']['code'] == 'bad-request'
            assert client.receive() is None

    def test_a_last_request_without_a_newline_is_answered_when_its_sender_closes_its_end(self):
        with Machine() as machine:
            for data in (b'{"command":"help","id":1}', b'{"command":"pause","id":2}\n{"command":"resume","id":1}'):
                with Client(machine.path) as client:
                    client.send(data)
                    client.socket.shutdown(socket.SHUT_WR)
                    answers = list(iter(client.receive, None))
                    assert [answer['ok'] for answer in answers] == [True] * (data.count(b'\n') + 1), answers
                    assert answers[-1]['id'] == 1
            with Client(machine.path) as client:
                client.send(b'x' * 4095)
                client.socket.shutdown(socket.SHUT_WR)
                assert client.receive()['error']['code'] == 'bad-request' and client.receive() is None

    def test_an_incomplete_line_of_a_disconnected_client_is_dropped(self):
        with Machine() as machine:
            for data in (b'', b'{"command":', b'{"command":"pause"}\n', b'{"command":"events"}\n'):
                with Client(machine.path) as client:
                    client.send(data)
            self.check_alive(machine)
            with Client(machine.path) as client:
                assert client.ask('resume')['ok']

    def test_random_bytes_do_no_harm(self):
        random.seed(6)
        words = [b'{', b'}', b'"', b':', b',', b'[', b']', b'\n', b'command', b'inspect', b'path', b'vp/0', b'id',
                 b'\\u', b'0x', b'1', b'-', b'memory', b'gpa', b'\x00', b'\xff', b'true', b'null', b' ']
        with Machine('--cpus', '2') as machine:
            for _ in range(60):
                with Client(machine.path) as client:
                    data = b''.join(random.choice(words) for _ in range(random.randrange(400)))
                    client.send(data + b'\n')
                    assert not client.receive()['ok']
            self.check_alive(machine)

    def test_a_client_that_does_not_read_slows_no_other_and_is_disconnected(self):
        request = b'{"command":"inspect","path":"vp/0/vtl/0/registers"}\n'
        with Machine() as machine, Client(machine.path, 0.5) as lazy, Client(machine.path) as deaf:
            assert deaf.ask('events')['ok']
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < (64 << 20):
                    lazy.send(request * 100)
                    sent += 100 * len(request)
            begin = time.monotonic()
            for _ in range(20):
                self.check_alive(machine)
                with Client(machine.path) as client:
                    assert client.ask('nmi', vp=0)['ok']
            assert time.monotonic() - begin < 8
            assert machine.memory() < 512 << 10
            # The client has not read for too long: it is disconnected.
            lazy.socket.settimeout(TIMEOUT)
            time.sleep(12)
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(100):
                    lazy.send(request)
            self.check_alive(machine)

    def test_a_thousand_connections_leave_no_descriptor_and_no_memory(self):
        with Machine() as machine:
            files = f'/proc/{machine.process.pid}/fd'
            before = len(os.listdir(files))
            for count in (100, 1000):
                memory = machine.memory()
                for _ in range(count):
                    with Client(machine.path) as client:
                        assert client.ask('help')['ok']
                wait_until(lambda: len(os.listdir(files)) <= before)
                self.check_alive(machine)
            # Sanitizers keep freed memory; ASan reports leaks itself.
            assert machine.memory() - memory < 100 or b'san_init' in pathlib.Path(VMM).read_bytes()

    def test_clients_beyond_the_limit_are_rejected(self):
        with Machine() as machine:
            clients = [Client(machine.path) for _ in range(16)]
            assert all(client.ask('help')['ok'] for client in clients)
            with Client(machine.path) as one_more:
                assert one_more.receive()['error']['code'] == 'busy'
                assert one_more.receive() is None
            clients.pop().__exit__()
            wait_until(lambda: Client(machine.path).ask('help')['ok'])


class Socket(unittest.TestCase):

    def test_the_socket_is_accessible_only_to_its_owner_regardless_of_the_umask(self):
        before = os.umask(0)
        try:
            with Machine() as machine:
                mode = os.stat(machine.path).st_mode
                assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
                # The serial output has the same mode, and the umask of the machine is restored.
                assert stat.S_IMODE(os.stat(machine.out).st_mode) == 0o600
                status = pathlib.Path(f'/proc/{machine.process.pid}/status').read_text()
                assert 'Umask:\t0000' in status, status
        finally:
            os.umask(before)

    def test_the_socket_of_a_dead_machine_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(folder=folder).start()
            machine.process.send_signal(signal.SIGKILL)
            machine.stop()
            assert os.path.exists(machine.path)
            with Machine(folder=folder) as other:
                assert other.state() == 'running'

    def test_the_socket_of_a_running_machine_is_not_replaced(self):
        with Machine() as machine:
            done = subprocess.run([*machine.options, '--control', machine.path], capture_output=True, text=True,
                                  timeout=TIMEOUT, check=False)
            assert done.returncode == 2 and 'is in use' in done.stderr, done
            assert machine.state() == 'running'

    def test_files_other_than_sockets_are_not_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            options = Machine(folder=folder).options
            pathlib.Path(f'{folder}/file').write_text('mine')
            os.symlink('nowhere', f'{folder}/link')
            os.mkdir(f'{folder}/folder')
            for name, words in (('file', 'is not a socket'), ('link', 'is not a socket'), ('folder', 'is not a socket'),
                                ('missing/control', 'No such file'), ('x' * 120, 'at most 107 bytes')):
                done = subprocess.run([*options, '--control', f'{folder}/{name}'], capture_output=True, text=True,
                                      timeout=TIMEOUT, check=False)
                assert done.returncode == 2 and words in done.stderr, done
            assert pathlib.Path(f'{folder}/file').read_text() == 'mine'

    def test_a_lock_on_the_folder_does_not_block_the_machine(self):
        """Any user may lock a folder that is readable, such as /tmp."""
        with tempfile.TemporaryDirectory() as folder:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            begin = time.monotonic()
            with Machine(folder=folder) as machine:
                assert machine.state() == 'running' and time.monotonic() - begin < 30
            os.close(descriptor)

    def test_of_many_machines_that_start_at_the_same_path_one_gets_it(self):
        for stale in (False, True, True):
            with tempfile.TemporaryDirectory() as folder:
                if stale:
                    machine = Machine(folder=folder).start()
                    machine.process.send_signal(signal.SIGKILL)
                    machine.stop()
                options = [*Machine(folder=folder).options, '--control', f'{folder}/control']
                processes = [subprocess.Popen(options, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.PIPE, text=True) for _ in range(6)]
                wait_until(lambda: sum(process.poll() is None for process in processes) == 1)
                for process in processes:
                    if process.poll() is None:
                        winner = process
                    else:
                        error = process.communicate()[1]
                        assert process.returncode == 2 and 'is in use' in error, error
                with Client(f'{folder}/control') as client:
                    assert client.ask('quit')['ok']
                winner.communicate(timeout=TIMEOUT)
                assert winner.returncode == 0
                assert sorted(set(os.listdir(folder)) - {'control.serial'}) == []

    @unittest.skipUnless(os.geteuid() == 0, 'only root can create a socket of another user')
    def test_a_socket_of_another_user_is_kept(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            server.bind(f'{folder}/control')
            os.chown(f'{folder}/control', 65534, 65534)
            before = os.lstat(f'{folder}/control')
            done = subprocess.run([*Machine(folder=folder).options, '--control', f'{folder}/control'],
                                  capture_output=True, text=True, timeout=TIMEOUT, check=False)
            assert done.returncode == 2 and 'a socket of another user (65534)' in done.stderr, done
            after = os.lstat(f'{folder}/control')
            assert (before.st_ino, before.st_uid) == (after.st_ino, after.st_uid)
            assert sorted(set(os.listdir(folder)) - {'control.serial'}) == ['control']

    @unittest.skipUnless(os.geteuid() == 0, 'only root can connect as another user')
    def test_rejected_clients_of_gdb_do_not_fill_the_log(self):
        with socket.create_server(('127.0.0.1', 0)) as free:
            address = free.getsockname()
        with Machine('--gdb', f':{address[1]}') as machine:
            for _ in range(5):
                os.seteuid(65534)
                client = socket.socket()
                os.seteuid(0)
                with client:
                    client.settimeout(TIMEOUT)
                    client.connect(address)
                    assert client.recv(1) == b''
            # One of this user is accepted.
            with socket.create_connection(address, TIMEOUT) as client:
                client.sendall(b'$qAttached#8f')
                assert client.recv(8).startswith(b'+')
            assert machine.stop().count('gdb: clients of other users are rejected') == 1

    def test_the_socket_is_removed_when_a_signal_ends_the_machine(self):
        machine = Machine().start()
        machine.process.send_signal(signal.SIGTERM)
        assert machine.wait() == 128 + signal.SIGTERM
        assert not os.path.exists(machine.path)

    def test_a_path_that_another_file_has_taken_is_kept(self):
        with Machine() as machine:
            os.unlink(machine.path)
            pathlib.Path(machine.path).write_text('other')
            machine.stop()
            assert pathlib.Path(machine.path).read_text() == 'other'


class Command(unittest.TestCase):

    def test_without_a_path_inspect_lists_paths_and_commands(self):
        with Machine() as machine:
            text = inspect(machine.path)
            for word in ('Paths:', 'vp', 'partition', 'Commands:', *COMMANDS):
                assert f'{word}' in text, word

    def test_values_are_printed_as_text_and_as_json(self):
        with Machine('--cpus', '2', '--boot-vtl', '1') as machine:
            text = inspect(machine.path, 'vp/1/vtl/1/registers')
            assert 'rip              0xfff0\n' in text and 'selector 0xf000' in text
            assert json.loads(inspect('--json', machine.path, 'vp/0'))['result']['value']['enabled_vtls'] == [0, 1]
            assert 'access rwx' in inspect(machine.path, 'partition/protection/0')
            assert 'state            running\n' in inspect(machine.path, 'machine')

    def test_commands_of_inspect_reach_the_machine(self):
        with Machine() as machine:
            for command in (('pause',), ('nmi', '0'), ('resume',), ('reset',)):
                assert inspect(machine.path, *command) == ''
            assert inspect(machine.path, 'memory', '0x101000', '4').split() == ['gpa', '0x101000', 'data', '02b0ad1b']
            assert inspect(machine.path, 'quit') == ''
            assert machine.wait() == 0

    def test_events_are_printed_until_the_end(self):
        with Machine() as machine:
            process = subprocess.Popen([VSM, 'inspect', machine.path, 'events'], stdout=subprocess.PIPE, text=True)
            time.sleep(0.5)
            inspect(machine.path, 'pause')
            assert 'paused' in process.stdout.readline()
            inspect(machine.path, 'quit')
            text = process.communicate(timeout=TIMEOUT)[0]
            assert 'end' in text.splitlines()[-1] and process.returncode == 0

    def test_each_kind_of_error_has_a_message_and_a_status(self):
        with Machine() as machine:
            assert 'nothing at' in inspect(machine.path, 'vp/7', status=1)
            for words in (('nmi',), ('pause', 'now'), ('machine', 'x'), ('memory', '0')):
                inspect(machine.path, *words, status=64)
            for words in ((b'vp/\xff',), ('save', b'/x\xff'), ('save', b'x\xff'), ('memory', b'\xff', '1')):
                assert 'is not UTF-8' in inspect(machine.path, *words, status=64), words
            assert 'nmi takes 1 argument: vp' in inspect(machine.path, 'nmi', status=64)
            assert 'gva takes 4 arguments: vp, vtl, gva, size' in inspect(machine.path, 'gva', status=64)
            assert 'empty' in inspect(machine.path, 'save', '', status=1)
            machine.process.send_signal(signal.SIGKILL)
            machine.stop()
            assert 'has ended' in inspect(machine.path, 'machine', status=2)
        assert 'no such socket' in inspect('/nowhere/control', 'machine', status=2)
        inspect(status=64)
        inspect('--nonsense', status=64)

    @unittest.skipUnless(shutil.which('objdump'), 'objdump is not installed')
    def test_code_is_disassembled_as_objdump_does(self):
        listing = subprocess.run(['objdump', '-d', '-M', 'intel', '--insn-width=15', KERNEL], capture_output=True, text=True,
                                 check=True).stdout.partition('<start>:\n')[2]
        theirs = [(int(address, 16), data.replace(' ', ''), target) for address, data, target in
                  re.findall(r'^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t.*?(?: (<.*>))?$', listing, re.M)][:60]
        with Machine('--boot-vtl', '1') as machine:
            text = inspect('--symbols', KERNEL, machine.path, 'code', '0', '1', 'start', '60')
            assert text.startswith('start:\n'), text
            ours = [(int(address, 16), data, target) for address, data, target in
                    re.findall(r'^(?:=>|  ) +(0x[0-9a-f]+)  ([0-9a-f]+) .*?(?:  (<.*>))?$', text, re.M)]
            assert [line[:2] for line in ours] == [line[:2] for line in theirs], (ours, theirs)
            # objdump prints symbols of jump targets, but not of data.
            assert all(line[2] in ('', other[2]) for line, other in zip(theirs, ours)), (ours, theirs)
            assert sum(bool(line[2]) for line in theirs) > 10, theirs

    def test_code_begins_at_the_next_instruction_and_marks_it(self):
        with Machine('--boot-vtl', '1') as machine:
            inspect(machine.path, 'pause')
            rip = json.loads(inspect('--json', machine.path, 'vp/0/vtl/1/registers'))['result']['value']['rip']
            text = inspect('-s', KERNEL, machine.path, 'code', '0', '1', 'rip', '2')
            assert re.search(rf'^=> +{rip}  ', text, re.M) and len(text.splitlines()) >= 2, text
            assert inspect(machine.path, 'code', '0', '1', 'rip', '2') == re.sub(r'^.*:\n|  <.*>$', '', text, flags=re.M)
            moved = inspect('-s', KERNEL, '--offset', '0x1000', machine.path, 'code', '0', '1', '0x102020', '1')
            assert moved.startswith('start:\n'), moved
            assert inspect('-s', KERNEL, machine.path, 'gva', '0', '1', 'start+1', '4') == \
                inspect(machine.path, 'gva', '0', '1', '0x101021', '4')

    def test_code_that_cannot_be_shown_is_refused_with_the_reason(self):
        with Machine('--boot-vtl', '1') as machine:
            for words, status, said in ((('code', '0', '0'), 1, 'not mapped'), (('code', '7', '1'), 1, 'nothing at'),
                                        (('code', '0', '1', 'start'), 64, 'need --symbols'), (('code', '0'), 64, 'code takes'),
                                        (('code', '0', '1', '0', '257'), 64, '1 to 256')):
                assert said in inspect(machine.path, *words, status=status), words
            assert 'not an ELF file' in inspect('-s', __file__, machine.path, 'code', '0', '1', status=66)
            assert 'No such file' in inspect('-s', '/nowhere', machine.path, 'code', '0', '1', status=66)
            assert 'no symbol' in inspect('-s', KERNEL, machine.path, 'code', '0', '1', 'nonesuch', status=64)
            assert 'text' in inspect('--json', machine.path, 'code', '0', '1', status=64)

    def test_a_mistyped_command_gets_a_suggestion(self):
        with Machine() as machine:
            assert "did you mean the command 'pause'?" in inspect(machine.path, 'pasue', status=1)
            assert "did you mean 'save'?" in inspect(machine.path, 'svae', '/tmp/x', status=64)
            for path in ('vp/7', 'machin'):
                assert 'did you mean' not in inspect(machine.path, path, status=1)

    @unittest.skipUnless(os.geteuid() == 0, 'only root can be another user')
    def test_a_server_of_another_user_is_refused(self):
        script = ('import socket,sys\nserver = socket.socket(socket.AF_UNIX)\nserver.bind(sys.argv[1])\nserver.listen()\n'
                  'print("there", flush=True)\npeer, _ = server.accept()\npeer.settimeout(10)\nprint(len(peer.recv(100)))')
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            with subprocess.Popen(['/usr/bin/python3', '-c', script, f'{folder}/control'], user=65534, text=True,
                                  stdout=subprocess.PIPE) as process:
                assert process.stdout.readline() == 'there\n'
                assert 'another user (65534)' in inspect(f'{folder}/control', 'save', '/tmp/x', status=2)
                # The server received nothing.
                assert process.stdout.readline() == '0\n'

    @unittest.skipUnless(os.geteuid() == 0, 'only root can be another user')
    def test_root_reaches_a_machine_in_a_private_folder_with_the_rights_of_its_user(self):
        # The server returns the client's user, group and supplementary groups at that time, read from /proc.
        script = ('import json,socket,struct,sys\nserver = socket.socket(socket.AF_UNIX)\nserver.bind(sys.argv[1])\nserver.listen()\n'
                  'print("there", flush=True)\npeer, _ = server.accept()\npeer.recv(100)\n'
                  'pid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]\n'
                  'lines = [line.split() for line in open(f"/proc/{pid}/status") if line[:4] in ("Uid:", "Gid:", "Grou")]\n'
                  'peer.sendall(json.dumps({"id": 1, "ok": True, "result": {"value": {line[0]: " ".join(line[1:]) for line in lines}}})'
                  '.encode() + b"\\n")\n')
        with tempfile.TemporaryDirectory(dir='/run') as folder:
            os.chmod(folder, 0o755)
            private, public = f'{folder}/private', f'{folder}/public'
            os.mkdir(private, 0o700)
            os.mkdir(public)
            os.chmod(public, 0o1777)
            os.mkdir(f'{public}/private', 0o700)
            os.symlink(private, f'{folder}/link')
            for path in (private, f'{public}/private'):
                os.chown(path, 65534, 65534)
            for path, accepted in ((private, True), (f'{folder}/link', False), (f'{public}/private', False), (public, False)):
                with subprocess.Popen(['/usr/bin/python3', '-c', script, f'{path}/control'], user=65534, group=65534,
                                      extra_groups=[], text=True, stdout=subprocess.PIPE) as process:
                    assert process.stdout.readline() == 'there\n'
                    done = subprocess.run([VSM, 'inspect', f'{path}/control', 'machine'], extra_groups=[4], capture_output=True,
                                          text=True, timeout=TIMEOUT, check=False)
                    if accepted:
                        for line in (r'Uid: +65534 65534 65534 65534', r'Gid: +65534 65534 65534 65534', r'Groups: +'):
                            assert re.search(f'^{line}$', done.stdout, re.M), done
                    else:
                        assert done.returncode == 2 and 'another user (65534)' in done.stderr, done
                os.unlink(f'{path}/control')
                # A relative path, from inside the folder, is accepted, too.
                if path == private:
                    with subprocess.Popen(['/usr/bin/python3', '-c', script, f'{path}/control'], user=65534, text=True,
                                          stdout=subprocess.PIPE) as process:
                        assert process.stdout.readline() == 'there\n'
                        done = subprocess.run([VSM, 'inspect', 'control', 'machine'], cwd=path, capture_output=True,
                                              text=True, timeout=TIMEOUT, check=False)
                        assert done.returncode == 0, done
                    os.unlink(f'{path}/control')

    def test_answers_print_no_control_characters_to_the_terminal(self):
        hostile = (b'{"id":1,"ok":true,"result":{"value":{"a\\u001b[2J":"b\\u009bc\\n\\td\xc2\x9b\x7fe\\\\u001b","n":[{"k\\r":"\\u0007"}]}}}\n',
                   b'{"id":1,"ok":false,"error":{"code":"x","message":"no\\u001b]0;title\\u0007"}}\n')
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            path = f'{folder}/control'
            server.bind(path)
            server.listen()
            for answer in hostile:
                for words in ((), ('--json',)):
                    with subprocess.Popen([VSM, 'inspect', *words, path, 'machine'], stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE) as process:
                        peer, _ = server.accept()
                        peer.recv(100)
                        peer.sendall(answer)
                        peer.close()
                        text = b''.join(process.communicate(timeout=TIMEOUT)).decode()
                    assert text and not re.search(r'[\x00-\x09\x0b-\x1f\x7f-\x9f]', text), text
                    # An escaped backslash does not begin another escape.
                    assert not words or not re.search(r'\\u00[01]', text.replace('\\\\', '')), text

    def test_a_machine_that_ends_during_an_answer_is_detected(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
            path = f'{folder}/control'
            server.bind(path)
            server.listen()
            # Escapes at the end of the buffer of 120 bytes, which getline() allocates first.
            cut = [b'{"a":"' + b'x' * (113 - len(end)) + end for end in (b'\\', b'\\u', b'\\u1', b'\\u01', b'\\u001')]
            for answer in (b'', b'{"ok":tr', b'[]\n', b'\xff\n', *cut):
                process = subprocess.Popen([VSM, 'inspect', path, 'pause'], stderr=subprocess.PIPE, text=True)
                peer, _ = server.accept()
                peer.recv(100)
                peer.sendall(answer)
                peer.close()
                assert 'ended before' in process.communicate(timeout=TIMEOUT)[1] and process.returncode == 3, answer


if __name__ == '__main__':
    tapcase.main()
