# SPDX-License-Identifier: BSD-2-Clause
"""Downloads the parts of the rig once, and builds its own programs."""
import hashlib
import os
import re
import shutil
import subprocess

from . import apt, cache, libraries, sources
from .bochs_fetch import fetch_bochs
from .process import tied
from .say import RigError, Unavailable, progress, say

KERNEL_SERIES = '6.12'

NEWEST = 'newest'

# Debian releases that may have kernels of other series.
RELEASES = ('bookworm', 'trixie')

# Older versions of QEMU corrupt RFLAGS when they emulate nested SVM guests.
QEMU_MINIMUM = 10

# Sources below rig/.
PROGRAMS = {
    'agent': ('guest/agent.h', 'guest/agent.c', 'guest/channel.h', 'guest/channel.c', 'guest/channel_ports.c',
              'guest/job.c'),
    'tsc_khz': ('host/tsc_khz.c',),
    'bochs-boot': ('bochs/boot.S',),
    'bochs-preload': ('bochs/preload.c',),
}

# Link options of programs that are not static.
LINKED = {
    'bochs-boot': ('-m32', '-static', '-nostdlib', '-Wl,--build-id=none', '-Wl,-Ttext=0x7c00', '-Wl,--oformat=binary'),
    'bochs-preload': ('-shared', '-fPIC'),
}


class Archive:
    """The Debian archive as configured on the host."""

    def __init__(self):
        self.release = sources.codename()
        self.sources = list(sources.of_release(list(sources.configured()), self.release))
        if not self.sources:
            raise RigError(f'no apt source of Debian {self.release} is configured on this host: add one')
        self.others = None
        self.apt = apt.Apt(cache.directory() / 'apt')
        self.apt.update(self.sources)

    def of_other_releases(self):
        """A separate state of apt: self.apt has only the host's release."""
        wanted = dict.fromkeys(self.sources)
        for name in RELEASES:
            others = list(sources.for_release(self.sources, self.release, name))
            wanted.update(dict.fromkeys([*others, *sources.backports(others, name)]))
        if not self.others:
            self.others = apt.Apt(cache.directory() / 'apt-releases')
            self.others.update(list(wanted))
        return self.others

    def of_series(self, series):
        return self.apt if series == KERNEL_SERIES else self.of_other_releases()

    def fetch_of_series(self, series, package, version, closure=False):
        """Returns the .deb files."""
        try:
            return self.of_series(series).fetch(package, version, closure=closure)
        except RigError as error:
            raise error if series == KERNEL_SERIES else Unavailable(str(error)) from error

    def with_backports(self):
        """Returns the name of the suite."""
        self.apt.update(self.sources + [source for source in sources.backports(self.sources, self.release)
                                        if source not in self.sources])
        return self.release + '-backports'


def version_key(name):
    """In this sort key every run of digits is a number."""
    return [int(digits) for digits in re.findall(r'\d+', name)]


def is_kernel(name, series=NEWEST):
    """Packages of cloud kernels have versions as 6.1.0-57, 6.12.117+deb12, 7.3.4+deb13."""
    version = r'\d+\.\d+' if series == NEWEST else re.escape(series)
    return re.fullmatch(rf'linux-image-{version}\.\d+([-+][a-z0-9.+~]+)*-cloud-amd64', name) is not None


def part_of(name, series):
    return name if series == KERNEL_SERIES else f'{name}-{series}'


def kernel_part(series):
    return part_of('kernel', series)


def build_parts(series):
    """The kernel, its headers, KVM's source."""
    return [part_of(name, series) for name in ('kernel', 'headers', 'kvm-source')]


def known(series):
    """Release and version of the kernel in the cache."""
    return (cache.directory() / kernel_part(series) / 'version').read_text().split()


