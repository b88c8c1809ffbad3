# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel under `vsm run`, with and without the secure kernel in VTL1: runs it and parses the guest's output."""
import hashlib
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'rig'))
from vsmrig import cache, fetch, libraries  # noqa: E402
from vsmrig.cpio import Cpio  # noqa: E402
from vsmrig.process import tied  # noqa: E402
from vsmrig.say import RigError  # noqa: E402

SECONDS = 400
SUMMARY = re.compile(r'^vsm: the guest switched off after ([0-9.]+) s: (\d+) exits, (\d+) VTL switches, (\d+) intercepts',
                     re.MULTILINE)
ATTACK = re.compile(r'^ATTACK (.*?): (BLOCKED|SUCCEEDED|NOT ENFORCED): (.*?)\r?$', re.MULTILINE)


# Attacks that not every engine can block, and the bit of `enforced` of vsmctl status (vsm_ioctl.h).
NEEDS_EXECUTE, NEEDS_WRITES = 'running data of the kernel as code', 'turning off CR0.WP and CR4.SMEP'
NEEDS = {NEEDS_EXECUTE: 1, NEEDS_WRITES: 2}
LACKS = {NEEDS_EXECUTE: 'cannot deny execution alone', NEEDS_WRITES: 'cannot intercept register writes'}


def enforced(attack, bits):
    """Whether VTL1 claims to block an attack. `bits`: what it reports as enforced."""
    return not NEEDS.get(attack, 0) & ~bits


def lacking(engine, left):
    """What an engine lacks to block the attacks that are left. auto: uffd, or attr, which denies execution."""
    if engine == 'auto':
        engine = 'uffd' if NEEDS_EXECUTE in left else 'attr'
    why = ', and '.join(what for attack, what in LACKS.items() if attack in left)
    return f'engine {engine} {why}' + ('.' if engine == 'nested' else '; `build-aux/demo --engine nested` can on AMD.')


class Tap:
    """Prints TAP, each result immediately."""

    def __init__(self):
        self.number = self.failed = 0

    def result(self, what, good, details=''):
        self.number += 1
        self.failed += not good
        print(f'{"ok" if good else "not ok"} {self.number} - {what}', flush=True)
        if not good:
            print(''.join(f'#   {line}\n' for line in str(details).splitlines()[-20:]), end='', flush=True)


class Guest:
    """The parsed output of one boot."""

    def __init__(self, text, status, times=None):
        self.text = text
        self.exit_status = status
        self.times = times or {}  # host time at which each fact was printed
        self.facts = dict(re.findall(r'^FACT (\S+) ?(.*?)\r?$', text, re.MULTILINE))
        self.attacks = {what: verdict for what, verdict, _ in ATTACK.findall(text)}
        self.stories = {what: story for what, _, story in ATTACK.findall(text)}
        found = SUMMARY.search(text)
        self.seconds, self.exits, self.switches, self.intercepts = (
            (float(found.group(1)), *map(int, found.groups()[1:])) if found else (0, 0, 0, 0))
        found = re.search(r'^HOST extra_kib=(\d+)', text, re.MULTILINE)
        self.extra_kib = int(found.group(1)) if found else None
        found = re.search(r'^ATTACK \d+ blocked, \d+ succeeded, (\d+) #GP', text, re.MULTILINE)
        self.faults = int(found.group(1)) if found else None
        self.native = 'rig: the guest has started' not in text

    def status(self, when):
        """The output of `vsmctl status` as a dictionary of integers. `when`: before or after the attacks."""
        words = re.findall(r'(\w+)=(\w+)', self.facts.get('status_' + when, ''))
        return {name: int(value, 0) for name, value in words}

    def numbers(self, fact):
        """The name=number pairs of a fact as a dictionary."""
        return {name: int(value) for name, value in re.findall(r'(\w+)=(\d+)', self.facts.get(fact, ''))}

    def boot_seconds(self):
        """Seconds from the start of `vsm run` until the guest's module is loaded and the kernel is locked."""
        if not self.seconds or 'up_end' not in self.facts:
            return None
        up = {name: float(self.facts['up_' + name]) for name in ('init', 'load', 'ready', 'end')}
        return self.seconds - up['end'] + up['init'] + up['ready'] - up['load']


def headers():
    """Returns the folder with the headers of the cached kernel; downloads them again if the kernel has changed."""
    fetch.ensure(['kernel', 'busybox', 'headers'])
    kernel, mine = ((cache.directory() / part / 'version').read_text() for part in ('kernel', 'headers'))
    if kernel != mine:
        fetch.ensure(['headers'], again=True)
    return cache.directory() / 'headers'


def of_another_kernel(module):
    """Returns the module with a wrong symbol checksum, as if it were built for another kernel."""
    data = module.read_bytes()
    # struct modversion_info: a checksum of 8 bytes, and the symbol's name.
    at = data.find(b'module_layout' + b'\0' * 43)
    if at < 8:
        raise RigError(f'{module} has no version of its kernel')
    return data[:at - 8] + bytes([data[at - 8] ^ 1]) + data[at - 7:]


