# SPDX-License-Identifier: BSD-2-Clause
"""Bochs, from the packages of Debian 13."""
import dataclasses
import re
import shutil

from . import apt, cache, libraries
from .say import RigError, Unavailable, progress, say

# Debian 12 has one without MBEC, sid one whose 64-bit IDIV is miscompiled. rig/bochs/preload.c depends on the build, too.
RELEASE = 'trixie'
VERSION = '3.0+dfsg-1'

# Of the unpacked packages.
LIBRARIES = 'usr/lib/x86_64-linux-gnu'
LIBRARY_PATH = 'lib/x86_64-linux-gnu:' + LIBRARIES
LOADER = LIBRARIES + '/ld-linux-x86-64.so.2'
PLUGINS = LIBRARIES + '/bochs/plugins'
SHARE = 'usr/share/bochs'
PROGRAM = 'usr/bin/bochs-bin'

# Plugins that nothing here uses, by the beginning of their names, and that want libraries of desktops. Bochs does not start
# without some of the others, although it uses none of them either.
LEFT_OUT = ('eth_', 'rfb_', 'soundalsa', 'soundpulse', 'soundoss')


def of_release(sources):
    """The same archives' sources of RELEASE: a mirror has more than one release."""
    return [dataclasses.replace(source, suite=re.sub('^[^-/]+', RELEASE, source.suite)) for source in sources
            if not source.suite.endswith('-backports')]


def fetch_bochs(archive):
    """The one version of Bochs that the rig supports, with its libraries."""
    # A state of its own: the packages of two releases do not mix.
    private = apt.Apt(cache.directory() / f'apt-{RELEASE}')
    private.update(of_release(archive.sources))
    found = private.candidate('bochs-term')
    if found != VERSION:
        said = private.failure(f"Debian's {RELEASE} on the mirrors configured here has no bochs-term {VERSION} "
                               f'(found: {found or "none"})')
        raise Unavailable(str(said))
    try:
        debs = private.fetch('bochs-term', VERSION, closure=True)
    except RigError as error:
        raise Unavailable(str(error)) from error
    with cache.publish('bochs') as folder, progress(f'unpacking Bochs {VERSION} and its libraries'):
        scratch = folder / 'unpacked'
        for deb in debs:
            apt.unpack(deb, scratch)
        plugins = [f'{PLUGINS}/{path.name}' for path in (scratch / PLUGINS).glob('*.so')
                   if not path.name.removeprefix('libbx_').startswith(LEFT_OUT)]
        wanted = {path for program in (PROGRAM, *plugins) for path in libraries.needed_below(scratch, program)
                  if not path.startswith('lib64/')} | {LOADER}
        for path in sorted(wanted):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy((scratch / path).resolve(), folder / path)
        for path in sorted((scratch / SHARE).iterdir()):
            if path.is_file():
                (folder / SHARE).mkdir(parents=True, exist_ok=True)
                shutil.copy(path.resolve(), folder / SHARE / path.name)
        shutil.rmtree(scratch)
        private.clean()
        (folder / 'version').write_text(VERSION + '\n')
    say(f'Bochs {VERSION} is in the cache')
