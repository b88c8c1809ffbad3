# SPDX-License-Identifier: BSD-2-Clause
import re

RESULT = re.compile(r'(not )?ok\b(?:\s+(\d+))?(?:\s*-)?\s*(.*)')
PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*skip\b\s*(.*))?', re.IGNORECASE)
DIRECTIVE = re.compile(r'(?:^|\s)#\s*(skip|todo)\b', re.IGNORECASE)


class Reader:
    """Checks the output of a program."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.plan = None
        self.skip_all = None
        self.bail_out = None

    def line(self, text):
        """Returns (ok, description with its directive) for a result, else None. Indented lines belong to a subtest,
        whose own result includes them."""
        result = RESULT.fullmatch(text)
        if result:
            self.count += 1
            ok = not result.group(1)
            description = result.group(3) or f'case {self.count}'
            # A failure with a directive (TODO, SKIP) does not count.
            self.failed += not ok and not DIRECTIVE.search(description)
            return ok, description
        plan = PLAN.fullmatch(text)
        if plan:
            self.plan = int(plan.group(1))
            if self.plan == 0:
                self.skip_all = plan.group(2) or 'no reason given'
        elif text.startswith('Bail out!'):
            self.bail_out = text.removeprefix('Bail out!').strip() or 'no reason given'
        return None

    def complaint(self, status):
        """None: the program as a whole has not failed."""
        if self.bail_out:
            return f'bailed out: {self.bail_out}'
        if status and not self.failed:
            return f'ended with status {status} although no case failed'
        if self.plan is None:
            return f'printed no plan (1..N); {self.count} cases'
        if self.plan != self.count:
            return f'planned {self.plan} cases and ran {self.count}'
        return None


class Writer:
    """One stream for many programs."""

    def __init__(self, write):
        self.write = write
        self.passed = self.failed = self.skipped = self.count = 0

    def result(self, ok, description):
        """`description` may end in a directive."""
        self.count += 1
        directive = DIRECTIVE.search(description)
        if directive and directive.group(1).lower() == 'skip':
            self.skipped += 1
            # cmocka writes "not ok" for a case that skips itself, which Meson counts as a failure.
            ok = True
        elif ok or directive:
            self.passed += 1
        else:
            self.failed += 1
        self.write(f'{"" if ok else "not "}ok {self.count} - {description}\n')

    def comment(self, text):
        for line in text.splitlines():
            self.write(f'# {line}\n')

    def end(self):
        """The plan is at the end, since the number of results is unknown before."""
        self.write(f'1..{self.count}\n')