def fetch_kernel(archive, series=KERNEL_SERIES):
    """The newest cloud kernel of the series."""
    where = archive.of_series(series)
    prefix = 'linux-image-' + ('' if series == NEWEST else series)
    names = [name for name in where.names(prefix) if is_kernel(name, series)]
    for name in sorted(names, key=version_key, reverse=True):
        version = where.candidate(name)
        if version:
            break
    else:
        whose = [archive.release] if series == KERNEL_SERIES else [*dict.fromkeys([archive.release, *RELEASES]), 'their backports']
        failure = where.failure(f'Debian {", ".join(whose)} as configured here: no package linux-image-{series}.*-cloud-amd64')
        raise failure if series == KERNEL_SERIES else Unavailable(str(failure))
    unpack_kernel(where, name, version, kernel_part(series))


def unpack_kernel(where, name, version, part):
    release = name.removeprefix('linux-image-')
    with cache.publish(part) as folder:
        scratch = folder / 'unpacked'
        # In newer series linux-image is a meta-package of two others.
        parts = [package for package in (f'linux-binary-{release}', f'linux-modules-{release}')
                 if where.candidate(package) == version]
        for package in parts or [name]:
            for deb in where.fetch(package, version):
                with progress(f'unpacking {package}'):
                    apt.unpack(deb, scratch)
        tree = scratch / 'lib/modules' / release
        if not tree.is_dir():
            tree = scratch / 'usr/lib/modules' / release
        old = scratch / f'boot/vmlinuz-{release}'
        (old if old.is_file() else tree / 'vmlinuz').rename(folder / 'vmlinuz')
        (tree / 'kernel').rename(folder / 'modules')
        shutil.rmtree(scratch)
        (folder / 'version').write_text(f'{release} {version}\n')
    say(f'kernel {release} is in the cache')


def fetch_hardware_kernel(archive):
    """The cloud kernel lacks drivers of hardware."""
    release, version = known(KERNEL_SERIES)
    unpack_kernel(archive.apt, f"linux-image-{release.replace('-cloud-', '-')}", version, 'hardware-kernel')


def fetch_busybox(archive):
    version = archive.apt.candidate('busybox-static')
    if not version:
        raise archive.apt.failure('there is no package busybox-static')
    debs = archive.apt.fetch('busybox-static', version)
    with cache.publish('busybox') as folder:
        for deb in debs:
            apt.unpack(deb, folder / 'unpacked')
        for place in ('bin/busybox', 'usr/bin/busybox'):
            if (folder / 'unpacked' / place).is_file():
                (folder / 'unpacked' / place).rename(folder / 'busybox')
        if not (folder / 'busybox').is_file():
            raise RigError(f'the package busybox-static {version} contains no busybox')
        shutil.rmtree(folder / 'unpacked')
        (folder / 'version').write_text(version + '\n')


def qemu_major(version):
    """10 of 1:10.0.2+ds-2"""
    return int(re.match(r'(?:\d+:)?(\d+)', version).group(1))


def fetch_qemu(archive):
    """From the release itself if its version is new enough, else from backports."""
    suite = None
    version = archive.apt.candidate('qemu-system-x86')
    if not version or qemu_major(version) < QEMU_MINIMUM:
        suite = archive.with_backports()
        version = archive.apt.candidate('qemu-system-x86', suite)
    if not version or qemu_major(version) < QEMU_MINIMUM:
        raise archive.apt.failure(f'neither Debian {archive.release} nor its backports has QEMU {QEMU_MINIMUM} '
                                  f'or newer on the mirrors configured here (found: {version or "none"})\n'
                                  'set VSM_RIG_QEMU to a newer qemu-system-x86_64 if you have one')
    debs = archive.apt.fetch('qemu-system-x86', version, suite, closure=True)
    with cache.publish('qemu') as folder, progress(f'unpacking QEMU {version} and its libraries'):
        for deb in debs:
            apt.unpack(deb, folder)
        for useless in ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var', 'etc'):
            shutil.rmtree(folder / useless, ignore_errors=True)
        (folder / 'version').write_text(version + '\n')
    say(f'QEMU {version} is in the cache')


