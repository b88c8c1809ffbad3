#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line of `vsm`. Usage: test_cli.py VSM"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'rig'))

# pylint: disable=wrong-import-position
import tapcase

VSM = sys.argv.pop(1)


def vsm(*arguments, **options):
    return subprocess.run([VSM, *arguments], capture_output=True, text=True, timeout=120, check=False, **options)


class TheCommand(unittest.TestCase):

    def test_without_a_command_the_list_is_printed_as_an_error(self):
        got = vsm()
        assert got.returncode == 64 and not got.stdout, got
        assert 'usage: vsm COMMAND' in got.stderr and '  probe ' in got.stderr, got

    def test_help_lists_every_command_once(self):
        got = vsm('help')
        assert got.returncode == 0 and not got.stderr, got
        names = re.findall(r'^  (\w+) +\S', got.stdout, re.M)
        assert names and len(names) == len(set(names)), names
        for name in names:
            about = vsm('help', name)
            assert about.returncode == 0 and f'usage: vsm {name}' in about.stdout, about
        assert vsm('--help').stdout == got.stdout

    def test_a_command_prints_its_own_help(self):
        assert '--json' in vsm('help', 'probe').stdout
        got = vsm('probe', '--help')
        assert got.returncode == 0 and '--json' in got.stdout, got

    def test_the_version_is_the_librarys(self):
        got = vsm('--version')
        assert got.returncode == 0 and re.fullmatch(r'vsm \d+\.\d+\.\d+\n', got.stdout), got
        assert vsm('version').stdout == got.stdout

    def test_an_unknown_command_gets_a_suggestion(self):
        got = vsm('porbe')
        assert got.returncode == 64 and not got.stdout, got
        assert "'porbe' is not a command" in got.stderr and "Did you mean 'probe'?" in got.stderr, got
        assert vsm('help', 'porbe').returncode == 64

    def test_a_command_of_a_machine_is_named_with_the_one_that_takes_it(self):
        for name in ('pause', 'resume', 'save', 'core', 'nmi', 'events', 'reset', 'quit', 'memory', 'gva', 'code'):
            got = vsm(name, '/run/vsm/web/control')
            assert got.returncode == 64 and f'`vsm inspect SOCKET {name}`' in got.stderr, got

    def test_a_letter_or_an_option_in_place_of_a_command_gets_a_suggestion(self):
        for typed, meant in (('-v', '-V'), ('--verison', '--version'), ('--hepl', '--help')):
            got = vsm(typed)
            assert got.returncode == 64 and f"Did you mean '{meant}'?" in got.stderr, got

    def test_messages_of_metrics_are_its_own(self):
        got = vsm('metrics', '/nowhere/control')
        assert got.returncode == 2 and got.stderr.startswith('vsm metrics: /nowhere/control: '), got

    def test_no_help_has_two_spaces_in_a_sentence(self):
        for name in re.findall(r'^  (\w+) +\S', vsm('help').stdout, re.M):
            for line in (*vsm('help').stdout.splitlines(), *vsm('help', name).stdout.splitlines()):
                assert not re.search(r'[,;.]  \w', line), line

    def test_an_unknown_word_gets_no_suggestion(self):
        got = vsm('defenestrate')
        assert got.returncode == 64 and 'Did you mean' not in got.stderr, got

    def test_wrong_options_are_distinguished_from_a_verdict(self):
        for wrong in (['--jsno'], ['--timeout'], ['--timeout', '0'], ['--timeout', '-1'], ['--timeout', '5x'],
                      ['--timeout', '601'], ['extra'], ['-j', 'extra']):
            got = vsm('probe', *wrong)
            assert got.returncode == 64 and not got.stdout, (wrong, got)
            assert got.stderr.startswith('vsm probe: ') and 'vsm help probe' in got.stderr, (wrong, got)

    def test_a_wrong_option_of_any_command_gets_a_suggestion(self):
        for command, wrong, meant in (('probe', '--jsno', 'json'), ('probe', '--timout=3', 'timeout'), ('trace', '--cuont', 'count'),
                                      ('trace', '--evnets', 'events'), ('report', '--ouptut', 'output'),
                                      ('inspect', '--jsn', 'json'), ('metrics', '--hepl', 'help'), ('dump', '--hlep', 'help'),
                                      ('help', '--hepl', 'help'), ('version', '--hepl', 'help')):
            got = vsm(command, wrong)
            assert got.returncode == 64 and not got.stdout, (command, got)
            wanted = f"vsm {command}: '{wrong.partition('=')[0]}' is not an option; did you mean '--{meant}'?"
            assert got.stderr.startswith(wanted) and f'vsm help {command}' in got.stderr, got

    def test_a_wrong_option_far_from_all_gets_no_suggestion(self):
        commands = re.findall(r'^  (\w+) +\S', vsm('help').stdout, re.M)
        for command in commands:
            for wrong in ('--defenestrate', '-Z'):
                got = vsm(command, wrong)
                assert got.returncode == 64 and not got.stdout, (command, got)
                assert f"'{wrong}'" in got.stderr and 'did you mean' not in got.stderr, got

    def test_a_missing_or_superfluous_value_is_reported(self):
        for arguments, text in ((['probe', '--timeout'], "'--timeout' needs a value"), (['probe', '-t'], "'-t' needs a value"),
                                (['probe', '--json=yes'], "'--json' takes no value"), (['report', '-o'], "'-o' needs a value"),
                                (['trace', '--vp'], "'--vp' needs a value"), (['dump', '--help=x'], "'--help' takes no value")):
            got = vsm(*arguments)
            assert got.returncode == 64 and not got.stdout and text in got.stderr, got

    def test_every_command_prints_its_help(self):
        for command in re.findall(r'^  (\w+) +\S', vsm('help').stdout, re.M):
            for option in ('--help', '-h'):
                got = vsm(command, option)
                assert got.returncode == 0 and got.stdout.startswith(f'vsm {command}: ') and not got.stderr, got

    def test_a_report_that_cannot_be_written_has_another_status_than_a_verdict(self):
        if not os.path.exists('/dev/full'):
            raise unittest.SkipTest('there is no /dev/full')
        with open('/dev/full', 'w', encoding='ascii') as full:
            got = subprocess.run([VSM, 'probe', '--no-live'], stdout=full, stderr=subprocess.PIPE, text=True,
                                 timeout=60, check=False)
        assert got.returncode == 74 and 'cannot be written' in got.stderr, got

    def test_the_quiet_report_is_the_end_of_the_long_one(self):
        long, short = vsm('probe'), vsm('probe', '--quiet')
        if 3 in (long.returncode, short.returncode) and long.returncode != short.returncode:
            raise unittest.SkipTest('the host is too busy')
        assert long.returncode == short.returncode, (long, short)
        verdict, hint, _ = short.stdout.partition('`vsm probe` without --quiet')
        assert long.stdout.endswith('\n\n' + verdict), (long.stdout, short.stdout)
        assert bool(hint) == (short.returncode in (1, 2)), short.stdout
        assert short.stdout.startswith(('Ready', 'Degraded', 'Cannot run', 'Not known')[short.returncode]), short

    def test_probe_works_without_root(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest('all other cases run without root')
        # The build folder may be inaccessible to other users.
        static = os.path.exists(VSM + '-static')
        tool = os.open(VSM + '-static' if static else VSM, os.O_RDONLY)
        got = subprocess.run(['probe', 'probe'], executable=f'/proc/self/fd/{tool}', pass_fds=[tool], capture_output=True,
                             text=True, timeout=120, check=False, user=65534, group=65534, extra_groups=[])
        if got.returncode == 127 and not static:
            raise unittest.SkipTest('the shared libraries are in a folder that is closed to other users')
        assert got.returncode in (0, 1, 2, 3) and not got.stderr, got
        assert re.search(r'^  user +65534$', got.stdout, re.M), got.stdout
        if got.returncode == 2:
            assert 'user 65534 may not open it' in got.stdout or '/dev/kvm does not exist' in got.stdout, got.stdout


tapcase.main()
