#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The `vsm` command as a user meets it. Usage: test_cli.py VSM"""
import os
import re
import subprocess
import sys

from tap import Skip, run

VSM = sys.argv[1]


def vsm(*arguments, **options):
    return subprocess.run([VSM, *arguments], capture_output=True, text=True, timeout=120, check=False, **options)


def without_a_command_the_list_is_shown_as_a_mistake():
    got = vsm()
    assert got.returncode == 64 and not got.stdout, got
    assert 'usage: vsm COMMAND' in got.stderr and '  probe ' in got.stderr, got


def help_lists_every_command_once():
    got = vsm('help')
    assert got.returncode == 0 and not got.stderr, got
    names = re.findall(r'^  (\w+) +\S', got.stdout, re.M)
    assert names and len(names) == len(set(names)), names
    for name in names:
        about = vsm('help', name)
        assert about.returncode == 0 and f'usage: vsm {name}' in about.stdout, about
    assert vsm('--help').stdout == got.stdout


def a_command_tells_its_own_help():
    assert '--json' in vsm('help', 'probe').stdout
    got = vsm('probe', '--help')
    assert got.returncode == 0 and '--json' in got.stdout, got


def the_version_is_the_librarys():
    got = vsm('--version')
    assert got.returncode == 0 and re.fullmatch(r'vsm \d+\.\d+\.\d+\n', got.stdout), got
    assert vsm('version').stdout == got.stdout


def an_unknown_command_gets_a_suggestion():
    got = vsm('porbe')
    assert got.returncode == 64 and not got.stdout, got
    assert "'porbe' is not a command" in got.stderr and "Did you mean 'probe'?" in got.stderr, got
    assert vsm('help', 'porbe').returncode == 64


def an_unknown_word_gets_no_suggestion():
    got = vsm('defenestrate')
    assert got.returncode == 64 and 'Did you mean' not in got.stderr, got


def wrong_options_are_told_from_a_verdict():
    for wrong in (['--jsno'], ['--timeout'], ['--timeout', '0'], ['--timeout', '-1'], ['--timeout', '5x'],
                  ['--timeout', '601'], ['extra'], ['-j', 'extra']):
        got = vsm('probe', *wrong)
        assert got.returncode == 64 and not got.stdout, (wrong, got)
        assert got.stderr.startswith('vsm probe: ') and 'vsm help probe' in got.stderr, (wrong, got)


def a_report_that_cannot_be_written_is_no_verdict():
    if not os.path.exists('/dev/full'):
        raise Skip('there is no /dev/full')
    with open('/dev/full', 'w', encoding='ascii') as full:
        got = subprocess.run([VSM, 'probe', '--no-live'], stdout=full, stderr=subprocess.PIPE, text=True,
                             timeout=60, check=False)
    assert got.returncode == 74 and 'cannot be written' in got.stderr, got


def the_quiet_report_is_the_end_of_the_long_one():
    long, short = vsm('probe'), vsm('probe', '--quiet')
    assert long.returncode == short.returncode, (long, short)
    assert long.stdout.endswith('\n\n' + short.stdout), (long.stdout, short.stdout)
    assert short.stdout.startswith(('Ready', 'Degraded', 'Cannot run')[short.returncode]), short


def without_root_it_works_too():
    if os.geteuid() != 0:
        raise Skip('not root, so every other case shows it')
    # By descriptor: the folder of the build may be closed to others.
    static = os.path.exists(VSM + '-static')
    tool = os.open(VSM + '-static' if static else VSM, os.O_RDONLY)
    got = subprocess.run(['probe', 'probe'], executable=f'/proc/self/fd/{tool}', pass_fds=[tool], capture_output=True,
                         text=True, timeout=120, check=False, user=65534, group=65534, extra_groups=[])
    if got.returncode == 127 and not static:
        raise Skip('the shared libraries are in a folder that is closed to other users')
    assert got.returncode in (0, 1, 2) and not got.stderr, got
    assert re.search(r'^  user +65534$', got.stdout, re.M), got.stdout
    if got.returncode == 2:
        assert 'user 65534 may not open it' in got.stdout or '/dev/kvm does not exist' in got.stdout, got.stdout


run([without_a_command_the_list_is_shown_as_a_mistake, help_lists_every_command_once, a_command_tells_its_own_help,
     the_version_is_the_librarys, an_unknown_command_gets_a_suggestion, an_unknown_word_gets_no_suggestion,
     wrong_options_are_told_from_a_verdict, a_report_that_cannot_be_written_is_no_verdict,
     the_quiet_report_is_the_end_of_the_long_one, without_root_it_works_too])
