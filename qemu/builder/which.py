# SPDX-License-Identifier: GPL-2.0-or-later
"""Selects the version of QEMU to build for. A module fits only one version of Debian's package: QEMU has no stable ABI."""
import re
import subprocess

from vsmrig import cache, fetch
from vsmrig.say import RigError

PACKAGE = 'qemu-system-x86'

# Versions for which a module can be built: from OLDEST up to NEWER, which is excluded.
OLDEST, NEWER = (10, 0), (10, 1)


def upstream(version):
    """(10, 0, 2) of 1:10.0.2+ds-2+deb13u1."""
    found = re.match(r'(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?', version)
    if not found:
        raise RigError(f'{version!r} is not the version of a package {PACKAGE}')
    return tuple(int(part or 0) for part in found.groups())


# Versions whose source can include qemu/accel: compat.h has no names for others, such as 10.1.
# Tests build QEMU of each version of IN_TREE. For UNTESTED no source was available to the tests.
IN_TREE, UNTESTED = ((10, 0), (10, 2)), ((11, 0), (11, 1))


def is_of(version, wanted):
    """Whether @wanted is the complete version of the package, or the first numbers of its upstream version."""
    if ':' in wanted or '-' in wanted or '+' in wanted:
        return version == wanted
    numbers = tuple(int(part) for part in wanted.split('.'))
    return upstream(version)[:len(numbers)] == numbers


def check_source(version):
    """Refuses a source of QEMU that qemu/accel does not support. X.Y.50 and above are development versions of the next release."""
    found = upstream(version)
    if found[:2] not in IN_TREE + UNTESTED or found[2] >= 50:
        *names, last = [f'{major}.{minor}.x' for major, minor in IN_TREE + UNTESTED]
        raise RigError(f'the source of QEMU {version} is not supported: qemu/accel can be a part of QEMU {", ".join(names)} and {last}')
    return version


def is_tested(version):
    """Whether tests run QEMU of that version with the accelerator built in."""
    return upstream(version)[:2] in IN_TREE


def check(version):
    """Refuses a version with other interfaces."""
    if not OLDEST <= upstream(version)[:2] < NEWER:
        raise RigError(f'QEMU {version} is not supported: qemu/accel is for QEMU 10.0.x '
                       '(Debian 13, or the backports of Debian 12)')
    return version


def installed():
    """The version of the installed package, or None."""
    done = subprocess.run(['dpkg-query', '-W', '-f', '${db:Status-Status} ${Version}', PACKAGE],
                          capture_output=True, text=True, check=False)
    status, _, version = done.stdout.partition(' ')
    return version if status == 'installed' else None


def of_the_rig():
    """The version of the package in the rig's cache, fetched if it is missing."""
    fetch.ensure(['qemu'])
    return (cache.directory() / 'qemu/version').read_text(encoding='ascii').strip()


def chosen_source(wanted):
    """The version whose source is to be built: the one given, or that of the package installed on this host."""
    version = wanted or installed()
    if not version:
        raise RigError(f'the package {PACKAGE} is not installed on this host: choose a version (--for 10.0) or a source (--source DIR)')
    return check_source(version)


def chosen(wanted):
    """The version to build for: the one given, that installed on this host, or that of the rig."""
    if wanted == 'rig':
        return check(of_the_rig())
    if wanted:
        return check(wanted)
    version = installed()
    if not version:
        raise RigError(f'the package {PACKAGE} is not installed on this host: install it, or choose a version '
                       '(--for VERSION; --for rig: the one that the tests use)')
    return check(version)
