# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the accelerator a part of QEMU's source: copies its files to a folder, and inserts the line that names the folder."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

from vsmrig import cache
from vsmrig.fetch import Archive
from vsmrig.say import RigError, say

from . import tree, which

ACCEL = cache.TREE / 'qemu/accel'

MODULE_ONLY = ('check.c',)

# Relative to QEMU's source.
PLACE = pathlib.Path('target/i386/vsm')
LIST = pathlib.Path('target/i386/meson.build')
BEFORE, LINE = "subdir('nvmm')\n", "subdir('vsm')\n"

PROGRAM = 'qemu-system-x86_64'

# Few features, so that QEMU builds in minutes. The user's options follow and take precedence.
CONFIGURE = ('--target-list=x86_64-softmmu', '--without-default-features', '--enable-kvm', '--disable-docs', '--disable-tools',
             '--disable-install-blobs', '--disable-fdt', '--disable-pixman', '--disable-debug-info')

# Debian's source lacks the firmware, which is in other packages.
OF_DEBIAN = ('--disable-download', '--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu')


def _write(path, data):
    """Writes a file unless it has that content, since Ninja compiles files that are newer."""
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def insert(source):
    """Makes the accelerator a part of QEMU's source, or replaces an older one. Returns the version of QEMU."""
    try:
        version = (source / 'VERSION').read_text(encoding='utf-8').strip()
        text = (source / LIST).read_text(encoding='utf-8')
    except OSError as error:
        raise RigError(f'{source} is no source of QEMU: {error.filename}: {error.strerror}') from error
    which.check_source(version)
    if LINE not in text:
        if BEFORE not in text:
            raise RigError(f'{source / LIST} has no line {BEFORE.strip()}, after which {LINE.strip()} is inserted')
        text = text.replace(BEFORE, BEFORE + LINE)
    wanted = [path for path in sorted([*ACCEL.glob('*.[ch]'), ACCEL / 'meson.build']) if path.name not in MODULE_ONLY]
    try:
        for path in wanted:
            _write(source / PLACE / path.name, path.read_bytes())
        for path in (source / PLACE).glob('*.[ch]'):
            if path.name not in [each.name for each in wanted]:
                path.unlink()
        _write(source / LIST, text.encode())
    except OSError as error:
        raise RigError(f'cannot write {error.filename}: {error.strerror}') from error
    if not which.is_tested(version):
        say(f'qemu/accel is not tested with QEMU {version}')
    return version


def _package(libvsm, folder):
    """Writes a description of a libvsm that is not installed, for pkg-config. Returns its folder."""
    _write(folder / 'vsm.pc', ('Name: vsm\nDescription: libvsm of a build folder\nVersion: 0\n'
                               f'Cflags: -I{cache.TREE}/include\nLibs: {libvsm}\n').encode())
    return folder


def _with_libvsm(environment, libvsm, folder):
    """Returns an environment in which pkg-config finds the libvsm of the parameter, or else the installed one."""
    if libvsm:
        paths = [str(_package(libvsm, folder)), environment.get('PKG_CONFIG_PATH', '')]
        environment = dict(environment, PKG_CONFIG_PATH=':'.join(filter(None, paths)))
    if subprocess.run(['pkg-config', '--exists', 'vsm'], env=environment, check=False).returncode:
        raise RigError('libvsm is neither built here nor installed: `make all` builds it, the package libvsm-dev has it')
    return environment


def _compile(source, output, environment, options, libvsm):
    """Configures if options, variables of tools or paths have changed since the last time, and compiles. Returns the program."""
    build = output / 'build'
    stamp = build / 'vsm-configure.stamp'
    names = ('PKG_CONFIG_PATH', 'PYTHONPATH', 'LDFLAGS', 'CFLAGS', 'CC')
    wanted = hashlib.sha256(repr([str(source), str(libvsm), options, [environment.get(name) for name in names]]).encode()).hexdigest()
    build.mkdir(parents=True, exist_ok=True)
    if not stamp.exists() or stamp.read_text(encoding='ascii') != wanted:
        stamp.unlink(missing_ok=True)
        tree.run('configuring QEMU', [source / 'configure', *options], build, environment)
        stamp.write_text(wanted, encoding='ascii')
    if str(PLACE / 'accel.c').replace('/', '_') not in (build / 'build.ninja').read_text(encoding='utf-8'):
        raise RigError(f'QEMU was configured without libvsm: {build}/meson-logs/meson-log.txt says why')
    tree.run('compiling QEMU', ['nice', 'ninja', PROGRAM], build, environment)
    return build / PROGRAM


@contextlib.contextmanager
def _lock(folder):
    """Permits one build at a time in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='ascii') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_tools():
    for tool in ('ninja', 'pkg-config', 'gcc'):
        if not shutil.which(tool):
            raise RigError(f'{tool} is missing: `build-aux/setup build rig` installs what is needed')


def of_directory(source, libvsm, output, further):
    """Builds the QEMU whose source is in that folder, with this host's tools. Returns the program."""
    for tool in ('ninja', 'pkg-config'):
        if not shutil.which(tool):
            raise RigError(f'{tool} is missing: QEMU is built with it')
    insert(source)
    with _lock(output):
        environment = _with_libvsm(dict(os.environ), libvsm, output / 'pkgconfig')
        return _compile(source, output, environment, [*CONFIGURE, *further], libvsm)


def of_debian(version, libvsm, output, further):
    """Builds the QEMU of Debian's source package. Source and build tools stay in `output`. Returns the program."""
    _check_tools()
    output = output.resolve()
    source, tools = output / 'source', output / 'tools'
    with _lock(output):
        stamp = output / 'version'
        if not stamp.exists() or not which.is_of(stamp.read_text(encoding='ascii').strip(), version):
            for old in (source, tools, output / 'build'):
                shutil.rmtree(old, ignore_errors=True)
            with cache.lock():
                archive = Archive()
                exact = tree.unpack_source(archive, version, source, tree.DEVELOPED)
                tree.unpack_tools(archive, tools)
            stamp.write_text(exact + '\n', encoding='ascii')
        insert(source)
        environment = _with_libvsm(tree.environment(tools), libvsm, output / 'pkgconfig')
        return _compile(source, output, environment, [*CONFIGURE, *OF_DEBIAN, *further], libvsm)
