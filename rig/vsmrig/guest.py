# SPDX-License-Identifier: BSD-2-Clause
"""A running guest: boots it, talks to its agent (rig/guest/agent.h), and ends it."""
import dataclasses
import os
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import time

from . import image
from .clock import Clock
from .say import RigError, say

# Seconds from QEMU's start to the agent's first word, on a slow host; as every limit here, of a Clock.
BOOT_PATIENCE = 120

# Seconds in which the agent must send the next piece of a file.
GET_PATIENCE = 60

# Seconds beyond a job's time in which the agent must have ended it.
GRACE = 15

# How much of the console an error shows: the last lines, or from the line on that says what went wrong.
CONSOLE_LINES = 30
CONSOLE_LINES_OF_A_CRASH = 80
CRASH = re.compile(r'Kernel panic|Oops|BUG:|general protection fault|sysrq: Trigger a crash')
PANIC = re.compile(r'Kernel panic - not syncing: (.*)')

HEADER = struct.Struct('<III')

(REQUEST_RUN, REQUEST_GET, REQUEST_POWEROFF, REQUEST_STOP) = (1, 2, 3, 4)
(AGENT_READY, JOB_STDOUT, JOB_STDERR, JOB_EXITED, JOB_KILLED, JOB_TIMED_OUT, JOB_NOT_STARTED,
 FILE_DATA, FILE_END, FILE_ERROR) = range(16, 26)


class GuestLost(RigError):
    """The guest no longer answers; only another boot helps."""


class TimeUp(GuestLost):
    """... and what ended it was the clock."""


@dataclasses.dataclass
class Machine:
    """What the guest has."""
    cpus: int = 2
    memory: int = 1024
    mttcg: bool = False
    icount: bool = False
    append: str = ''


@dataclasses.dataclass
class Ending:
    """How a program ended: `how` is exited, killed, timed-out or not-started."""
    how: str
    number: int
    seconds: float

    def status(self):
        """The exit status that a shell would give it; 124 when its time was up, as timeout(1) says."""
        if self.how == 'exited':
            return self.number
        if self.how == 'killed':
            return 128 + self.number
        if self.how == 'timed-out':
            return 124
        return 127 if self.number == 2 else 126


def memory_file(write, copy=None):
    """A file without a name that write(file) fills: nobody has to remove it. Returns its descriptor."""
    number = os.memfd_create('root.cpio', 0)
    with open(number, 'w+b', closefd=False) as file:
        write(file)
        if copy:
            with open(copy, 'wb') as kept:
                file.seek(0)
                shutil.copyfileobj(file, kept)
    return number