def end(process):
    """Ends a session leader and all processes of its group."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except ProcessLookupError:
        process.wait()


def run_tied(command):
    """Runs a command in its own session. An exception ends all its processes; SIGKILL of this process ends only the command."""
    with subprocess.Popen(tied(command), stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True) as process:
        try:
            status = process.wait()
        except BaseException:
            end(process)
            raise
    if status:
        raise subprocess.CalledProcessError(status, command)


def secure_kernel(path):
    """Reads the image and checks its header: struct secure_kernel_header of interface.h."""
    data = pathlib.Path(path).read_bytes()
    magic, _, size = struct.unpack_from('<8sII', data.ljust(16, b'\0'))
    if magic != b'VTL1SK1\0' or size != len(data):
        raise RigError(f'{path} is no secure kernel, or damaged: build it again')
    return data


def build_modules(modules):
    """Builds vsm.ko, vsm_attack.ko and vsmctl unless they exist and their sources are unchanged."""
    there = headers()
    digest = hashlib.sha256((there / 'version').read_bytes())
    for path in sorted([*(ROOT / 'guest/linux').iterdir(), *(ROOT / 'guest/kit/secure').glob('*.h')]):
        digest.update(path.name.encode() + path.read_bytes())
    stamp = modules / 'stamp'
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    run_tied([ROOT / 'guest/linux/build-modules', there, modules])
    stamp.write_text(digest.hexdigest())


def build(folder, image):
    """Builds the modules and the initrd that all boots share. Returns the path of the initrd."""
    folder = pathlib.Path(folder)
    modules = folder / 'modules'
    data = secure_kernel(image)
    build_modules(modules)
    path = folder / 'initrd.cpio'
    with open(path.with_suffix('.part'), 'wb') as file:
        archive = Cpio(file)
        for name in ('proc', 'sys', 'dev'):
            archive.directory(name)
        archive.character_device('dev/console', 5, 1)
        busybox = (cache.directory() / 'busybox/busybox').read_bytes()
        archive.add('bin/busybox', busybox, 0o755)
        archive.add('bin/sh', busybox, 0o755)
        archive.add('init', (ROOT / 'tests/rig/linux-vsm-init').read_bytes(), 0o755)
        archive.add('etc/passwd', b'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n')
        archive.add('vsmctl', (modules / 'vsmctl').read_bytes(), 0o755)
        archive.add('secure-kernel.bin', data)
        archive.add('secure-kernel.sha256', hashlib.sha256(data).hexdigest().encode())
        for name in ('vsm.ko', 'vsm_attack.ko'):
            archive.add(name, (modules / name).read_bytes())
        archive.add('vsm-of-another-kernel.ko', of_another_kernel(modules / 'vsm.ko'))
        archive.end()
    path.with_suffix('.part').rename(path)
    return path


def build_stress(folder, initrd):
    """Writes an initrd with a second archive: stress-ng and its libraries. Linux unpacks both. Returns its path."""
    fetch.ensure(['stress-ng'])
    root = cache.directory() / 'stress-ng'
    path = pathlib.Path(folder) / 'initrd-stress.cpio'
    with open(path.with_suffix('.part'), 'wb') as file:
        file.write(initrd.read_bytes())
        archive = Cpio(file)
        for found in sorted(root.rglob('*')):
            if found.is_file() and found.name != 'version':
                archive.add(str(found.relative_to(root)), found.read_bytes(), 0o755)
        archive.end()
    path.with_suffix('.part').rename(path)
    return path


class Boot:
    """One boot: the machine's configuration, and the guest's tasks (the words of linux-vsm-init)."""

    def __init__(self, vsm, initrd, cpus, words, memory='256M', options=(), get=(), seconds=SECONDS, rig=()):
        self.vsm, self.initrd, self.cpus, self.words = vsm, initrd, cpus, words
        self.memory, self.options, self.get, self.seconds, self.rig = memory, options, get, seconds, rig

    def command(self):
        """The rig's command line."""
        words = ' '.join(f'{name}={value}' for name, value in self.words.items())
        command = [ROOT / 'rig/run', *self.rig, '--timeout', str(self.seconds), '--file', f'{self.vsm}:vsm',
                   '--file', f'{cache.directory()}/kernel/vmlinuz:vmlinuz']
        # The program finds its library in the build folder only by its run path, which is invalid in the rig.
        folders = {os.path.dirname(path) for path in libraries.needed(self.vsm) if 'libvsm' in path}
        command += ['--env', 'LD_LIBRARY_PATH=' + ':'.join(folders)] if folders else []
        command += ['--file', f'{self.initrd}:initrd.cpio']
        for name, destination in self.get:
            command += ['--get', f'{name}:{destination}']
        command += ['--', ROOT / 'tests/rig/run-measured', './vsm', 'run', 'vmlinuz', '--memory', self.memory,
                    '--cpus', str(self.cpus), '--initrd', 'initrd.cpio', *self.options]
        return command + ['--append', f'console=ttyS0 panic=-1 mitigations=off quiet {words}']

    def run(self, log, on_line=lambda line: None):
        """Boots, and passes each line of output to on_line(). Writes the output to `log`, which exists only when complete."""
        log = pathlib.Path(log)
        part = log.with_suffix('.part')
        text, times = [], {}
        with open(part, 'w', buffering=1, encoding='utf-8') as file, subprocess.Popen(
                tied(self.command()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                start_new_session=True) as process:
            try:
                for raw in process.stdout:
                    line = raw.decode('utf-8', 'replace').replace('\r', '')
                    fact = re.match(r'FACT (\S+)', line)
                    if fact:
                        times[fact.group(1)] = time.monotonic()
                    file.write(line)
                    text.append(line)
                    on_line(line.rstrip('\n'))
                status = process.wait()
            except BaseException:
                end(process)  # the rig ends its guest on SIGTERM
                part.unlink(missing_ok=True)
                raise
        os.replace(part, log)
        log.with_suffix('.json').write_text(json.dumps({'status': status, 'times': times}))
        return Guest(''.join(text), status, times)


def recall(log):
    """Reads the result of an earlier Boot.run(): text, status and times, for Guest()."""
    log = pathlib.Path(log)
    kept = json.loads(log.with_suffix('.json').read_text())
    return log.read_text(encoding='utf-8'), kept['status'], kept['times']
