# SPDX-License-Identifier: BSD-2-Clause
"""Bochs writes only to memfds, pipes and a pseudo terminal, so that no file remains after it."""
import collections
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from . import bochs_disk, bochs_fetch, cache, fetch
from .guest import Started, memory_file
from .process import own_environment, tied
from .say import RigError

# A panic stops the kernel, and final_line then ends Bochs, which would boot again after a reset. The TSC counts instructions at
# 100 MHz. The blacklisted initcalls take seconds of emulation and are not needed.
KERNEL_COMMAND_LINE = ('console=ttyS0,115200 loglevel=4 rig.channel=ports panic=0 oops=panic mitigations=off tsc=reliable '
                       'tsc_early_khz=100000 no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1 nokaslr '
                       'cryptomgr.notests initcall_blacklist=load_system_certificate_list,bpf_tcp_ca_kfunc_init,'
                       'bpf_dummy_struct_ops_init,jent_mod_init,init_kprobe_trace,crypto_kdf108_init')

# Models of Bochs with EPT and unrestricted guest, and whether they have MBEC.
MODELS = {'arrow_lake': True, 'sapphire_rapids': True, 'tigerlake': True, 'corei7_icelake_u': True, 'corei3_cnl': True,
          'corei7_skylake_x': True, 'broadwell_ult': False, 'corei7_haswell_4770': False, 'corei7_ivy_bridge_3770k': False,
          'corei7_sandy_bridge_2600k': False, 'corei5_arrandale_m520': False}
MODEL = 'arrow_lake'

# MB that this Bochs supports.
MOST_MEMORY = 2048

# Parameters of kvm_intel that are refused: the pattern of a value, and the reason. OFF and ON match the kernel's values of a switch.
OFF, ON = r'[0nN]|[oO][fF]\S*', r'|[1yYtT]|[oO][nN]\S*'
REFUSED = {
    'ept': (OFF, 'turns off EPT, which every program in the rig needs'),
    'unrestricted_guest': (OFF, 'turns off unrestricted guest, which every program in the rig needs'),
    'enable_apicv': (ON, 'turns on APICv, with which VM entries fail in this Bochs: it requires posted-interrupt descriptors at '
                         'the beginning of a page'),
}

# Lines of Bochs' own log: they begin with time, level and part, or frame the last messages.
OWN_LINE = re.compile(r'\d{11}[a-z]\[|=====|\s*$|Bochs (is exiting|connected)')

# Bochs panics when the guest powers off.
POWER_OFF = 'soft power off'

CONFIGURATION = '''\
config_interface: textconfig
display_library: term
cpu: model={model}, count={cpus}, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={memory}, block_size=2048
romimage: file={share}/BIOS-bochs-latest, options=fastboot
vgaromimage: file={share}/VGABIOS-lgpl-latest
clock: sync=none, time0=local, rtc_sync=0
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=/proc/self/fd/{disk}, mode=flat, cylinders={cylinders}, heads={heads}, spt={sectors}, translation=auto
ata1: enabled=0
boot: disk
floppya: type=none
com1: enabled=1, mode=file, dev=/proc/self/fd/{console}
com2: enabled=1, mode=term, dev=/proc/self/fd/{requests}
parport1: enabled=1, file=/proc/self/fd/{answers}
port_e9_hack: enabled=0
speaker: enabled=0
log: /proc/self/fd/{log}
panic: action=fatal, cpu0=report
error: action=ignore
info: action=ignore
debug: action=ignore
'''


def check(model, words, memory=0):
    """Refuses what no guest can run with, before any download."""
    if model and model not in MODELS:
        raise RigError(f'{model} is not a model of Bochs with VMX, EPT and unrestricted guest; those are:\n' +
                       ', '.join(MODELS))
    if memory > MOST_MEMORY:
        raise RigError(f'Bochs has at most {MOST_MEMORY} MB for a guest: --mem {memory}M is more')
    for word in words.split():
        name, _, value = word.partition('=')
        pattern, why = REFUSED.get(name, ('(?!)', ''))
        if re.fullmatch(pattern, value):
            raise RigError(f'{word} {why}')


