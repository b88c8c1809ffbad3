# SPDX-License-Identifier: BSD-2-Clause
"""apt with a private state, which reads the host's keys and proxy settings and does not change the host."""
import os
import pathlib
import re
import subprocess

from .process import tied
from .say import RigError, progress

# Remove hooks and additional indexes of the host's configuration.
CONFIGURATION = '''\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons-small;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large;
#clear Acquire::IndexTargets::deb::DEP-11-icons-hidpi;
#clear Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi;
#clear Acquire::IndexTargets::deb::Contents-deb;
Dir::State "{home}/state/";
Dir::State::lists "lists/";
Dir::State::status "{home}/state/status";
Dir::State::extended_states "{home}/state/extended_states";
Dir::Cache "{home}/cache/";
Dir::Cache::archives "archives/";
Dir::Log "{home}/log/";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{home}/sources/";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{home}/preferences/";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
'''


class Apt:
    """Its package state is empty, so "install, download only" downloads a package with all dependencies including the
    C library, so that the program runs regardless of the packages on the host."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.complaints = ''
        for part in ('state/lists/partial', 'cache/archives/partial', 'sources', 'preferences', 'log'):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        (self.home / 'state/status').write_text('')
        (self.home / 'apt.conf').write_text(CONFIGURATION.format(home=self.home))

    def _run(self, tool, *words, cwd=None):
        environment = dict(os.environ, LC_ALL='C.UTF-8', DEBIAN_FRONTEND='noninteractive')
        try:
            return subprocess.run(tied([tool, '-c', str(self.home / 'apt.conf'), *words]), cwd=cwd,
                                  env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise RigError(f'{error.filename} is missing (it is in the package util-linux)') from error

    def update(self, sources, types='deb'):
        """Reads the indexes of `sources`; `types` 'deb-src': of source packages. A failed source is not fatal; its
        messages are kept for the error about a missing package."""
        for old in (self.home / 'sources').iterdir():
            old.unlink()
        text = '\n'.join(source.stanza(types) for source in sources)
        (self.home / 'sources/rig.sources').write_text(text)
        with progress('reading the package indexes'):
            done = self._run('apt-get', '-q', 'update')
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line[:3] in ('E: ', 'W: ', 'Err')]
        self.complaints = '\n'.join(lines)

    def names(self, prefix):
        return self._run('apt-cache', 'pkgnames', prefix).stdout.split()

    def candidate(self, package, release=None):
        """None: apt would install no version."""
        target = ['-t', release] if release else []
        shown = self._run('apt-cache', *target, 'policy', package).stdout
        match = re.search(r'^ *Candidate: (\S+)', shown, re.MULTILINE)
        return None if not match or match.group(1) == '(none)' else match.group(1)

    def fetch(self, package, version, release=None, closure=False):
        """`closure`: with all dependencies. Returns the .deb files."""
        archives = self.home / 'cache/archives'
        self.clean()
        wanted = f'{package}={version}'
        target = ['-t', release] if release else []
        with progress(f'downloading {package} {version}'):
            if closure:
                done = self._run('apt-get', '-q', '-y', *target, '--download-only', 'install', wanted)
            else:
                done = self._run('apt-get', '-q', 'download', wanted, cwd=archives)
        files = sorted(archives.glob('*.deb'))
        if done.returncode or not files:
            raise self.failure(f'cannot download {package} {version}', done.stderr)
        return files

    def source_versions(self, source):
        shown = self._run('apt-cache', 'showsrc', '--only-source', source).stdout
        return list(dict.fromkeys(re.findall(r'^Version: (\S+)$', shown, re.MULTILINE)))

    def upstream_tarball(self, source, version):
        """(path in the archive, SHA-256), or None. The signed index of sources lists it even if a mirror lacks the
        package's other files."""
        shown = self._run('apt-cache', 'showsrc', '--only-source', source).stdout
        for stanza in shown.split('\n\n'):
            if not re.search(rf'^Version: {re.escape(version)}$', stanza, re.MULTILINE):
                continue
            folder = re.search(r'^Directory: (\S+)', stanza, re.MULTILINE)
            sums = re.search(r'^Checksums-Sha256:((?:\n .*)*)', stanza, re.MULTILINE)
            for digest, name in re.findall(r'^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$', sums.group(1) if sums else '', re.MULTILINE):
                return (f'{folder.group(1)}/{name}', digest) if folder else None
        return None

    def download(self, uri, digest, destination):
        """Returns whether it succeeded."""
        done = self._run('/usr/lib/apt/apt-helper', 'download-file', uri, str(destination), f'SHA256:{digest}')
        return done.returncode == 0

    def clean(self):
        for old in (self.home / 'cache/archives').glob('*.deb'):
            old.unlink()

    def failure(self, what, details=''):
        """Returns an error with the output of apt."""
        said = '\n'.join(filter(None, [details.strip(), self.complaints]))
        return RigError(f'{what}\n' + (f'output of apt:\n{said}\n' if said else '') +
                        'check that `apt-get update` works on this host and that the network is up, then try again')


def unpack(deb, folder):
    try:
        done = subprocess.run(['dpkg-deb', '-x', str(deb), str(folder)], capture_output=True, text=True)
    except FileNotFoundError as error:
        raise RigError('dpkg-deb is missing: install the package dpkg') from error
    if done.returncode:
        raise RigError(f'cannot unpack {deb}: {done.stderr.strip()}')
