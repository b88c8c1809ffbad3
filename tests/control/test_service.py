#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`vsm run` under a service manager, and --check, without a CPU. Usage: test_service.py SIM_VMM VSM KERNEL"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from sim_machine import TIMEOUT, Machine

VMM, VSM, KERNEL = sys.argv[1:4]
del sys.argv[1:4]  # the remaining arguments are the tests to run
Machine.VMM = VMM
OPTIONS = ('--memory', '16M', '--sandbox', 'auto')


class Manager:

    def __init__(self, abstract=False):
        self.own = tempfile.TemporaryDirectory()
        self.path = f'@vsm-test-{os.getpid()}' if abstract else f'{self.own.name}/notify'
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path.replace('@', '\0'))
        self.socket.settimeout(TIMEOUT)
        self.environment = {**os.environ, 'NOTIFY_SOCKET': self.path}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.own.cleanup()

    def message(self):
        return self.socket.recv(4096).decode()

    def is_silent(self):
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True


def run(program, *words, **options):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL,
                          **options)


class Notify(unittest.TestCase):

    def test_a_machine_that_runs_is_ready_and_stopping_when_it_ends(self):
        for abstract in (False, True):
            with Manager(abstract) as manager:
                with Machine(KERNEL, *OPTIONS, env=manager.environment) as machine:
                    assert manager.message() == 'READY=1'
                    # Neither a pause nor a reset is a new start.
                    for command in ('pause', 'pause', 'resume', 'resume', 'reset'):
                        assert machine.ask(command)['ok']
                    machine.stop()
                    assert manager.message() == 'STATUS=paused'
                    assert manager.message() == 'STATUS=running'
                    assert manager.message() == 'STOPPING=1'
                assert manager.is_silent()

    def test_a_machine_that_waits_is_ready_for_its_client(self):
        with Manager() as manager, Machine(KERNEL, *OPTIONS, '--paused', env=manager.environment) as machine:
            assert manager.message() == 'READY=1\nSTATUS=paused' and machine.state() == 'paused'

    def test_a_machine_that_cannot_start_is_never_ready(self):
        with Manager() as manager, tempfile.TemporaryDirectory() as folder:
            for words, status in (((f'{folder}/missing',), 2), ((KERNEL, '--cpus', '9'), 2), ((KERNEL, '--cpus', '0'), 64),
                                  ((KERNEL, '--trace', f'{folder}/no/t'), 2), ((KERNEL, '--check'), 0),
                                  (('--restore', KERNEL), 2)):
                done = run(VMM, *words, env=manager.environment)
                assert done.returncode == status and manager.is_silent(), (words, done)

    def test_a_socket_that_is_not_there_costs_a_warning(self):
        for name, text in (('/nowhere/notify', 'No such file'), ('relative', 'is no Unix socket'), ('/' + 'x' * 200, 'is no Unix socket')):
            with Machine(KERNEL, *OPTIONS, env={**os.environ, 'NOTIFY_SOCKET': name}) as machine:
                assert machine.state() == 'running'
                assert text in machine.stop()


class Check(unittest.TestCase):

    def setUp(self):
        self.own = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.own.name) / 'web.conf'

    def tearDown(self):
        self.own.cleanup()

    def check(self, text, *words, **options):
        self.file.write_text(text, encoding='utf-8')
        return run(VSM, 'run', '--check', '--config', str(self.file), *words, **options)

    def test_a_right_configuration_starts_nothing_and_leaves_no_file(self):
        done = self.check(f'kernel = {KERNEL}\nmemory = 16M\ntrace = t\nlog-file = l\nserial = file:s\ncontrol = c\npaused\n',
                          cwd=self.own.name)
        assert done.returncode == 0 and not done.stdout, done
        assert os.listdir(self.own.name) == ['web.conf']

    def test_what_is_wrong_has_its_status_and_its_line(self):
        for text, status, words in ((f'kernel = {KERNEL}\nmemory = 3M\n', 64, f'{self.file}:2: memory takes'),
                                    (f'kernel = {self.own.name}/none\n', 2, 'No such file'),
                                    (f'kernel = {self.own.name}\n', 2, 'a folder, not a file'),
                                    (f'kernel = {self.file}\n', 2, str(self.file)),
                                    (f'restore = {KERNEL}\n', 2, KERNEL), (f'restore = {self.own.name}\n', 2, 'a folder')):
            done = self.check(text)
            assert done.returncode == status and words in done.stderr and not done.stdout, (text, done)

    def test_a_configuration_that_cannot_be_read_has_the_status_of_a_missing_file(self):
        for path, text in ((self.file, 'No such file'), (self.own.name, 'a folder')):
            done = run(VSM, 'run', '--config', str(path))
            assert done.returncode == 2 and text in done.stderr, done

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists('/usr/bin/setpriv'), 'setpriv is not installed')
    def test_a_file_that_is_refused_is_reported_with_the_user_that_it_is_refused_to(self):
        os.chmod(self.own.name, 0o755)
        self.file.write_text('kernel = k\n', encoding='utf-8')
        self.file.chmod(0)
        lead = ['setpriv', '--reuid=65534', '--clear-groups'] if os.geteuid() == 0 else []
        # Execute it by a descriptor, since the build folder may be inaccessible to other users.
        tool = os.open(VSM, os.O_RDONLY)
        done = subprocess.run([*lead, f'/proc/self/fd/{tool}', 'run', '--config', str(self.file)], pass_fds=[tool],
                              capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if done.returncode == 127:
            raise unittest.SkipTest('the shared libraries are in a folder that is closed to other users')
        user = 65534 if lead else os.geteuid()
        assert done.returncode == 2 and f'Permission denied to user {user}' in done.stderr, done


if __name__ == '__main__':
    tapcase.main()