class Guest:
    """One boot. Use as a context manager: at the end of the block QEMU is gone."""

    def __init__(self, qemu, machine, kernel, write_image, keep=None, verbose=False):
        self.begin = time.monotonic()
        self.console = bytearray()
        self.verbose = verbose
        # Appended: a suite may boot more than once.
        self.console_log = open(os.path.join(keep, 'console.log'), 'ab') if keep else None
        self.buffer = bytearray()
        self.process = None
        self.agent, agent_far = socket.socketpair()
        self.serial, serial_far = socket.socketpair()
        initrd = memory_file(write_image, os.path.join(keep, 'root.cpio') if keep else None)
        try:
            passed = [agent_far.fileno(), serial_far.fileno(), initrd]
            command = qemu.command(machine, kernel, initrd, f'socket,fd={serial_far.fileno()}',
                                   agent_far.fileno())
            # Its own session: Ctrl-C is for us, and we end it.
            self.process = subprocess.Popen(
                command, cwd=qemu.folder, env=qemu.environment, pass_fds=passed, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=serial_far, stderr=serial_far)
        except FileNotFoundError as error:
            raise RigError(f'{error.filename} is missing (setpriv is in the package util-linux)') from error
        finally:
            os.close(initrd)
            agent_far.close()
            serial_far.close()
        self.clock = Clock(self.process.pid)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.agent, selectors.EVENT_READ)
        self.selector.register(self.serial, selectors.EVENT_READ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends QEMU, at once and in every case."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.agent.close()
        self.serial.close()
        self.selector.close()
        if self.console_log:
            self.console_log.close()

    def console_lines(self):
        """What the console has said, up to a bound."""
        text = bytes(self.console).decode('utf-8', 'replace').replace('\r', '')
        return [line for line in text.split('\n') if line.strip()]

    def console_tail(self):
        """The end of the guest's console."""
        lines = self.console_lines()
        tail = lines[-CONSOLE_LINES:]
        crash = lines[-CONSOLE_LINES_OF_A_CRASH:]
        while len(crash) > len(tail) and not CRASH.search(crash[0]):
            crash.pop(0)
        return '\n'.join('| ' + line for line in crash) or '| (the console is empty)'

    def _gone(self, waiting_for):
        """The error for a guest that has ended by itself."""
        self._drain_console()
        panic = PANIC.search('\n'.join(self.console_lines()))
        what = f'its kernel panicked: {panic.group(1)}' if panic else 'it switched itself off, or QEMU failed'
        return self._lost(GuestLost, f'the guest is gone while waiting for {waiting_for}; {what}')

    def _lost(self, kind, what):
        return kind(f'{what}\nthe end of its console:\n{self.console_tail()}')

    def _take_console(self):
        data = self.serial.recv(65536)
        if not data:
            self.selector.unregister(self.serial)
            return
        self.console += data
        del self.console[:-65536]
        if self.console_log:
            self.console_log.write(data)
            self.console_log.flush()
        if self.verbose:
            os.write(2, data)

    def _drain_console(self):
        """What the guest still said before it went."""
        while self.serial in self.selector.get_map():
            if not any(key.fileobj is self.serial for key, _ in self.selector.select(0.2)):
                return
            self._take_console()

    def _frame(self, deadline, waiting_for):
        """The next frame of the agent: kind, value, payload. `deadline` is a time of self.clock."""
        while True:
            if len(self.buffer) >= HEADER.size:
                kind, value, length = HEADER.unpack_from(self.buffer)
                end = HEADER.size + length
                if len(self.buffer) >= end:
                    payload = bytes(self.buffer[HEADER.size:end])
                    del self.buffer[:end]
                    return kind, value, payload
            left = deadline - self.clock.now()
            if left <= 0:
                raise TimeUp(f'the guest hangs: time is up while waiting for {waiting_for}')
            for key, _ in self.selector.select(left):
                if key.fileobj is self.serial:
                    self._take_console()
                    continue
                try:
                    data = self.agent.recv(1 << 20)
                except ConnectionResetError:
                    data = b''
                if not data:
                    raise self._gone(waiting_for)
                self.buffer += data

    def _send(self, kind, value=0, payload=b''):
        try:
            self.agent.sendall(HEADER.pack(kind, value, len(payload)) + payload)
        except OSError as error:
            raise self._gone('it to take a request') from error

    def wait_until_ready(self):
        """Returns the seconds that it took from the start of QEMU to the first instruction of a program."""
        said = 2
        while True:
            try:
                kind, _, _ = self._frame(min(said, BOOT_PATIENCE), 'it to start')
            except TimeUp:
                if said >= BOOT_PATIENCE:
                    raise self._lost(GuestLost, f'the guest has not started in {BOOT_PATIENCE} s') from None
                say(f'booting the guest ... {said} s')
                said = 5 if said == 2 else said + 5
                continue
            if kind != AGENT_READY:
                raise self._lost(GuestLost, 'the guest speaks another language than its agent')
            return time.monotonic() - self.begin

    def run(self, arguments, timeout, environment, on_output):
        """Runs a program, for `timeout` seconds of self.clock.

        on_output(stream, data) gets what it prints: stream 1 or 2, as it comes.
        """
        strings = [image.WORK, str(len(environment))]
        strings += [f'{name}={value}' for name, value in environment.items()] + list(arguments)
        payload = b''.join(os.fsencode(string) + b'\0' for string in strings)
        begin = time.monotonic()
        deadline = self.clock.now() + timeout
        stopping = False
        self._send(REQUEST_RUN, 0, payload)
        endings = {JOB_EXITED: 'exited', JOB_KILLED: 'killed', JOB_TIMED_OUT: 'timed-out',
                   JOB_NOT_STARTED: 'not-started'}
        while True:
            try:
                kind, value, data = self._frame(deadline, f'the end of {arguments[0]}')
            except TimeUp as error:
                if stopping:
                    raise self._lost(TimeUp, str(error)) from None
                self._send(REQUEST_STOP)
                stopping = True
                deadline += GRACE
                continue
            if kind in (JOB_STDOUT, JOB_STDERR):
                on_output(1 if kind == JOB_STDOUT else 2, data)
            elif kind in endings:
                return Ending(endings[kind], value, time.monotonic() - begin)

    def get(self, path, file):
        """Copies a file of the guest to `file`. Returns its permissions."""
        self._send(REQUEST_GET, 0, os.fsencode(os.path.join(image.WORK, path)))
        while True:
            try:
                kind, value, data = self._frame(self.clock.now() + GET_PATIENCE, f'the file {path}')
            except TimeUp as error:
                raise self._lost(TimeUp, str(error)) from None
            if kind == FILE_DATA:
                file.write(data)
            elif kind == FILE_END:
                return value
            elif kind == FILE_ERROR:
                raise RigError(f'cannot get {path} from the guest: {os.strerror(value)}')

    def power_off(self):
        """Lets the guest end by itself, so that the end of its console is complete."""
        try:
            self._send(REQUEST_POWEROFF)
            self.process.wait(30)
        except (GuestLost, subprocess.TimeoutExpired):
            pass


def end_on_signals():
    """Makes every usual way to end us raise, so that the blocks that clean up run."""
    def stop(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
