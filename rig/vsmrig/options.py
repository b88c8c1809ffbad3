# SPDX-License-Identifier: BSD-2-Clause
import argparse
import os
import re

from .fetch import KERNEL_SERIES, NEWEST
from .guest import Machine
from .say import RigError

TIME_UP = 124
RIG_FAILED = 125

STATUSES = '''\
exit status: that of the command (128 + N when signal N killed it; 126 or 127 when it could not be started);
124 when the time was up; 125 when the rig itself failed (no boot, kernel panic, a file missing, wrong usage)'''


class Parser(argparse.ArgumentParser):
    """Wrong usage is a failure of the rig."""

    def error(self, message):
        self.print_usage()
        self.exit(RIG_FAILED, f'rig: {message}\n')


def split_destination(text):
    """F or F:dest. A file with a colon in its name needs a destination unless the whole text is an existing file."""
    path, colon, destination = text.rpartition(':')
    if not colon or os.path.exists(text):
        return text, None
    return path, destination


def megabytes(text):
    """512, 512M, 2G."""
    match = re.fullmatch(r'(\d+)([MG]?)', text, re.IGNORECASE)
    if not match or not int(match.group(1)):
        raise argparse.ArgumentTypeError(f'{text} is not a size like 512M or 2G')
    return int(match.group(1)) * (1024 if match.group(2).upper() == 'G' else 1)


def positive(text):
    if not re.fullmatch(r'0*[1-9]\d{0,6}', text):
        raise argparse.ArgumentTypeError(f'{text} is not a number from 1')
    return int(text)


def cpu(text):
    """Returns vendor and model."""
    vendor, colon, model = text.partition(':')
    if vendor not in ('amd', 'intel') or bool(colon) != bool(model) or (model and vendor == 'amd'):
        raise argparse.ArgumentTypeError(f'{text} is not amd, intel, or intel:MODEL')
    return vendor, model


def variable(text):
    name, equals, value = text.partition('=')
    if not equals or not name:
        raise argparse.ArgumentTypeError(f'{text} is not NAME=VALUE')
    return name, value


def series(text):
    if text != NEWEST and not re.fullmatch(r'[1-9]\d*\.\d+', text):
        raise argparse.ArgumentTypeError(f'{text} is not a series of kernels like {KERNEL_SERIES}, nor "{NEWEST}"')
    return text


def add_series(parser):
    """rig/fetch has this option, too."""
    parser.add_argument('--series', type=series, default=os.environ.get('VSM_RIG_SERIES') or KERNEL_SERIES, metavar='N.M',
                        help=f"Debian's kernel of this series, or \"{NEWEST}\" ($VSM_RIG_SERIES, or {KERNEL_SERIES})")


def add_machine(parser):
    add_series(parser)
    parser.add_argument('--cpus', type=positive, metavar='N', help='CPUs of the guest (2; with --cpu intel 1)')
    parser.add_argument('--mem', type=megabytes, default=1024, metavar='M', help='its memory, as in 512M or 2G (1G)')
    parser.add_argument('--kernel', metavar='K', help="boot this kernel image instead of Debian's")
    parser.add_argument('--modules', metavar='DIR',
                        help='use modules of DIR, and stock ones for the rest unless --kernel is given')
    parser.add_argument('--blocks', action='store_true',
                        help='use a KVM with the building blocks of kernel/, which is built if the cache lacks it')
    parser.add_argument('--mttcg', action='store_true',
                        help='a host thread per CPU of the guest: no faster, and nested guests may crash')
    parser.add_argument('--icount', action='store_true',
                        help="the guest's TSC counts the instructions of all its CPUs instead of time")
    parser.add_argument('--append', default='', metavar='WORDS',
                        help="words for the end of the kernel's command line, as in 'lockdown=integrity'")
    parser.add_argument('--file', action='append', default=[], type=split_destination, metavar='F[:dest]',
                        help='copy a file to the guest; dest is relative to its working folder')


