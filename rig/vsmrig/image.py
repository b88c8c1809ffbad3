# SPDX-License-Identifier: BSD-2-Clause
"""The guest's root file system."""
import os
import pathlib

from . import cache, fetch, libraries, modules
from .cpio import Cpio
from .say import RigError

GUEST = pathlib.Path(__file__).resolve().parents[1] / 'guest'

# Working directory, and base of relative destinations.
WORK = '/work'

FOLDERS = ('/proc', '/sys', '/dev', '/bin', '/sbin', '/usr/bin', '/usr/sbin', '/etc', '/root', '/run', WORK)


class Image:

    def __init__(self, file):
        self.cpio = Cpio(file)
        self.libraries = set()

    def system(self, kernel_modules, parameters):
        """`kernel_modules`: result of modules.load_order(); `parameters`: of kvm_amd or kvm_intel."""
        for folder in FOLDERS:
            self.cpio.directory(folder)
        self.cpio.directory('/tmp', 0o1777)
        self.cpio.character_device('/dev/console', 5, 1)
        self.cpio.add('/bin/busybox', (cache.directory() / 'busybox/busybox').read_bytes(), 0o755)
        self.cpio.add('/init', (GUEST / 'init').read_bytes(), 0o755)
        self.cpio.add('/rig/agent', fetch.build('agent').read_bytes(), 0o755)
        self.cpio.add('/etc/passwd', b'root:x:0:0:root:/root:/bin/sh\n')
        self.cpio.add('/etc/group', b'root:x:0:\n')
        for name, data in kernel_modules:
            self.cpio.add('/rig/' + name, data)
        self.cpio.add('/rig/modules', ''.join(f'{name} {parameters if name in modules.VENDORS else ""}\n'
                                              for name, _ in kernel_modules).encode())

    def file(self, path, destination):
        """With the libraries of a program."""
        try:
            data = pathlib.Path(path).read_bytes()
            mode = os.stat(path).st_mode & 0o777
        except OSError as error:
            raise RigError(f'cannot read {path}: {error.strerror}') from error
        self.cpio.add(os.path.join(WORK, destination), data, mode)
        if libraries.is_elf(data):
            for library in libraries.needed(os.path.abspath(path)):
                self.library(library)

    def library(self, path):
        """At its path on the host."""
        if path in self.libraries:
            return
        self.libraries.add(path)
        self.cpio.add(path, pathlib.Path(path).read_bytes(), 0o755)

    def end(self):
        self.cpio.end()


def stock_modules(series, wanted, replacing=None):
    """Modules in the folder `replacing` replace stock ones."""
    stock = modules.index(cache.directory() / fetch.kernel_part(series) / 'modules')
    return modules.load_order(stock, modules.index(replacing) if replacing else {}, wanted)


def modules_from(folder, wanted):
    """For a kernel that is not the stock one."""
    return modules.load_order({}, modules.index(folder), wanted)
