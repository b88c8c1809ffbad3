# SPDX-License-Identifier: BSD-2-Clause
"""Progress messages of a demonstration."""
import sys
import threading
import time


class Progress:
    """Prints progress to stderr: each step when it begins, and a reminder every 10 seconds."""

    def __init__(self, steps):
        self.steps = steps  # pairs: begin of an output line of the guest, and the step that this line begins
        self.begin = time.monotonic()
        self.step = ''
        self.since = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def _print(self, text):
        print(f'... {time.monotonic() - self.begin:4.0f} s  {text}', file=sys.stderr, flush=True)

    def _tick(self):
        while not self.over.wait(1):
            with self.lock:
                if self.step and time.monotonic() - self.since >= 10:
                    self.since = time.monotonic()
                    self._print(f'still: {self.step}')

    def at(self, step):
        """Begins a step; prints nothing if it is the current one."""
        with self.lock:
            if step != self.step:
                self.step, self.since = step, time.monotonic()
                if step:
                    self._print(step)

    def line(self, line):
        """Begins the step that an output line of the guest announces, if any."""
        for begin, step in self.steps:
            if line.startswith(begin):
                self.at(step)
