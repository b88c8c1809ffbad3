# SPDX-License-Identifier: BSD-2-Clause
"""A running guest: boot, requests to its agent (rig/guest/agent.h), end."""
import dataclasses
import os
import re
import selectors
import shutil
import signal
import struct
import subprocess
import time

from . import image
from .clock import Clock
from .say import RigError, say

# Seconds of Clock until the next part of a file.
GET_TIMEOUT = 60

# Seconds to end a job after its timeout.
GRACE = 15

# In an error message: the last lines, or those from the crash on.
CONSOLE_LINES = 30
CONSOLE_LINES_OF_A_CRASH = 80
CRASH = re.compile(r'Kernel panic|Oops|BUG:|general protection fault|sysrq: Trigger a crash')
PANIC = re.compile(r'Kernel panic - not syncing: (.*)')

HEADER = struct.Struct('<III')

(REQUEST_RUN, REQUEST_GET, REQUEST_POWEROFF, REQUEST_STOP) = (1, 2, 3, 4)
(AGENT_READY, JOB_STDOUT, JOB_STDERR, JOB_EXITED, JOB_KILLED, JOB_TIMED_OUT, JOB_NOT_STARTED,
 FILE_DATA, FILE_END, FILE_ERROR) = range(16, 26)


class GuestLost(RigError):
    """Only another boot helps."""


class TimeUp(GuestLost):
    """A time limit has expired while the host waited for the guest."""


@dataclasses.dataclass
class Machine:
    """`memory` is in MB; `append`: words for the kernel's command line; `parameters`: of kvm_amd or kvm_intel."""
    cpus: int = 2
    memory: int = 1024
    mttcg: bool = False
    icount: bool = False
    append: str = ''
    parameters: str = ''


@dataclasses.dataclass
class Ending:
    """`how`: exited (`number`: status), killed (signal), timed-out or not-started (errno)."""
    how: str
    number: int
    seconds: float

    def status(self):
        """As of a shell; 124 after a timeout, as of timeout(1)."""
        if self.how == 'exited':
            return self.number
        if self.how == 'killed':
            return 128 + self.number
        if self.how == 'timed-out':
            return 124
        return 127 if self.number == 2 else 126


@dataclasses.dataclass
class Started:
    """`agent` and `console` have the methods of sockets. `noise`: pairs (stream, function) for other output of the
    emulator; the function reads the stream and returns the data."""
    process: subprocess.Popen
    agent: object
    console: object
    noise: tuple = ()


def memory_file(write, copy=None, name='root.cpio'):
    """A memfd that write(file) fills, so that nothing has to be removed. `copy`: a path for a copy. Returns the
    descriptor."""
    number = os.memfd_create(name, 0)
    with open(number, 'w+b', closefd=False) as file:
        write(file)
        if copy:
            with open(copy, 'wb') as kept:
                file.seek(0)
                shutil.copyfileobj(file, kept)
    return number


