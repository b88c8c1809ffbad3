# SPDX-License-Identifier: BSD-2-Clause
"""Tests rig/run with Bochs: its output, and the handling of errors. Usage: test_bochs_guest.py [CLASS ...]"""
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase
from vsmrig import bochs_fetch, cache, fetch

RUN = str(pathlib.Path(__file__).resolve().parents[3] / 'rig/run')
TIME_UP, RIG_FAILED = 124, 125
TIMEOUT = 600

# Maximum of the seconds of CPU time of Bochs from its start until the agent is ready.
FIRST_INSTRUCTION = 12


def rig(*words, cpu='intel', **more):
    """Runs rig/run. Output is bytes."""
    return subprocess.run([RUN, '--cpu', cpu, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                          check=False, timeout=TIMEOUT, **more)


class BochsTest(unittest.TestCase):
    """A scratch folder for every test."""

    def setUp(self):
        try:
            fetch.ensure(['bochs'])
        except bochs_fetch.Unavailable as error:
            self.skipTest(str(error).splitlines()[0])
        self.scratch = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix='rig-test-')))

    def expect(self, done, status):
        """Checks the exit status; a failure shows the whole output."""
        said = done.stderr[-3000:].decode(errors='replace')
        self.assertEqual(done.returncode, status, f'stdout: {done.stdout[-500:]}\nstderr: {said}')


class Short(BochsTest):
    """Tests of each run."""

    def test_a_program_has_kvm_on_vmx_and_its_status_output_and_files_are_returned(self):
        data = bytes(range(256)) * 300
        (self.scratch / 'in').write_bytes(data)
        done = rig('--file', self.scratch / 'in', '--get', f'out:{self.scratch}/out', '--env', 'X=a b', '--', 'sh', '-c',
                   'cat in; cp in out; echo "$X" >&2; grep -cw ept_mode_based_exec /proc/cpuinfo >&2; '
                   'cat /sys/module/kvm_intel/parameters/ept /sys/module/kvm_intel/parameters/unrestricted_guest >&2; '
                   'ls /dev/kvm >&2; exit 7')
        self.expect(done, 7)
        self.assertEqual(done.stdout, data)
        self.assertEqual((self.scratch / 'out').read_bytes(), data)
        self.assertRegex(done.stderr, rb'(?m)^a b\n1\nY\nY\n/dev/kvm\n')
        computed = re.search(rb'agent was ready, ([0-9.]+) s of CPU time', done.stderr)
        print(f'# {computed.group(1).decode()} s of CPU time until the agent was ready')
        self.assertLessEqual(float(computed.group(1)), FIRST_INSTRUCTION)

    def test_a_program_that_hangs_is_ended_after_the_timeout_and_its_files_are_kept(self):
        done = rig('--timeout', 3, '--get', f'left:{self.scratch}/left', '--', 'sh', '-c',
                   'trap "" TERM HUP; echo said; echo x > left; echo to-console > /dev/console; while :; do :; done')
        self.expect(done, TIME_UP)
        self.assertEqual(done.stdout, b'said\n')
        self.assertIn(b'time is up', done.stderr)
        self.assertIn(b'| to-console', done.stderr)
        self.assertEqual((self.scratch / 'left').read_bytes(), b'x\n')

    def test_a_kernel_panic_is_reported_with_its_reason_and_ends_the_guest(self):
        done = rig('--', 'sh', '-c', 'echo before; echo c > /proc/sysrq-trigger; sleep 1000')
        self.expect(done, RIG_FAILED)
        self.assertEqual(done.stdout, b'before\n')
        self.assertIn(b'its kernel panicked: sysrq triggered crash', done.stderr)
        self.assertIn(b'| ', done.stderr)

    def test_an_unknown_build_of_bochs_is_refused_before_it_boots(self):
        for part in cache.directory().iterdir():
            if part.name != 'bochs':
                (self.scratch / part.name).symlink_to(part)
        shutil.copytree(cache.directory() / 'bochs', self.scratch / 'x/bochs')
        program = self.scratch / 'x/bochs' / bochs_fetch.PROGRAM
        data = program.read_bytes()
        at = data.index(b'\x04\0\0\0\x14\0\0\0\3\0\0\0GNU\0') + 16
        program.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        for part in self.scratch.iterdir():
            if part.is_symlink():
                part.rename(self.scratch / 'x' / part.name)
        done = rig('--', 'true', env={**os.environ, 'VSM_RIG_CACHE': str(self.scratch / 'x')})
        self.expect(done, RIG_FAILED)
        self.assertIn(b'Bochs has ended: this build of Bochs is not supported by the rig', done.stderr)


class Long(BochsTest):
    """Tests of `make check-long`."""

    def test_a_reboot_and_a_power_off_end_the_guest(self):
        for how, why in (('reboot -f', b'reboot: Restarting system'), ('poweroff -f', b'powered itself off')):
            done = rig('--timeout', 100, '--', 'sh', '-c', f'{how}; sleep 1000')
            self.expect(done, RIG_FAILED)
            self.assertIn(why, done.stderr)

    def test_another_model_has_other_vmx_features(self):
        done = rig('--', 'grep', '-m1', 'vmx flags', '/proc/cpuinfo', cpu='intel:corei7_haswell_4770')
        self.expect(done, 0)
        self.assertRegex(done.stdout, rb' unrestricted_guest')
        self.assertNotIn(b'mode_based_exec', done.stdout)

    def test_signals_end_bochs_and_leave_no_process(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen([RUN, '--cpu', 'intel', '--', 'sh', '-c', 'echo ready; sleep 1000'],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.assertTrue(select.select([process.stdout], [], [], TIMEOUT)[0], 'the guest printed nothing')
            below = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
            self.assertTrue(below)
            process.send_signal(number)
            process.wait(TIMEOUT)
            process.stdout.close()
            until = time.monotonic() + TIMEOUT
            while any(self.runs(pid) for pid in below):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.1)

    @staticmethod
    def runs(pid):
        """Whether a process exists and is no zombie."""
        try:
            return ') Z ' not in pathlib.Path(f'/proc/{pid}/stat').read_text()
        except OSError:
            return False


if __name__ == '__main__':
    tapcase.main()