def add_running(parser):
    parser.add_argument('--cpu', metavar='CPU', type=cpu, default=os.environ.get('VSM_RIG_CPU'),
                        help='amd: QEMU, with SVM; intel, or intel:MODEL: Bochs, with VMX ($VSM_RIG_CPU, amd)')
    parser.add_argument('--kvm', default='', metavar='WORDS',
                        help="parameters for kvm_amd or kvm_intel, as in 'eptad=0'")
    parser.add_argument('--env', action='append', default=[], type=variable, metavar='NAME=VALUE',
                        help='set a variable for the program')
    parser.add_argument('--keep', nargs='?', const='', metavar='DIR',
                        help='keep the console of the guest and its root archive in DIR, or in a new folder that '
                             'is named (natively: the working folder)')
    parser.add_argument('--verbose', action='store_true', help="show the guest's console on stderr")
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--native', action='store_true', help='run on this host, which is the default if its KVM is suitable')
    where.add_argument('--rig', action='store_true', help='run in the guest, even if this host has a suitable KVM')


def parse_run(words):
    """The command follows "--"."""
    parser = Parser(prog='rig/run', usage='rig/run [options] -- command [argument ...]', epilog=STATUSES,
                    description='Runs one command as root in a Debian guest with KVM.')
    add_machine(parser)
    add_running(parser)
    parser.add_argument('--timeout', type=positive, default=300, metavar='S', help='seconds for the command (300)')
    parser.add_argument('--get', action='append', default=[], type=split_destination, metavar='F[:dest]',
                        help='copy a file from the guest when the command has ended')
    mine, command = (words[:words.index('--')], words[words.index('--') + 1:]) if '--' in words else (words, [])
    options = parser.parse_args(mine)
    if not command:
        parser.error('no command: rig/run [options] -- command [argument ...]')
    options.command = command
    return options


def parse_suite(words):
    """Sets `tests` to (name, seconds, command)."""
    parser = Parser(prog='rig/suite',
                    usage='rig/suite [options] -- name[:seconds] program [argument ...] [-- name ...] ...',
                    description='Runs test programs with TAP output in one guest, and prints one TAP stream.')
    add_machine(parser)
    add_running(parser)
    parser.add_argument('--timeout', type=positive, default=60, metavar='S',
                        help='seconds for a program that names none (60)')
    parser.add_argument('--logs', metavar='DIR', help="keep each program's output in DIR/name.log")
    groups = [[]]
    for word in words:
        if word == '--':
            groups.append([])
        else:
            groups[-1].append(word)
    options = parser.parse_args(groups[0])
    options.tests = []
    for group in groups[1:]:
        match = re.fullmatch(r'([A-Za-z0-9_.+-]+)(?::([1-9]\d*))?', group[0]) if len(group) > 1 else None
        if not match:
            parser.error(f'after -- comes "name[:seconds] program ...", not "{" ".join(group)}"')
        options.tests.append((match.group(1), int(match.group(2) or options.timeout), group[1:]))
    if not options.tests:
        parser.error('no program to run: rig/suite [options] -- name[:seconds] program ...')
    return options


def parse_shell(words):
    """Parses the command line of rig/shell."""
    parser = Parser(prog='rig/shell', description='An interactive root shell in the guest; `exit` ends it.')
    add_machine(parser)
    return parser.parse_args(words)


def vendor(options):
    """rig/shell has no option for the CPU, and uses amd."""
    return (getattr(options, 'cpu', None) or ('amd', ''))[0]


def machine(options):
    if options.icount and options.mttcg:
        raise RigError('--icount counts in one thread: leave out --mttcg')
    if options.mttcg and vendor(options) == 'intel':
        raise RigError('--mttcg is an option of QEMU: leave out --cpu intel')
    cpus = options.cpus or (1 if vendor(options) == 'intel' else 2)
    parameters = getattr(options, 'kvm', '')
    if vendor(options) == 'intel':
        # Bochs does not support APICv (REFUSED in bochs.py).
        parameters = ' '.join(filter(None, ('enable_apicv=0', parameters)))
    return Machine(cpus, options.mem, options.mttcg, options.icount, options.append, parameters)
