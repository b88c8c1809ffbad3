# SPDX-License-Identifier: BSD-2-Clause
"""unittest with TAP: each test's name, a sentence, is its method's name with spaces."""
import concurrent.futures
import sys
import threading
import time
import unittest


class TapResult(unittest.TestResult):
    """Prints each result immediately. May be called by any thread."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.number = 0
        self.begin = {}

    def startTest(self, test):
        super().startTest(test)
        self.begin[test] = time.monotonic()

    def _print(self, ok, test, directive='', details=''):
        name = test._testMethodName.removeprefix('test_').replace('_', ' ')
        with self.lock:
            self.number += 1
            lines = [f'{"" if ok else "not "}ok {self.number} - {name}{directive}',
                     f'# {time.monotonic() - self.begin[test]:.1f} s']
            lines += ['# ' + line for line in details.splitlines()]
            print('\n'.join(lines), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._print(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._print(False, test, details=self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._print(False, test, details=self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._print(True, test, f' # SKIP {reason}')


def flatten(suite):
    """The single tests of nested suites."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from flatten(part)
        else:
            yield part


def main(at_once=1):
    """Runs the tests of the main module, or only those that the command line names."""
    loader = unittest.defaultTestLoader
    names = sys.argv[1:]
    module = sys.modules['__main__']
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = TapResult()
    tests = list(flatten(suite))
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        # Exceptions of tests are in `result`; exceptions of the runner are bugs and raised here.
        list(pool.map(lambda test: test.run(result), tests))
    print(f'1..{len(tests)}')
    sys.exit(0 if tests and result.wasSuccessful() else 1)
