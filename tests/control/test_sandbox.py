#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The sandbox of a running machine, checked by another process. Usage: test_sandbox.py VMM KERNEL FILTER"""
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from sim_machine import TIMEOUT, Machine, wait_until

Machine.VMM, KERNEL = sys.argv[1:3]
FILTER = sys.argv[3] == 'true'
# landlock_create_ruleset(); a build with sanitizers has neither a filter nor landlock
FILES = FILTER and ctypes.CDLL(None).syscall(444, None, 0, 1) > 0
del sys.argv[1:]
OPTIONS = (KERNEL, '--memory', '16M', '--cpus', '2')
ROLES = ('vp0', 'vp1', 'control')
# Exit status after a refused system call: 128 + SIGSYS.
REFUSED = 128 + 31


def threads(process):
    for path in pathlib.Path(f'/proc/{process.pid}/task').iterdir():
        lines = (path / 'status').read_text().splitlines()
        yield dict(line.split(':', 1) for line in lines)


class Threads(unittest.TestCase):

    def test_every_thread_has_the_filter_and_no_privilege(self):
        found = []

        def are_complete():
            """A thread may not have its name and filter yet."""
            found[:] = threads(machine.process)
            filters = {thread['Name'].strip(): int(thread['Seccomp_filters']) for thread in found}
            return all(filters.get(name, -1) >= (2 if FILTER else 0) for name in ROLES)

        with Machine(*OPTIONS) as machine:
            wait_until(lambda: machine.serial() == '.')
            wait_until(are_complete)
        for thread in found:
            assert thread['NoNewPrivs'].strip() == '1', thread
            assert int(thread['CapEff'], 16) == int(thread['CapPrm'], 16) == 0, thread
            # A thread with a role has the filter of the role and that of the process.
            filters = 0 if not FILTER else 2 if thread['Name'].strip() in ROLES else 1
            assert int(thread['Seccomp_filters']) == filters, thread

    def test_off_sets_neither_a_filter_nor_no_new_privs(self):
        with Machine(*OPTIONS, '--sandbox', 'off') as machine:
            wait_until(lambda: machine.serial() == '.')
            for thread in threads(machine.process):
                assert int(thread['Seccomp_filters']) == 0 and thread['NoNewPrivs'].strip() == '0', thread

    @unittest.skipIf(os.geteuid() != 0, 'only root can become another user')
    def test_root_inspects_the_machine_of_another_user(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            with Machine(*OPTIONS, '--user', 'nobody', folder=folder) as machine:
                wait_until(lambda: machine.serial() == '.')
                assert {thread['Uid'].split()[0] for thread in threads(machine.process)} != {'0'}
                assert {int(thread['CapBnd'], 16) for thread in threads(machine.process)} == {0}
                assert machine.state() == 'running'
            assert not os.path.exists(machine.path)


class Violations(unittest.TestCase):

    OPTIONS = (KERNEL, '--memory', '16M', '--cpus', '7')

    def attacked(self, *options):
        machine = Machine(*self.OPTIONS, *options).start()
        wait_until(lambda: machine.serial() == '.')
        machine.ask('nmi', vp=0)
        return machine

    @unittest.skipUnless(FILTER, 'this build has no filter of system calls')
    def test_a_refused_call_is_named_and_ends_the_machine(self):
        machine = self.attacked()
        text = machine.process.communicate(timeout=TIMEOUT)[1].decode()
        assert machine.process.returncode == REFUSED, machine.process.returncode
        assert 'refused system call socket (41) in thread vp0' in text, text
        assert not os.path.exists(machine.path), 'the socket was not removed'

    def test_log_and_off_permit_the_call(self):
        for mode in ('log', 'off'):
            machine = self.attacked('--sandbox', mode)
            wait_until(lambda machine=machine: '0' in machine.serial())
            assert machine.state() == 'running'
            machine.stop()


class Folders(unittest.TestCase):

    @unittest.skipUnless(FILES, 'this kernel or build has no landlock')
    def test_a_machine_is_saved_only_to_folders_that_options_name(self):
        """The message must not deny a folder that is permitted, so it names the save folder as an example."""
        with tempfile.TemporaryDirectory() as other, tempfile.TemporaryDirectory() as traces, \
                tempfile.TemporaryDirectory() as saves, \
                Machine(*OPTIONS, '--trace', f'{traces}/trace', '--save-dir', saves) as machine:
            for command in ('save', 'core'):
                for folder in (machine.folder, traces, saves):
                    answer = machine.ask(command, file=f'{folder}/{command}')
                    assert answer['ok'] and os.path.getsize(f'{folder}/{command}'), answer
                answer = machine.ask(command, file=f'{other}/{command}')
                assert answer['error']['code'] == 'failed', answer
                assert answer['error']['message'].endswith(
                    f"the sandbox permits only folders that options name, such as '{saves}'"), answer
            assert os.listdir(other) == []

    @unittest.skipUnless(FILES, 'this kernel or build has no landlock')
    def test_the_folder_of_the_socket_is_named_without_save_dir(self):
        with tempfile.TemporaryDirectory() as other, Machine(*OPTIONS) as machine:
            answer = machine.ask('save', file=f'{other}/saved')
            assert f"such as '{machine.folder}'" in answer['error']['message'], answer

    def test_save_dir_permits_another_folder(self):
        with tempfile.TemporaryDirectory() as other, Machine(*OPTIONS, '--save-dir', other) as machine:
            assert machine.ask('save', file=f'{other}/saved')['ok']
            assert os.listdir(other) == ['saved']

    def test_save_dir_without_a_socket_is_refused(self):
        done = subprocess.run([Machine.VMM, *OPTIONS, '--save-dir', '/tmp'], capture_output=True, text=True, check=False,
                              timeout=TIMEOUT)
        assert done.returncode == 64 and '--save-dir needs --control' in done.stderr, done


if __name__ == '__main__':
    tapcase.main()