class Pipes:
    """Two pipes with the methods of a socket: one to read, one to write (or None)."""

    def __init__(self, read, write=None):
        self.read, self.write = read, write

    def fileno(self):
        return self.read

    def recv(self, size):
        """A pseudo terminal whose other end is closed returns an error instead of an end of file."""
        try:
            return os.read(self.read, size)
        except OSError:
            return b''

    def sendall(self, data):
        while data:
            data = data[os.write(self.write, data):]

    def close(self):
        os.close(self.read)
        if self.write is not None:
            os.close(self.write)


class Bochs:
    """An emulator as Guest describes it."""

    name = 'Bochs'
    boot_timeout = 300

    # The kernel has ended, but Bochs continues.
    final_line = re.compile(rb'---\[ end Kernel panic|reboot: (Restarting system|System halted)')

    def __init__(self, model=None):
        self.model = model or MODEL
        self.root = cache.directory() / 'bochs'
        if not (self.root / bochs_fetch.LOADER).is_file():
            raise RigError(f'{self.root} has no Bochs: remove it and try again')
        if re.search(r'[\s,:]', str(self.root)):
            raise RigError(f'the path {self.root} has a character that Bochs does not support: set VSM_RIG_CACHE to another path')
        self.log = collections.deque(maxlen=100)

    def failure(self):
        """The last panic of Bochs, or a line of its loader or of the preloaded object."""
        text = ''.join(self.log)
        panics = re.findall(r'>>PANIC<< (.*)', text)
        if panics and POWER_OFF in panics[-1]:
            return None
        lines = panics or [line for line in text.splitlines() if not OWN_LINE.match(line)]
        return f'Bochs has ended: {lines[-1].strip()}' if lines else None

    def _take_log(self, stream):
        data = stream.recv(65536)
        self.log.append(data.decode('utf-8', 'replace'))
        return data

    def command(self, configuration):
        """The working folder is self.root."""
        return tied([bochs_fetch.LOADER, '--library-path', bochs_fetch.LIBRARY_PATH,
                     '--preload', str(fetch.build('bochs-preload')), bochs_fetch.PROGRAM,
                     '-q', '-f', f'/proc/self/fd/{configuration}'])

    def start(self, machine, kernel, initrd):
        kernel_data = bochs_disk.Kernel(open(kernel, 'rb').read(), kernel)
        words = ' '.join(filter(None, (KERNEL_COMMAND_LINE, machine.append)))
        cylinders = 0

        def write_disk(file):
            nonlocal cylinders
            cylinders = bochs_disk.write(file, fetch.build('bochs-boot').read_bytes(), kernel_data,
                                         open(f'/proc/self/fd/{initrd}', 'rb').read(), words, machine.memory)

        ours, theirs = [], []

        def pipe(we_read):
            ends = os.pipe()
            ours.append(ends[0 if we_read else 1])
            theirs.append(ends[1 if we_read else 0])
            return ours[-1], theirs[-1]

        try:
            theirs.append(memory_file(write_disk, name='disk'))
            disk = theirs[-1]
            (console, console_far), (answers, answers_far), (log, log_far) = pipe(True), pipe(True), pipe(True)
            requests, requests_far = pipe(False)
            screen, screen_far = pty.openpty()
            ours.append(screen)
            theirs.append(screen_far)
            fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 80, 0, 0))
            text = CONFIGURATION.format(
                model=self.model, cpus=machine.cpus, memory=machine.memory, share=bochs_fetch.SHARE, disk=disk,
                cylinders=cylinders, heads=bochs_disk.HEADS, sectors=bochs_disk.SECTORS_A_TRACK, console=console_far,
                requests=requests_far, answers=answers_far, log=log_far)
            theirs.append(memory_file(lambda file: file.write(text.encode()), name='bochsrc'))
            process = subprocess.Popen(
                self.command(theirs[-1]), cwd=self.root, start_new_session=True, pass_fds=theirs,
                stdin=screen_far, stdout=screen_far, stderr=log_far,
                env={**own_environment(), 'LTDL_LIBRARY_PATH': bochs_fetch.PLUGINS, 'BXSHARE': bochs_fetch.SHARE, 'TERM': 'vt100'})
        except BaseException:
            for number in ours:
                os.close(number)
            raise
        finally:
            for number in theirs:
                os.close(number)
        log_stream, screen_stream = Pipes(log), Pipes(screen)
        return Started(process, Pipes(answers, requests), Pipes(console),
                       ((log_stream, lambda: self._take_log(log_stream)), (screen_stream, lambda: screen_stream.recv(65536))))
