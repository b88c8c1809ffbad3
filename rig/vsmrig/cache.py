# SPDX-License-Identifier: BSD-2-Clause
"""A part is added completely or not at all."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile

from .say import RigError, progress

TREE = pathlib.Path(__file__).resolve().parents[2]


def directory():
    """$VSM_RIG_CACHE, or a folder in the build folder."""
    chosen = os.environ.get('VSM_RIG_CACHE')
    path = pathlib.Path(chosen).absolute() if chosen else TREE / 'build' / 'rig-cache'
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RigError(f'cannot create the cache {path}: {error.strerror}\n'
                       'set VSM_RIG_CACHE to a folder that you may write') from error
    return path


@contextlib.contextmanager
def lock():
    """One writer at a time; readers need no lock because `publish` renames."""
    with open(directory() / 'lock', 'w', encoding='ascii') as file:
        with progress('waiting for another run of the rig to fill the cache'):
            fcntl.flock(file, fcntl.LOCK_EX)
        # The holder of the lock may remove files of an interrupted writer.
        for left_over in directory().glob('.new-*'):
            shutil.rmtree(left_over, ignore_errors=True)
        yield


@contextlib.contextmanager
def publish(name):
    """Yields an empty folder that becomes cache/name when the block ends without an exception."""
    with tempfile.TemporaryDirectory(prefix='.new-', dir=directory()) as temporary:
        new = pathlib.Path(temporary) / 'new'
        new.mkdir()
        yield new
        final = directory() / name
        if final.exists():
            final.rename(pathlib.Path(temporary) / 'old')
        new.rename(final)
