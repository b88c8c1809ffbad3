# SPDX-License-Identifier: BSD-2-Clause
"""rig/run, rig/shell and rig/fetch."""
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import termios

from . import cache, fetch as fetching, options as option, place
from .guest import GuestLost, TimeUp, end_on_signals, memory_file
from .qemu import Qemu, chosen_by_user
from .say import RigError, Unavailable, say


def reporting(command):
    """Turns the rig's own failures into a message and a status."""
    @functools.wraps(command)
    def wrapped(words):
        end_on_signals()
        try:
            return command(words)
        except TimeUp as error:
            say(str(error))
            return option.TIME_UP
        except RigError as error:
            say(str(error))
            return option.RIG_FAILED
        except BrokenPipeError:
            # The reader has closed the pipe, as in `rig/run ... | head`.
            return 141
    return wrapped


def pass_on(stream, data):
    while data:
        data = data[os.write(stream, data):]


def save(runner, path, destination):
    """The file appears complete or not at all."""
    destination = destination or os.path.basename(path)
    folder = os.path.dirname(os.path.abspath(destination))
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix='.rig-', delete=False) as file:
            try:
                mode = runner.get(path, file)
                umask = os.umask(0)
                os.umask(umask)
                os.chmod(file.name, mode & ~umask)
                os.rename(file.name, destination)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise RigError(f'cannot write {destination}: {error.strerror}') from error


@reporting
def run(words):
    options = option.parse_run(words)
    with place.Place(options, [options.command[0]]) as where:
        where.start()
        ending = where.run(options.command, options.timeout, pass_on)
        status = ending.status()
        if ending.how == 'timed-out':
            say(f'time is up: {options.command[0]} was ended after {options.timeout} s\n'
                f'the end of the console:\n{where.runner.console_tail()}')
        elif ending.how == 'not-started':
            say(f'cannot start {options.command[0]}: {os.strerror(ending.number)}')
        for path, destination in options.get:
            try:
                save(where.runner, path, destination)
            except GuestLost:
                raise
            except RigError as error:
                say(str(error))
                status = status or option.RIG_FAILED
        where.runner.power_off()
    return status


@reporting
def shell(words):
    """The console itself, without the agent."""
    options = option.parse_shell(words)
    place.use_blocks(options)
    fetching.ensure(place.stock_needed(options))
    initrd = memory_file(place.image_writer(options, []))
    kernel = place.kernel_image(options)
    on_terminal = sys.stdin.isatty()
    size = shutil.get_terminal_size()
    qemu = Qemu(chosen_by_user())
    command = qemu.command(option.machine(options), kernel, initrd, 'stdio,signal=off', None,
                           f'quiet rig.shell rig.rows={size.lines} rig.cols={size.columns}')
    say('starting; `exit` ends the guest')
    before = termios.tcgetattr(sys.stdin) if on_terminal else None
    process = subprocess.Popen(command, cwd=qemu.folder, env=qemu.environment, pass_fds=[initrd])
    try:
        return option.RIG_FAILED if process.wait() else 0
    finally:
        process.kill()
        process.wait()
        if on_terminal:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@reporting
def fetch(words):
    parser = option.Parser(prog='rig/fetch', description='Fetches kernel, busybox, QEMU and Bochs into the cache '
                           '($VSM_RIG_CACHE, or build/rig-cache), so that later runs without --blocks need no network.')
    parser.add_argument('--again', action='store_true', help='also download parts that are present, which may have newer packages')
    option.add_series(parser)
    options = parser.parse_args(words)
    parts = [fetching.kernel_part(options.series), 'busybox'] + ([] if chosen_by_user() else ['qemu'])
    fetching.ensure(parts, options.again)
    try:
        fetching.ensure(['bochs'], options.again)
    except Unavailable as error:
        say(f'{error}\n--cpu intel is not available; all other options are')
    for program in fetching.PROGRAMS:
        fetching.build(program)
    say(f'the cache {cache.directory()} is filled')
    return 0
