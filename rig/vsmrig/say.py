# SPDX-License-Identifier: BSD-2-Clause
"""Messages on stderr: stdout belongs to the programs in the rig."""
import contextlib
import sys
import threading
import time


class RigError(Exception):
    """The rig itself has failed; the text has the cause and a remedy."""


class Unavailable(RigError):
    """Tests that need the package are skipped."""


def say(text):
    for line in text.rstrip('\n').split('\n'):
        print('rig: ' + line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(what, delay=2, every=10):
    """Prints a step after `delay` seconds, and then its age every `every` seconds."""
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
