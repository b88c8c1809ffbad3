# SPDX-License-Identifier: BSD-2-Clause
"""The least of TAP: cases that are functions, named by what they show."""
import sys
import traceback


class Skip(Exception):
    """Raised by a case that cannot be tried here; its text says why."""


def run(cases):
    """Runs the functions in the list and reports each; exits with 1 if one failed."""
    failed = 0
    print(f'1..{len(cases)}')
    for number, case in enumerate(cases, 1):
        name = case.__name__.replace('_', ' ')
        try:
            case()
            print(f'ok {number} - {name}')
        except Skip as why:
            print(f'ok {number} - {name} # SKIP {why}')
        except Exception:  # a case that breaks is a case that failed
            failed += 1
            print(f'not ok {number} - {name}')
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
