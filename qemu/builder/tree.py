# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of a QEMU as Debian builds it: its own, and those that its build generates. Nothing of QEMU is compiled."""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

from vsmrig import apt, cache, sources
from vsmrig.fetch import RELEASES, Archive
from vsmrig.process import tied
from vsmrig.say import RigError, Unavailable, progress, say

# What configure needs beyond the packages of build-aux/packages. It is unpacked, not installed.
# package: whether the release's backports have a newer one that is needed
TOOLS = {'meson': True, 'libglib2.0-dev': False, 'libgio-2.0-dev': False, 'libglib2.0-0': False, 'libpcre2-dev': False, 'libpcre2-8-0': False}
RENAMED = {'libglib2.0-0': 'libglib2.0-0t64'}
# Since an update of Debian 13 it has what libglib2.0-dev had.
NOT_EVERYWHERE = ('libgio-2.0-dev',)

# KVM and plugins change structures, and Debian has them. Other features change none that qemu/accel uses.
CONFIGURE = ('--target-list=x86_64-softmmu', '--without-default-features', '--enable-kvm',
             '--enable-plugins', '--disable-docs',
             '--disable-tools', '--disable-download', '--disable-install-blobs', '--disable-fdt', '--disable-pixman')

HEADERS = ('.h', '.inc', '.def')


def part(version):
    """The name in the cache."""
    digest = hashlib.sha256(repr((CONFIGURE, HEADERS)).encode()).hexdigest()[:8]
    return f'qemu-headers-{digest}-' + re.sub(r'[^A-Za-z0-9.+~-]', '_', version)


def _all_sources(archive):
    """The archive's releases and their backports, as indexes of source packages."""
    wanted = {}
    for name in dict.fromkeys((archive.release, *RELEASES)):
        of_it = list(sources.for_release(archive.sources, archive.release, name))
        wanted.update(dict.fromkeys([*of_it, *sources.backports(of_it, name)]))
    return list(wanted)


def _fetch_tarball(archive, version, folder):
    """QEMU's own source, checked against the archive's signed index. Debian's patches change no header used here."""
    private = apt.Apt(cache.directory() / 'apt-qemu-source')
    where = _all_sources(archive)
    private.update(where, 'deb-src')
    found = private.upstream_tarball('qemu', version)
    if not found:
        raise Unavailable(str(private.failure(f'the mirrors configured here have no source of QEMU {version}')))
    path, digest = found
    destination = folder / os.path.basename(path)
    with progress(f'downloading the source of QEMU {version}'):
        for uri in dict.fromkeys(source.uri for source in where):
            if private.download(f'{uri.rstrip("/")}/{path}', digest, destination):
                return destination
    raise Unavailable(f'cannot download {path} from the mirrors configured here')


def _unpack_tools(archive, folder):
    """Meson and GLib's headers below `folder`."""
    suite = archive.with_backports()
    for package, newer in TOOLS.items():
        version = archive.apt.candidate(package, suite if newer else None)
        if not version:
            package = RENAMED.get(package, package)
            version = archive.apt.candidate(package)
        if not version and package in NOT_EVERYWHERE:
            continue
        if not version:
            raise Unavailable(f'there is no package {package} on the mirrors configured here')
        for deb in archive.apt.fetch(package, version, suite if newer else None):
            apt.unpack(deb, folder)


def _environment(tools):
    """The environment of configure and ninja."""
    libraries = tools / 'usr/lib/x86_64-linux-gnu'
    return dict(os.environ, PYTHONPATH=str(tools / 'usr/lib/python3/dist-packages'), PYTHONDONTWRITEBYTECODE='1',
                PKG_CONFIG_SYSROOT_DIR=str(tools), PKG_CONFIG_PATH=str(libraries / 'pkgconfig'), LC_ALL='C.UTF-8',
                LDFLAGS=f'-L{libraries} -Wl,-rpath-link,{libraries}')


def _run(what, command, folder, environment):
    """Runs a step of QEMU's build; a failure shows the end of its output."""
    with progress(what):
        done = subprocess.run(tied([str(word) for word in command]), cwd=folder, env=environment, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RigError(f'{what} failed:\n' + '\n'.join(done.stdout.splitlines()[-15:]))
    return done.stdout


def _prepare(source):
    """Removes from the source what Debian's tarball has no file for, and a tool that only QEMU's tests need."""
    needed = source / 'pythondeps.toml'
    needed.write_text(re.sub(r'^pycotap.*\n', '', needed.read_text(encoding='utf-8'), flags=re.MULTILINE), encoding='utf-8')
    for name in re.findall(r"'(edk2-[^']*\.fd)'", (source / 'pc-bios/meson.build').read_text(encoding='utf-8')):
        (source / f'pc-bios/{name}.bz2').touch()


def _copy_headers(root, folder):
    """All headers below `root`, at the same places below `folder`; links become files."""
    for where, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name not in ('tests', 'pyvenv', 'roms', 'subprojects', '.git', 'qemu-bundle')]
        for name in files:
            if name.endswith(HEADERS):
                to = folder / os.path.relpath(where, root) / name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(os.path.join(where, name), to)


def _make(archive, version, folder):
    """Fills a folder of the cache: source/, build/, glib/, version."""
    scratch = folder / 'scratch'
    tools, build = scratch / 'tools', scratch / 'build'
    build.mkdir(parents=True)
    tarball = _fetch_tarball(archive, version, scratch)
    _unpack_tools(archive, tools)
    with progress('unpacking the source of QEMU'):
        subprocess.run(tied(['tar', '-x', '-f', str(tarball), '-C', str(scratch), '--no-same-owner']), check=True,
                       stdin=subprocess.DEVNULL)
    source = next(scratch.glob('qemu-*/configure')).parent
    _prepare(source)
    environment = _environment(tools)
    _run('configuring QEMU', [source / 'configure', *CONFIGURE], build, environment)
    targets = _run('listing generated headers', ['ninja', '-t', 'targets', 'all'], build, environment)
    headers = re.findall(r'^(\S+\.h): CUSTOM_COMMAND', targets, re.MULTILINE)
    _run('generating the headers of QEMU', ['nice', 'ninja', *headers], build, environment)
    with progress('keeping the headers'):
        _copy_headers(source, folder / 'source')
        _copy_headers(build, folder / 'build')
        _copy_headers(tools / 'usr/include/glib-2.0', folder / 'glib/include')
        _copy_headers(tools / 'usr/lib/x86_64-linux-gnu/glib-2.0/include', folder / 'glib/include')
    shutil.rmtree(scratch)
    (folder / 'version').write_text(version + '\n', encoding='ascii')


def ensure(version):
    """The headers of that version, made if the cache lacks them. Returns their folder."""
    final = cache.directory() / part(version)
    if (final / 'version').exists():
        return final
    for tool in ('ninja', 'pkg-config', 'gcc'):
        if not shutil.which(tool):
            raise RigError(f'{tool} is missing: `build-aux/setup build rig` installs what is needed')
    with cache.lock():
        if not (final / 'version').exists():
            archive = Archive()
            with cache.publish(part(version)) as folder:
                _make(archive, version, folder)
            say(f'the headers of QEMU {version} are in the cache')
    return pathlib.Path(final)
