# SPDX-License-Identifier: BSD-2-Clause
"""rig/suite"""
import os
import pathlib
import sys
import time

from . import cache, options as option, place, tap
from .commands import reporting
from .guest import GuestLost
from .say import RigError, Unavailable, say


def write(text):
    """Flushes, so that results appear as they arrive."""
    sys.stdout.write(text)
    sys.stdout.flush()


class Listener:
    """Reads both streams: cmocka prints passed cases to stdout and failed ones to stderr."""

    def __init__(self, name, writer, log):
        self.name = name
        self.writer = writer
        self.log = log
        self.reader = tap.Reader()
        self.rest = {1: b'', 2: b''}

    def take(self, stream, data):
        """on_output of a runner."""
        self.log.write(data)
        self.log.flush()
        *lines, self.rest[stream] = (self.rest[stream] + data).split(b'\n')
        for line in lines:
            self._line(line)

    def end(self):
        """The last line may lack a newline."""
        for stream, rest in self.rest.items():
            if rest:
                self.rest[stream] = b''
                self._line(rest)

    def _line(self, raw):
        text = raw.decode('utf-8', 'replace').rstrip('\r')
        result = self.reader.line(text)
        if result:
            self.writer.result(result[0], f'{self.name}: {result[1]}')
        elif text.startswith('#'):
            self.writer.comment(f'{self.name}: {text[1:].strip()}')


class Suite:

    def __init__(self, options):
        self.options = options
        self.writer = tap.Writer(write)
        self.logs = pathlib.Path(options.logs or cache.TREE / 'build/rig-logs')
        self.logs.mkdir(parents=True, exist_ok=True)
        # cmocka writes TAP only with this variable.
        options.env.insert(0, ('CMOCKA_MESSAGE_OUTPUT', 'TAP'))

    def one(self, where, name, seconds, command):
        """After the loss of a guest the next program gets a new one."""
        begin = time.monotonic()
        with open(self.logs / f'{name}.log', 'wb') as log:
            listener = Listener(name, self.writer, log)
            # If no guest starts, the suite ends.
            if not where.runner:
                where.start()
            try:
                ending = where.run(command, seconds, listener.take)
                listener.end()
                complaint = self.judge(listener.reader, ending, seconds)
                details = ''
            except GuestLost as error:
                listener.end()
                complaint, _, details = str(error).partition('\n')
                log.write(b'\n' + details.encode() + b'\n')
                where.stop()
        if complaint:
            self.writer.result(False, f'{name}: {complaint}')
            self.writer.comment(details)
            self.writer.comment(f'the whole output: {self.logs / (name + ".log")}')
        elif listener.reader.skip_all:
            self.writer.result(True, f'{name} # SKIP {listener.reader.skip_all}')
        say(f'{name}: {listener.reader.count} cases in {time.monotonic() - begin:.1f} s')

    @staticmethod
    def judge(reader, ending, seconds):
        """None: the program as a whole has not failed."""
        if ending.how == 'timed-out':
            return f'its time of {seconds} s was up after {reader.count} cases'
        if ending.how == 'killed':
            return f'killed by signal {ending.number} after {reader.count} cases'
        if ending.how == 'not-started':
            return f'cannot be started: {os.strerror(ending.number)}'
        return reader.complaint(ending.number)

    def run(self):
        begin = time.monotonic()
        with place.Place(self.options, [command[0] for _, _, command in self.options.tests]) as where:
            for name, seconds, command in self.options.tests:
                self.one(where, name, seconds, command)
            if where.runner:
                where.runner.power_off()
        self.writer.end()
        done = self.writer
        say(f'{done.passed} passed, {done.failed} failed, {done.skipped} skipped in {time.monotonic() - begin:.0f} s')
        return 1 if done.failed else 0


@reporting
def suite(words):
    try:
        return Suite(option.parse_suite(words)).run()
    except Unavailable as error:
        write(f'1..0 # SKIP {str(error).splitlines()[0]}\n')
        say(str(error))
        return 0
    except RigError as error:
        # Ends the TAP stream; the rig's own message follows on stderr.
        write(f'Bail out! {str(error).splitlines()[0]}\n')
        raise
