# SPDX-License-Identifier: BSD-2-Clause
"""Messages of the rig, on stderr: stdout belongs to the programs that it runs."""
import contextlib
import sys
import threading
import time


class RigError(Exception):
    """The rig, not the program in it, failed. The text has the cause and a remedy."""


class Unavailable(RigError):
    """A package that only some tests need is not available: these tests are skipped."""


def say(text):
    """Prints every line of `text` with the rig's name before it."""
    for line in text.rstrip('\n').split('\n'):
        print('rig: ' + line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(what, delay=2, every=10):
    """Prints a step that takes longer than `delay` seconds, and then its age every `every` seconds."""
    begin = time.monotonic()
    done = threading.Event()

    def report():
        if done.wait(delay):
            return
        say(f'{what} ...')
        while not done.wait(every):
            say(f'{what} ... {time.monotonic() - begin:.0f} s')

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()
