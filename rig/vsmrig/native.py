# SPDX-License-Identifier: BSD-2-Clause
"""Runs programs on the host itself."""
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

from .guest import Ending
from .say import RigError

KVM_MODULES = {'svm': 'kvm_amd', 'vmx': 'kvm_intel'}


def obstacle(root='/'):
    """Returns why programs that need KVM cannot run on this host, or None. `root` has the folders proc, sys and dev."""
    root = pathlib.Path(root)
    if (root / 'sys/module/kvm_pvm').is_dir():
        return '/dev/kvm of this host belongs to kvm_pvm, which runs guests in an emulator; kvm_intel or kvm_amd is required'
    flags = set()
    for line in (root / 'proc/cpuinfo').read_text(errors='replace').splitlines():
        if line.startswith('flags'):
            flags = set(line.split())
            break
    extension = next((flag for flag in KVM_MODULES if flag in flags), None)
    if not extension:
        return 'the CPU offers neither SVM nor VMX'
    module = KVM_MODULES[extension]
    if not (root / f'sys/module/{module}').is_dir():
        return f'/dev/kvm of this host does not belong to {module}'
    if not os.access(root / 'dev/kvm', os.R_OK | os.W_OK):
        return '/dev/kvm is missing or closed to this user'
    if os.geteuid() != 0 and not os.access(root / 'dev/userfaultfd', os.R_OK | os.W_OK):
        try:
            allowed = (root / 'proc/sys/vm/unprivileged_userfaultfd').read_text().strip() == '1'
        except OSError:
            allowed = False
        if not allowed:
            return 'userfaultfd is closed to this user'
    return None


class Native:
    """Has the methods of Guest that Place and rig/run call. Programs run in the folder `keep`, else in one that is removed."""

    def __init__(self, keep=None):
        self.temporary = None if keep else tempfile.TemporaryDirectory(prefix='vsm-rig-')
        self.work = pathlib.Path(keep or self.temporary.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.temporary:
            self.temporary.cleanup()

    def put(self, path, destination):
        """`destination`: below the working folder."""
        target = self.work / destination
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        except OSError as error:
            raise RigError(f'cannot copy {path}: {error.strerror}') from error

    def run(self, arguments, timeout, environment, on_output):
        begin = time.monotonic()
        deadline = begin + timeout
        try:
            process = subprocess.Popen(arguments, cwd=self.work, env={**os.environ, **environment},
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       start_new_session=True)
        except OSError as error:
            return Ending('not-started', error.errno, 0.0)
        try:
            in_time = self._listen(process, deadline, on_output)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self._listen(process, time.monotonic() + 1, on_output)
        seconds = time.monotonic() - begin
        if not in_time:
            return Ending('timed-out', 0, seconds)
        if process.returncode < 0:
            return Ending('killed', -process.returncode, seconds)
        return Ending('exited', process.returncode, seconds)

    @staticmethod
    def _listen(process, deadline, on_output):
        """Reads until the program has ended and its pipes are empty, or the deadline. Returns whether the program has ended."""
        with selectors.DefaultSelector() as selector:
            for number, pipe in ((1, process.stdout), (2, process.stderr)):
                if not pipe.closed:
                    selector.register(pipe, selectors.EVENT_READ, number)
            while True:
                ended = process.poll() is not None
                left = deadline - time.monotonic()
                if left <= 0:
                    return ended
                # Poll, since the end of the program makes no pipe readable while a child keeps them open.
                ready = selector.select(0 if ended else min(left, 0.05))
                if ended and not ready:
                    return True
                for key, _ in ready:
                    data = os.read(key.fd, 65536)
                    if data:
                        on_output(key.data, data)
                    else:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()

    def get(self, path, file):
        try:
            with open(self.work / path, 'rb') as source:
                shutil.copyfileobj(source, file)
                return os.fstat(source.fileno()).st_mode & 0o777
        except OSError as error:
            raise RigError(f'cannot get {path}: {error.strerror}') from error

    def console_tail(self):
        return '| (native: no console)'

    def power_off(self):
        """There is no guest to power off."""
