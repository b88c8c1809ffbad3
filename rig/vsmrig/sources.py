# SPDX-License-Identifier: BSD-2-Clause
"""The host's apt sources, so that the rig uses the same mirrors."""
import dataclasses
import pathlib
import re
import shlex
import subprocess

from .say import RigError

# Fields of deb822 by the options of the one-line format.
FIELDS = {
    'signed-by': 'Signed-By',
    'trusted': 'Trusted',
    'check-valid-until': 'Check-Valid-Until',
    'valid-until-max': 'Valid-Until-Max',
    'check-date': 'Check-Date',
    'allow-insecure': 'Allow-Insecure',
    'allow-weak': 'Allow-Weak',
    'by-hash': 'By-Hash',
}

# Aliases whose release changes over time.
ALIASES = ('stable', 'oldstable', 'oldoldstable', 'testing', 'unstable', 'sid')


@dataclasses.dataclass(frozen=True)
class Source:
    """One suite of one archive. `fields`: pairs of a deb822 field's name and its raw text."""
    uri: str
    suite: str
    components: tuple
    fields: tuple

    def stanza(self, types='deb'):
        """apt's deb822 format. `types` 'deb-src': source packages."""
        lines = [f'Types: {types}', f'URIs: {self.uri}', f'Suites: {self.suite}']
        if self.components:
            lines.append('Components: ' + ' '.join(self.components))
        lines += [f'{name}: {text}' for name, text in self.fields]
        return '\n'.join(lines) + '\n'


def parse_one_line(text):
    """The format of sources.list; only binary packages."""
    for line in text.splitlines():
        match = re.match(r'\s*deb\s+(?:\[([^]]*)\]\s*)?([^#]*)', line)
        if not match:
            continue
        words = match.group(2).split()
        if len(words) < 2:
            continue
        fields = []
        for option in (match.group(1) or '').split():
            name, _, value = option.partition('=')
            if name.lower() in FIELDS:
                fields.append((FIELDS[name.lower()], value.replace(',', ' ')))
        yield Source(words[0], words[1], tuple(words[2:]), tuple(fields))


def parse_deb822(text):
    """The format of *.sources; only enabled sources of binary packages."""
    text = re.sub(r'^#.*\n?', '', text, flags=re.MULTILINE)
    for stanza in re.split(r'\n[ \t]*\n', text):
        fields = {}
        for name, value in re.findall(r'^([A-Za-z0-9-]+)[ \t]*:(.*(?:\n[ \t].*)*)', stanza, re.MULTILINE):
            fields[name.lower()] = value.strip()
        if 'deb' not in fields.get('types', '').split() or fields.get('enabled', 'yes').lower() == 'no':
            continue
        kept = tuple((FIELDS[name], fields[name]) for name in FIELDS if name in fields)
        components = tuple(fields.get('components', '').split())
        for uri in fields.get('uris', '').split():
            for suite in fields.get('suites', '').split():
                yield Source(uri, suite, components, kept)


def configured():
    try:
        shell = subprocess.run(
            ['apt-config', 'shell', 'LIST', 'Dir::Etc::sourcelist/f', 'PARTS', 'Dir::Etc::sourceparts/d'],
            check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise RigError('apt-config does not run: the rig takes its kernel from a Debian archive by apt') from error
    paths = dict(word.split('=', 1) for word in shlex.split(shell))
    parts = pathlib.Path(paths.get('PARTS', '/etc/apt/sources.list.d'))
    files = [pathlib.Path(paths.get('LIST', '/etc/apt/sources.list'))]
    files += sorted(parts.glob('*.list')) + sorted(parts.glob('*.sources'))
    for file in files:
        try:
            text = file.read_text(encoding='utf-8', errors='replace')
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RigError(f'cannot read {file}: {error.strerror}') from error
        yield from parse_deb822(text) if file.suffix == '.sources' else parse_one_line(text)


def codename():
    """As in bookworm."""
    release = {}
    for path in ('/etc/os-release', '/usr/lib/os-release'):
        try:
            text = pathlib.Path(path).read_text(encoding='utf-8')
        except OSError:
            continue
        release = dict(line.split('=', 1) for line in shlex.split(text, comments=True) if '=' in line)
        break
    if release.get('ID') != 'debian' or 'VERSION_CODENAME' not in release:
        raise RigError(f"this host is {release.get('PRETTY_NAME', 'unknown')}: "
                       'the rig can download its kernel and QEMU only on Debian\n'
                       'run rig/fetch on a Debian machine and set VSM_RIG_CACHE to a copy of its cache')
    return release['VERSION_CODENAME']


def of_release(sources, name):
    """Sources with component main, except CDs, that name the release or any alias."""
    bases = (name,) + ALIASES
    for source in sources:
        base = re.sub(r'(-updates|-security|-backports|/updates)$', '', source.suite)
        if base in bases and 'main' in source.components and not source.uri.startswith('cdrom:'):
            yield source


def for_release(sources, own, name):
    """Changes the sources of the release `own` or of an alias, except backports, to `name` on the same mirrors."""
    for source in sources:
        base, dash, rest = source.suite.partition('-')
        if rest != 'backports' and (base == own or base in ALIASES):
            yield dataclasses.replace(source, suite=name + dash + rest, components=('main',))


def backports(sources, name):
    """Those configured; else on each mirror with the release's updates; else on each mirror."""
    wanted = name + '-backports'
    there = [source for source in sources if source.suite == wanted]
    if there:
        return there
    mirrors = [source for source in sources if source.suite.endswith('-updates')]
    mirrors = mirrors or [source for source in sources if '-' not in source.suite]
    return [dataclasses.replace(source, suite=wanted, components=('main',)) for source in mirrors]
