# SPDX-License-Identifier: GPL-2.0-or-later
"""Which QEMU the module is built for. It belongs to one version of Debian's package alone: QEMU has no stable ABI."""
import re
import subprocess

from vsmrig import cache, fetch
from vsmrig.say import RigError

PACKAGE = 'qemu-system-x86'

# The first that has the interfaces which qemu/accel uses; below the second they are the same.
OLDEST, NEWER = (10, 0), (10, 1)


def upstream(version):
    """(10, 0, 2) of 1:10.0.2+ds-2+deb13u1."""
    found = re.match(r'(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?', version)
    if not found:
        raise RigError(f'{version!r} is not the version of a package {PACKAGE}')
    return tuple(int(part or 0) for part in found.groups())


def check(version):
    """Refuses a version whose interfaces are others."""
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
