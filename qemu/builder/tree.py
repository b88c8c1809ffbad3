# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's source of QEMU, the tools that configure it, and its headers, including those that its build generates."""
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

from . import which

# Packages that configure needs in addition to those of build-aux/packages. They are unpacked, not installed.
# package: whether its version in the release's backports is needed
TOOLS = {'meson': True, 'libglib2.0-dev': False, 'libgio-2.0-dev': False, 'libglib2.0-0': False, 'libpcre2-dev': False, 'libpcre2-8-0': False}
RENAMED = {'libglib2.0-0': 'libglib2.0-0t64'}
# A package that only newer releases have, with files that libglib2.0-dev had before.
NOT_EVERYWHERE = ('libgio-2.0-dev',)

# KVM and plugins change structures, and are enabled in Debian's package. Other features change none that qemu/accel uses.
CONFIGURE = ('--target-list=x86_64-softmmu', '--without-default-features', '--enable-kvm',
             '--enable-plugins', '--disable-docs',
             '--disable-tools', '--disable-download', '--disable-install-blobs', '--disable-fdt', '--disable-pixman')

# Releases under development, which may have newer versions of QEMU.
DEVELOPED = ('forky', 'sid')

HEADERS = ('.h', '.inc', '.def')


def part(version):
    """The name in the cache."""
    digest = hashlib.sha256(repr((CONFIGURE, HEADERS)).encode()).hexdigest()[:8]
    return f'qemu-headers-{digest}-' + re.sub(r'[^A-Za-z0-9.+~-]', '_', version)


def _all_sources(archive, further=()):
    """The source package indexes of the archive's releases, of `further` ones, and of their backports."""
    wanted = {}
    for name in dict.fromkeys((archive.release, *RELEASES, *further)):
        of_it = list(sources.for_release(archive.sources, archive.release, name))
        wanted.update(dict.fromkeys([*of_it, *sources.backports(of_it, name)]))
    return list(wanted)


def _fetch_tarball(archive, version, folder, further=()):
    """QEMU's own source, checked against the archive's signed index. Debian's patches change no header used here.

    `version`: of a package, or the beginning of an upstream version. Returns the tarball and the package's version.
    """
    private = apt.Apt(cache.directory() / 'apt-qemu-source')
    where = _all_sources(archive, further)
    private.update(where, 'deb-src')
    found = {exact: private.upstream_tarball('qemu', exact)
             for exact in private.source_versions('qemu') if which.is_of(exact, version)}
    if not any(found.values()):
        raise Unavailable(str(private.failure(f'the mirrors configured here have no source of QEMU {version}')))
    # An index may name a tarball that its mirror lacks.
    for exact in sorted(filter(found.get, found), key=which.upstream, reverse=True):
        path, digest = found[exact]
        destination = folder / os.path.basename(path)
        with progress(f'downloading the source of QEMU {exact}'):
            for uri in dict.fromkeys(source.uri for source in where):
                if private.download(f'{uri.rstrip("/")}/{path}', digest, destination):
                    return destination, exact
    raise Unavailable(f'cannot download the source of QEMU {version} from the mirrors configured here')


def unpack_source(archive, version, folder, further=()):
    """The source of a QEMU of Debian, as `folder`. Returns the package's version."""
    scratch = folder.with_name(folder.name + '.new')
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    tarball, exact = _fetch_tarball(archive, version, scratch, further)
    _untar(tarball, scratch)
    source = next(scratch.glob('qemu-*/configure')).parent
    _prepare(source)
    source.rename(folder)
    shutil.rmtree(scratch)
    return exact


def _untar(tarball, folder):
    """Unpacks the source without that of firmware, which is two thirds of it and is not built."""
    with progress('unpacking the source of QEMU'):
        done = subprocess.run(tied(['tar', '-x', '-f', str(tarball), '-C', str(folder), '--no-same-owner', '--exclude=*/roms/*']),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RigError(f'cannot unpack {tarball.name}: {done.stderr.strip()}')


def unpack_tools(archive, folder):
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
    for path in (folder / 'usr/lib/x86_64-linux-gnu/pkgconfig').glob('*.pc'):
        path.write_text(re.sub(r'^prefix=/usr$', f'prefix={folder}/usr', path.read_text(encoding='utf-8'), flags=re.MULTILINE),
                        encoding='utf-8')


def environment(tools):
    """The environment of configure and ninja."""
    libraries = tools / 'usr/lib/x86_64-linux-gnu'
    return dict(os.environ, PYTHONPATH=str(tools / 'usr/lib/python3/dist-packages'), PYTHONDONTWRITEBYTECODE='1',
                PKG_CONFIG_PATH=str(libraries / 'pkgconfig'), LC_ALL='C.UTF-8',
                LDFLAGS=f'-L{libraries} -Wl,-rpath-link,{libraries}')


def run(what, command, folder, variables):
    """Runs a step of QEMU's build; a failure shows the end of its output."""
    with progress(what):
        done = subprocess.run(tied([str(word) for word in command]), cwd=folder, env=variables, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RigError(f'{what} failed:\n' + '\n'.join(done.stdout.splitlines()[-15:]))
    return done.stdout


def _prepare(source):
    """Adds empty files in place of those that Debian's tarball lacks, and removes a tool that only QEMU's tests need."""
    needed = source / 'pythondeps.toml'
    needed.write_text(re.sub(r'^pycotap.*\n', '', needed.read_text(encoding='utf-8'), flags=re.MULTILINE), encoding='utf-8')
    for name in re.findall(r"'(edk2-[^']*\.fd)'", (source / 'pc-bios/meson.build').read_text(encoding='utf-8')):
        (source / f'pc-bios/{name}.bz2').touch()
    trees = source / 'pc-bios/dtb/meson.build'
    for name in re.findall(r"'([^']*\.dtb)'", trees.read_text(encoding='utf-8') if trees.exists() else ''):
        (trees.parent / name).touch()


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
    source = scratch / 'source'
    unpack_source(archive, version, source)
    unpack_tools(archive, tools)
    variables = environment(tools)
    run('configuring QEMU', [source / 'configure', *CONFIGURE], build, variables)
    targets = run('listing generated headers', ['ninja', '-t', 'targets', 'all'], build, variables)
    headers = re.findall(r'^(\S+\.h): CUSTOM_COMMAND', targets, re.MULTILINE)
    run('generating the headers of QEMU', ['nice', 'ninja', *headers], build, variables)
    with progress('keeping the headers'):
        _copy_headers(source, folder / 'source')
        _copy_headers(build, folder / 'build')
        _copy_headers(tools / 'usr/include/glib-2.0', folder / 'glib/include')
        _copy_headers(tools / 'usr/lib/x86_64-linux-gnu/glib-2.0/include', folder / 'glib/include')
    shutil.rmtree(scratch)
    (folder / 'version').write_text(version + '\n', encoding='ascii')


def ensure(version):
    """Generates the headers of that version if the cache lacks them. Returns their folder."""
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
