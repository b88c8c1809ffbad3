# SPDX-License-Identifier: BSD-2-Clause
import os
import pathlib
import re
import shutil
import socket
import subprocess

from . import cache, fetch
from .guest import Started
from .process import own_environment, tied
from .say import RigError

# A panic or an oops ends the guest immediately (with QEMU's -no-reboot). The rest speeds up the start; mitigations
# would slow down each of the many exits of nested guests.
KERNEL_COMMAND_LINE = ('console=ttyS0 panic=-1 oops=panic mitigations=off tsc=reliable '
                       'no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1')

# The software CPU offers ERMS but moves one byte at a time in REP MOVSB and STOSB. Without the feature
# kernels copy words, and the relative cost of a copy is about that of a real CPU.
CPU = 'max,-erms,-fsrm,-fzrm,-fsrs,-fsrc'


# One instruction per nanosecond.
ICOUNT_TSC_KHZ = 1000000


def tsc_khz():
    """See rig/host/tsc_khz.c."""
    done = subprocess.run([fetch.build('tsc_khz')], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip().isdigit():
        raise RigError(f'cannot measure the TSC of this host: tsc_khz ended with status {done.returncode}')
    return int(done.stdout)


def major_of(program):
    """0: unknown."""
    try:
        said = subprocess.run([program, '--version'], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r'version (\d+)\.', said)
    return int(match.group(1)) if match else 0


def chosen_by_user():
    """VSM_RIG_QEMU, the host's own QEMU if it is new enough, or None."""
    program = os.environ.get('VSM_RIG_QEMU')
    if program:
        if major_of(program) < fetch.QEMU_MINIMUM:
            raise RigError(f'VSM_RIG_QEMU={program} is not a QEMU {fetch.QEMU_MINIMUM} or newer')
        return program
    program = shutil.which('qemu-system-x86_64')
    return program if program and major_of(program) >= fetch.QEMU_MINIMUM else None


class Qemu:
    """`words` are the beginning of the command line; QEMU runs in `folder` with `environment`."""

    name = 'QEMU'
    boot_timeout = 120
    final_line = None  # with -no-reboot QEMU ends when the kernel does

    def __init__(self, program=None):
        self.environment = own_environment()
        if program:
            self.words, self.folder = [program], '/'
            return
        # Unpacked packages have their own loader and libraries. All paths are relative to their root, since
        # a library path cannot contain a colon, and QEMU searches its files relative to the loader.
        root = cache.directory() / 'qemu'
        loader = next(iter(sorted(root.glob('**/x86_64-linux-gnu/ld-linux-x86-64.so.2'))), None)
        if not loader:
            raise RigError(f'{root} has no dynamic loader: remove it and run rig/fetch')
        places = [place for place in ('lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu')
                  if (root / place).is_dir()]
        self.words = [str(loader.relative_to(root)), '--library-path', ':'.join(places),
                      'usr/bin/qemu-system-x86_64', '-L', 'usr/share/qemu', '-L', 'usr/share/seabios',
                      '-L', 'usr/lib/ipxe/qemu']
        self.folder = str(root)
        self.environment['QEMU_MODULE_DIR'] = 'usr/lib/x86_64-linux-gnu/qemu'

    def command(self, machine, kernel, initrd_fd, console, agent_fd=None, kernel_words=''):
        """`console`: the chardev for the serial port, without its id."""
        khz = ICOUNT_TSC_KHZ if machine.icount else tsc_khz()
        words = self.words + [
            '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-M', 'q35,hpet=off,vmport=off',
            '-accel', 'tcg,thread=' + ('multi' if machine.mttcg else 'single'),
            '-cpu', CPU, '-smp', str(machine.cpus), '-m', f'{machine.memory}M',
            '-kernel', str(pathlib.Path(kernel).absolute()), '-initrd', f'/proc/self/fd/{initrd_fd}',
            '-append', ' '.join(filter(None, (KERNEL_COMMAND_LINE, f'tsc_early_khz={khz}', kernel_words, machine.append))),
            '-chardev', console + ',id=console', '-serial', 'chardev:console']
        if machine.icount:
            # A nanosecond of the guest's time for each instruction, and a TSC of 1 GHz.
            words += ['-icount', 'shift=0']
        if agent_fd is not None:
            words += ['-device', 'virtio-serial-pci,max_ports=2', '-chardev', f'socket,id=agent,fd={agent_fd}',
                      '-device', 'virtserialport,chardev=agent,name=rig,nr=1']
        return tied(words)

    @staticmethod
    def failure():
        """QEMU reports its errors on the console."""
        return None

    def start(self, machine, kernel, initrd):
        agent, agent_far = socket.socketpair()
        console, console_far = socket.socketpair()
        try:
            command = self.command(machine, kernel, initrd, f'socket,fd={console_far.fileno()}', agent_far.fileno())
            # A separate session: Ctrl-C goes only to this process, which ends QEMU.
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, start_new_session=True,
                pass_fds=[agent_far.fileno(), console_far.fileno(), initrd],
                stdin=subprocess.DEVNULL, stdout=console_far, stderr=console_far)
        finally:
            agent_far.close()
            console_far.close()
        return Started(process, agent, console)