def build(program):
    """The name in the cache depends on the sources. Returns the program's path."""
    digest = hashlib.sha256()
    sources_of_it = [cache.TREE / 'rig' / name for name in PROGRAMS[program]]
    for path in sources_of_it:
        digest.update(path.read_bytes())
    name = f'{program}-{digest.hexdigest()[:16]}'
    final = cache.directory() / name / program
    if final.exists():
        return final
    compiler = os.environ.get('CC', 'cc').split()
    with cache.lock():
        if final.exists():
            return final
        with cache.publish(name) as folder:
            command = [*compiler, '-std=gnu17', '-D_GNU_SOURCE', '-O2', *LINKED.get(program, ('-static',)),
                       '-o', str(folder / program)]
            command += [str(path) for path in sources_of_it if path.suffix != '.h']
            try:
                done = subprocess.run(command, capture_output=True, text=True)
            except FileNotFoundError as error:
                raise RigError(f'no C compiler {compiler[0]}: install gcc and libc6-dev') from error
            if done.returncode:
                raise RigError(f'cannot build {program} of the rig:\n{done.stderr}')
    return final


def fetch_headers(archive, series=KERNEL_SERIES):
    """For a kernel of another series also the compiler and all libraries, since programs of the headers do not run
    with this host's libraries."""
    release, version = known(series)
    name = f'linux-headers-{release}'
    own = series == KERNEL_SERIES
    kbuild = f"linux-kbuild-{release.removesuffix('-cloud-amd64')}"
    common = f"linux-headers-{release.removesuffix('-cloud-amd64')}-common"
    with cache.publish(part_of('headers', series)) as folder:
        for package in (name, common, kbuild) if own else (name,):
            for deb in archive.fetch_of_series(series, package, version, closure=not own):
                with progress(f'unpacking {package}'):
                    apt.unpack(deb, folder)
        for useless in ('share', 'sbin', 'lib/x86_64-linux-gnu/gconv'):
            shutil.rmtree(folder / 'usr' / useless, ignore_errors=True)
        (folder / 'version').write_text(f'{release} {version}\n')
    say(f'the headers of kernel {release} are in the cache')


# Relative to the kernel's source.
KVM_SOURCE = ('Makefile', 'arch/x86/kvm', 'virt/kvm', 'arch/x86/include/asm/kvm_host.h')


