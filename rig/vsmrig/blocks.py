# SPDX-License-Identifier: BSD-2-Clause
"""KVM's modules with the building blocks of kernel/, built when first needed."""
import hashlib
import pathlib
import subprocess
import sys

from . import cache, fetch
from .process import tied
from .say import RigError

KERNEL = pathlib.Path(__file__).resolve().parents[2] / 'kernel'

# Files without effect on the modules.
NOT_BUILT = ('README.md', 'INSTALL.md', 'dkms.conf', 'load')


def series():
    """Series of kernels for which kernel/ has hooks."""
    return [path.name.removeprefix('hooks.').removesuffix('.count') for path in sorted(KERNEL.glob('hooks.*.count'))]


def name(which):
    """The folder's name depends on the kernel and the sources of kernel/."""
    digest = hashlib.sha256((cache.directory() / fetch.kernel_part(which) / 'version').read_bytes())
    for path in sorted(KERNEL.rglob('*')):
        if path.is_file() and path.name not in NOT_BUILT:
            digest.update(str(path.relative_to(KERNEL)).encode() + b'\0' + path.read_bytes())
    return 'kvm-' + digest.hexdigest()[:16]


def ensure(which=fetch.KERNEL_SERIES):
    """Returns the folder with the modules."""
    fetch.ensure(fetch.build_parts(which))
    folder = cache.directory() / name(which)
    if folder.exists():
        return folder
    with cache.lock():
        if folder.exists():
            return folder
        with cache.publish(folder.name) as new:
            done = subprocess.run(tied([str(KERNEL / 'build'), '--series', which, '--out', str(new / 'modules')]),
                                  stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
            if done.returncode:
                raise RigError('kernel/build has failed (see above)')
    return folder
