# SPDX-License-Identifier: BSD-2-Clause
import re
import subprocess

from .say import RigError


# swtpm has private libraries.
FOLDERS = ('lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/swtpm')


def is_elf(data):
    return data[:4] == b'\x7fELF'


def needed(path):
    """With the dynamic loader; none for a static program."""
    try:
        done = subprocess.run(['ldd', str(path)], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RigError('ldd is missing: install libc-bin') from error
    if done.returncode:
        return []
    missing = re.findall(r'^\s*(\S+) => not found', done.stdout, re.MULTILINE)
    if missing:
        raise RigError(f'{path} needs libraries that this host lacks: {", ".join(missing)}')
    # "name => /path (0x...)" for a library, "/path (0x...)" for the loader; the vDSO has no path.
    return re.findall(r'^\s*(?:\S+ => )?(/.*?) \(0x[0-9a-f]+\)$', done.stdout, re.MULTILINE)


def needed_below(root, program):
    """Paths relative to `root`. The program is not run: its own loader lists what it would load."""
    folders = [folder for folder in FOLDERS if (root / folder).is_dir()]
    loader = next(iter(sorted(root.glob('**/x86_64-linux-gnu/ld-linux-x86-64.so.2'))), None)
    if not loader:
        raise RigError(f'{root} has no dynamic loader')
    # All paths are relative, since a library path cannot contain a colon.
    done = subprocess.run([loader.relative_to(root), '--library-path', ':'.join(folders), '--list', program],
                          cwd=root, capture_output=True, text=True)
    # The loader searches the host's folders last: a library at an absolute path is missing in the packages.
    missing = re.findall(r'^\s*(\S+) => (?:not found|/)', done.stdout, re.MULTILINE)
    if done.returncode or missing:
        raise RigError(f'{program}: cannot be listed, or lacks libraries: {", ".join(missing) or done.stderr.strip()}')
    found = re.findall(r'^\s*\S+ => (\S+) \(0x[0-9a-f]+\)$', done.stdout, re.MULTILINE)
    # Programs name the loader by this path.
    return [program, 'lib64/ld-linux-x86-64.so.2'] + [path for path in found if 'ld-linux' not in path]