def fetch_kvm_source(archive, series=KERNEL_SERIES):
    """The whole source of the kernel would be 1.5 GB."""
    release, version = known(series)
    name = 'linux-source-' + '.'.join(release.split('.')[:2])
    debs = archive.fetch_of_series(series, name, version)
    with cache.publish(part_of('kvm-source', series)) as folder, progress(f'unpacking KVM of {name}'):
        scratch = folder / 'unpacked'
        for deb in debs:
            apt.unpack(deb, scratch)
        tar = scratch / f'usr/src/{name}.tar.xz'
        done = subprocess.run(tied(['tar', '-x', '-f', str(tar), '-C', str(folder), '--no-same-owner',
                                    '--strip-components=1', *(f'{name}/{part}' for part in KVM_SOURCE)]),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RigError(f'cannot unpack KVM from {tar.name} of {name} {version}: {done.stderr.strip()}')
        shutil.rmtree(scratch)
        (folder / 'version').write_text(f'{release} {version}\n')
    say(f'the source of KVM in kernel {release} is in the cache')


def fetch_program(archive, package, program, part):
    """With the program's libraries."""
    version = archive.apt.candidate(package)
    if not version:
        raise archive.apt.failure(f'there is no package {package}')
    debs = archive.apt.fetch(package, version, closure=True)
    with cache.publish(part) as folder, progress(f'unpacking {package} {version} and its libraries'):
        scratch = folder / 'unpacked'
        for deb in debs:
            apt.unpack(deb, scratch)
        wanted = libraries.needed_below(scratch, program)
        for path in wanted:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy((scratch / path).resolve(), folder / path)
        shutil.rmtree(scratch)
        (folder / 'version').write_text(version + '\n')
    say(f'{package} {version} is in the cache')


def fetch_stress_ng(archive):
    fetch_program(archive, 'stress-ng', 'usr/bin/stress-ng', 'stress-ng')


def fetch_gdb(archive):
    """Without Python, whose modules the guest lacks."""
    fetch_program(archive, 'gdb-minimal', 'usr/bin/gdb', 'gdb')


def fetch_swtpm(archive):
    fetch_program(archive, 'swtpm', 'usr/bin/swtpm', 'swtpm')


def fetch_unpacked(archive, part, names):
    """Without dependencies. The version is that of the first package."""
    with cache.publish(part) as folder, progress(f'unpacking {" and ".join(names)}'):
        versions = []
        for name in names:
            versions.append(archive.apt.candidate(name))
            if not versions[-1]:
                raise archive.apt.failure(f'there is no package {name}')
            for deb in archive.apt.fetch(name, versions[-1]):
                apt.unpack(deb, folder)
        (folder / 'version').write_text(versions[0] + '\n')
    say(f'{names[0]} {versions[0]} is in the cache')


def fetch_dkms(archive):
    fetch_unpacked(archive, 'dkms', ('dkms', 'kmod', 'libkmod2'))


def fetch_ovmf(archive):
    fetch_unpacked(archive, 'ovmf', ('ovmf',))


def fetch_secure_boot(archive):
    fetch_unpacked(archive, 'secure-boot', ('shim-signed', 'grub-efi-amd64-signed'))


# dash: AppArmor's rules name Debian's shell.
LIBVIRT = ('libvirt-daemon-system', 'libvirt-daemon-driver-qemu', 'libvirt-clients', 'apparmor', 'dash')


def fetch_libvirt(archive):
    with cache.publish('libvirt') as folder:
        for name in LIBVIRT:
            version = archive.apt.candidate(name)
            if not version:
                raise archive.apt.failure(f'there is no package {name}')
            debs = archive.apt.fetch(name, version, closure=True)
            with progress(f'unpacking {name} {version} and its libraries'):
                for deb in debs:
                    apt.unpack(deb, folder)
        for useless in ('usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/perl', 'usr/share/perl5', 'usr/lib/systemd'):
            shutil.rmtree(folder / useless, ignore_errors=True)
        (folder / 'version').write_text(archive.apt.candidate(LIBVIRT[0]) + '\n')
    say('libvirt is in the cache')


PARTS = {'kernel': fetch_kernel, 'busybox': fetch_busybox, 'qemu': fetch_qemu, 'headers': fetch_headers,
         'kvm-source': fetch_kvm_source, 'bochs': fetch_bochs, 'stress-ng': fetch_stress_ng, 'gdb': fetch_gdb,
         'dkms': fetch_dkms, 'ovmf': fetch_ovmf, 'libvirt': fetch_libvirt, 'swtpm': fetch_swtpm,
         'hardware-kernel': fetch_hardware_kernel, 'secure-boot': fetch_secure_boot}


def fetch_part(part, archive):
    """One of PARTS, or NAME-SERIES."""
    if part in PARTS:
        PARTS[part](archive)
    else:
        name, _, series = part.rpartition('-')
        PARTS[name](archive, series)


def ensure(parts, again=False):
    """`again`: also parts that the cache has."""
    def missing():
        return [part for part in parts if not (cache.directory() / part / 'version').exists()]

    wanted = parts if again else missing()
    if not wanted:
        return
    with cache.lock():
        # Another process may have fetched the parts during the wait.
        wanted = parts if again else missing()
        if not wanted:
            return
        say(f'fetching into the cache {cache.directory()}: {", ".join(wanted)}')
        archive = Archive()
        for part in wanted:
            fetch_part(part, archive)
        archive.apt.clean()