def cpu_seconds(pid):
    """Of all threads."""
    with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Guest:
    """One boot. Use as a context manager: at the end of the block the emulator is gone.

    `emulator` is a Qemu or a Bochs: `boot_timeout` is seconds from its start to AGENT_READY on a slow host;
    `final_line` is a pattern of the kernel's last line, after which the emulator is killed, or None if it exits
    itself. `initrd` is a descriptor."""

    def __init__(self, emulator, machine, kernel, write_image, keep=None, verbose=False):
        self.begin = time.monotonic()
        self.console = bytearray()
        self.verbose = verbose
        # A suite may boot more than once.
        self.console_log = open(os.path.join(keep, 'console.log'), 'ab') if keep else None
        self.buffer = bytearray()
        self.process = None
        self.ready = False
        self.emulator = emulator
        initrd = memory_file(write_image, os.path.join(keep, 'root.cpio') if keep else None)
        try:
            started = emulator.start(machine, kernel, initrd)
        except FileNotFoundError as error:
            raise RigError(f'{error.filename} is missing (setpriv is in the package util-linux)') from error
        finally:
            os.close(initrd)
        self.process, self.agent, self.serial = started.process, started.agent, started.console
        self.clock = Clock(self.process.pid)
        self.noise = started.noise
        # The functions return no data at the end of a stream.
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.agent, selectors.EVENT_READ)
        self.selector.register(self.serial, selectors.EVENT_READ, self._take_console)
        for stream, take in self.noise:
            self.selector.register(stream, selectors.EVENT_READ, take)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.agent.close()
        self.serial.close()
        for stream, _ in self.noise:
            stream.close()
        self.selector.close()
        if self.console_log:
            self.console_log.close()

    def console_lines(self):
        text = bytes(self.console).decode('utf-8', 'replace').replace('\r', '')
        return [line for line in text.split('\n') if line.strip()]

    def console_tail(self):
        lines = self.console_lines()
        tail = lines[-CONSOLE_LINES:]
        crash = lines[-CONSOLE_LINES_OF_A_CRASH:]
        while len(crash) > len(tail) and not CRASH.search(crash[0]):
            crash.pop(0)
        return '\n'.join('| ' + line for line in crash) or '| (the console is empty)'

    def _gone(self, waiting_for):
        """Returns the error for a guest whose channel to the agent has ended."""
        self._drain_console()
        panic = PANIC.search('\n'.join(self.console_lines()))
        what = (f'its kernel panicked: {panic.group(1)}' if panic else
                self.emulator.failure() or self._ending())
        return self._lost(GuestLost, f'the guest is gone while waiting for {waiting_for}; {what}')

    def _ending(self):
        name = self.emulator.name
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return f'{name} still runs'
        if status < 0:
            return f'{name} was ended by signal {-status}'
        return f'{name} failed with status {status}' if status else 'it powered itself off'

    def _lost(self, kind, what):
        return kind(f'{what}\nthe end of its console:\n{self.console_tail()}')

    def _take_console(self):
        data = self.serial.recv(65536)
        self.console += data
        del self.console[:-65536]
        if self.console_log:
            self.console_log.write(data)
            self.console_log.flush()
        if self.verbose:
            os.write(2, data)
        if self.emulator.final_line and self.emulator.final_line.search(self.console[-len(data) - 100:]):
            self.process.kill()
        return data

    def _take(self, key):
        """Unregisters a stream that has ended."""
        if not key.data():
            self.selector.unregister(key.fileobj)

    def _drain_console(self):
        self.selector.unregister(self.agent)
        while self.selector.get_map():
            ready = self.selector.select(0.2)
            for key, _ in ready:
                self._take(key)
            if not ready:
                return

    def _frame(self, deadline, waiting_for):
        """kind, value, payload. `deadline` is a time of self.clock."""
        frame = self._any_frame(deadline, waiting_for)
        if frame[0] == AGENT_READY and self.ready:
            raise self._lost(GuestLost, f'the guest has rebooted while waiting for {waiting_for}')
        return frame

    def _any_frame(self, deadline, waiting_for):
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
                if key.data:
                    self._take(key)
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
            raise self._gone('it to accept a request') from error

    def wait_until_ready(self):
        """Returns the seconds since the creation of this Guest, and the CPU time that the emulator used."""
        timeout = self.emulator.boot_timeout
        said = 2
        while True:
            try:
                kind, _, _ = self._frame(min(said, timeout), 'it to start')
            except TimeUp:
                if said >= timeout:
                    raise self._lost(GuestLost, f'the guest has not started in {timeout} s') from None
                say(f'booting the guest ... {said} s')
                said = 5 if said == 2 else said + 5
                continue
            if kind != AGENT_READY:
                raise self._lost(GuestLost, 'the guest sent an unknown frame instead of AGENT_READY')
            self.ready = True
            return time.monotonic() - self.begin, cpu_seconds(self.process.pid)

    def run(self, arguments, timeout, environment, on_output):
        """`timeout`: seconds of self.clock. Returns an Ending. Calls on_output(stream, data) as soon as output
        arrives; stream is 1 or 2."""
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
        """Returns the file's permissions."""
        self._send(REQUEST_GET, 0, os.fsencode(os.path.join(image.WORK, path)))
        while True:
            try:
                kind, value, data = self._frame(self.clock.now() + GET_TIMEOUT, f'the file {path}')
            except TimeUp as error:
                raise self._lost(TimeUp, str(error)) from None
            if kind == FILE_DATA:
                file.write(data)
            elif kind == FILE_END:
                return value
            elif kind == FILE_ERROR:
                raise RigError(f'cannot get {path} from the guest: {os.strerror(value)}')

    def power_off(self):
        """Powers the guest off, so that its console is complete."""
        try:
            self._send(REQUEST_POWEROFF)
            self.process.wait(30)
        except (GuestLost, subprocess.TimeoutExpired):
            pass


def end_on_signals():
    """Turns signals into SystemExit, so that cleanup runs."""
    def stop(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
