# SPDX-License-Identifier: BSD-2-Clause
"""Bochs, from the packages of Debian 13."""
import dataclasses
import re
import shutil

from . import apt, cache, libraries
from .say import RigError, Unavailable, progress, say

# The version of Debian 12 lacks MBEC, that of sid has a miscompiled 64-bit IDIV. rig/bochs/preload.c depends on the build, too.
RELEASE = 'trixie'
VERSION = '3.0+dfsg-1'

LIBRARIES = 'usr/lib/x86_64-linux-gnu'
LIBRARY_PATH = 'lib/x86_64-linux-gnu:' + LIBRARIES
LOADER = LIBRARIES + '/ld-linux-x86-64.so.2'
PLUGINS = LIBRARIES + '/bochs/plugins'
SHARE = 'usr/share/bochs'
PROGRAM = 'usr/bin/bochs-bin'

# Unused plugins that need libraries of desktops. Bochs does not start without some other unused plugins.
LEFT_OUT = ('eth_', 'rfb_', 'soundalsa', 'soundpulse', 'soundoss')


def of_release(sources):
    """Changes the sources to RELEASE, since a mirror has several releases."""
    return [dataclasses.replace(source, suite=re.sub('^[^-/]+', RELEASE, source.suite)) for source in sources
            if not source.suite.endswith('-backports')]


def fetch_bochs(archive):
    """VERSION with its libraries."""
    # A separate state of apt, since packages of two releases must not be mixed.
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
