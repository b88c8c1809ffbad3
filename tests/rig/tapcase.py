# SPDX-License-Identifier: BSD-2-Clause
"""unittest with TAP: each test's name, a sentence, is its method's name with spaces."""
import sys
import time
import unittest


class TapResult(unittest.TestResult):
    """Prints each result as it comes."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.begin = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()

    def _print(self, ok, test, directive=''):
        self.number += 1
        name = test._testMethodName.removeprefix('test_').replace('_', ' ')
        print(f'{"" if ok else "not "}ok {self.number} - {name}{directive}')
        print(f'# {time.monotonic() - self.begin:.1f} s', flush=True)

    def _fail(self, test, error):
        self._print(False, test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print('# ' + line, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._print(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._print(True, test, f' # SKIP {reason}')


def main():
    """Runs the tests of the main module, those named on the command line only if any are."""
    loader = unittest.defaultTestLoader
    names = sys.argv[1:]
    module = sys.modules['__main__']
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = TapResult()
    suite.run(result)
    print(f'1..{result.number}')
    sys.exit(0 if result.number and result.wasSuccessful() else 1)
