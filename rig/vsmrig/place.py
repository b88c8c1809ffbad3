# SPDX-License-Identifier: BSD-2-Clause
import os
import pathlib
import tempfile

from . import blocks, cache, fetch, image, modules, native
from .bochs import Bochs, check
from .guest import Guest
from .options import machine, vendor
from .qemu import Qemu, chosen_by_user
from .say import RigError, say

# --env adds variables.
ENVIRONMENT = {'VSM_RIG': '1', 'PATH': '/bin:/sbin:/usr/bin:/usr/sbin', 'HOME': '/root', 'TERM': 'dumb', 'LC_ALL': 'C'}


def choose_native(options):
    """Whether to run on this host; prints a message if so."""
    obstacle = native.obstacle()
    needs_guest = [name for name, wanted in (
        ('--kernel', options.kernel), ('--series', options.series != fetch.KERNEL_SERIES),
        ('--modules', options.modules), ('--blocks', options.blocks),
        ('--icount', options.icount), ('--append', options.append), ('--cpu', options.cpu), ('--kvm', options.kvm),
        ('--file with an absolute destination', any(os.path.isabs(to or '') for _, to in options.file))) if wanted]
    if options.native:
        if needs_guest:
            raise RigError(f'{needs_guest[0]} needs the guest, which --native excludes')
        say('running on this host' + (f', although {obstacle}' if obstacle else ''))
        return True
    if options.rig or obstacle or needs_guest:
        return False
    say('this host has KVM: running on it directly (--rig for the guest)')
    return True


def stock_needed(options):
    parts = ['busybox']
    if not options.kernel:
        parts.append(fetch.kernel_part(options.series))
    if vendor(options) == 'intel':
        parts.append('bochs')
    elif not chosen_by_user():
        parts.append('qemu')
    return parts


def use_blocks(options):
    """Replaces --blocks by --modules."""
    if options.blocks and (options.kernel or options.modules):
        raise RigError('--blocks is a choice of modules for the stock kernel: leave out --kernel and --modules')
    if options.blocks and options.series not in (fetch.NEWEST, *blocks.series()):
        raise RigError(f'--blocks is for kernels {", ".join(blocks.series())}: leave out --series {options.series}')
    if options.blocks:
        options.modules = blocks.ensure(options.series)


def kernel_image(options):
    return options.kernel or cache.directory() / fetch.kernel_part(options.series) / 'vmlinuz'


def kernel_modules(options):
    wanted = modules.WANTED[vendor(options)]
    if not options.kernel:
        loaded = image.stock_modules(options.series, wanted, options.modules)
    else:
        # Another kernel cannot load the stock modules; without --modules they must be built in.
        loaded = image.modules_from(options.modules, wanted) if options.modules else []
    return [(name, modules.trimmed(data)) for name, data in loaded] if vendor(options) == 'intel' else loaded


def guest_path(program):
    """Returns the path in the guest, and whether to copy the program there. A path that names a file of the host
    means that file, but /bin and /sbin are the guest's own."""
    if '/' not in program or not os.path.isfile(program):
        return program, False
    path = os.path.abspath(program)
    return path, not path.startswith(('/bin/', '/sbin/'))


def image_writer(options, programs):
    """Returns a function that writes the root archive."""
    loaded = kernel_modules(options)

    def write(file):
        new = image.Image(file)
        new.system(loaded, machine(options).parameters)
        for path, destination in options.file:
            new.file(path, destination or os.path.basename(path))
        for program in programs:
            path, copy = guest_path(program)
            if copy:
                new.file(program, path)
        new.end()
    return write


class Place:
    """May start more than once. Use as a context manager."""

    def __init__(self, options, programs):
        self.options = options
        self.programs = programs
        self.native = choose_native(options)
        self.runner = None
        self.keep = None
        if options.keep is not None:
            self.keep = options.keep or tempfile.mkdtemp(prefix='vsm-rig-')
            pathlib.Path(self.keep).mkdir(parents=True, exist_ok=True)
            (pathlib.Path(self.keep) / 'console.log').unlink(missing_ok=True)
            say(f'keeping files in {self.keep}')
        if self.native:
            self.environment = dict(options.env)
            return
        self.environment = {**ENVIRONMENT, **({'VSM_RIG_ICOUNT': '1'} if options.icount else {}), **dict(options.env)}
        if vendor(options) == 'intel':
            check(options.cpu[1], machine(options).parameters, options.mem)
        use_blocks(options)
        fetch.ensure(stock_needed(options))
        self.emulator = Bochs(options.cpu[1]) if vendor(options) == 'intel' else Qemu(chosen_by_user())
        self.write_image = image_writer(options, programs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """The runner is a booted Guest, or a Native with its files."""
        if self.native:
            self.runner = native.Native(self.keep)
            for path, destination in self.options.file:
                self.runner.put(path, destination or os.path.basename(path))
            return
        kernel = kernel_image(self.options)
        if not os.path.isfile(kernel):
            raise RigError(f'there is no kernel image {kernel}')
        self.runner = Guest(self.emulator, machine(self.options), kernel, self.write_image,
                            self.keep, self.options.verbose)
        seconds, computed = self.runner.wait_until_ready()
        say(f'the guest has started: {seconds:.1f} s until its agent was ready, '
            f'{computed:.1f} s of CPU time')

    def stop(self):
        if self.runner:
            self.runner.__exit__(None, None, None)
            self.runner = None

    def run(self, command, timeout, on_output):
        """See Guest.run()."""
        program = os.path.abspath(command[0]) if self.native and '/' in command[0] else guest_path(command[0])[0]
        return self.runner.run([program, *command[1:]], timeout, self.environment, on_output)
