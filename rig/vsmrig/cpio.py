# SPDX-License-Identifier: BSD-2-Clause
"""Writes the archive that Linux unpacks as its first root file system (cpio, format "newc")."""
import stat


class Cpio:
    """Appends entries to a binary file, and parent folders once where needed."""

    def __init__(self, file):
        self.file = file
        self.inode = 0
        self.known = {''}

    def _entry(self, path, mode, data=b'', device=(0, 0)):
        self.inode += 1
        name = path.encode('utf-8', 'surrogateescape') + b'\0'
        numbers = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name), 0)
        head = b'070701' + b''.join(b'%08x' % number for number in numbers) + name
        self.file.write(head + b'\0' * (-len(head) % 4))
        self.file.write(data)
        self.file.write(b'\0' * (-len(data) % 4))

    def directory(self, path, mode=0o755):
        """A folder and its parents, unless they exist."""
        path = path.strip('/')
        if path in self.known:
            return
        self.directory(path.rpartition('/')[0])
        self.known.add(path)
        self._entry(path, stat.S_IFDIR | mode)

    def add(self, path, data, mode=0o644):
        """A regular file. A later one of the same path replaces it."""
        path = path.strip('/')
        self.directory(path.rpartition('/')[0])
        self._entry(path, stat.S_IFREG | mode, data)

    def character_device(self, path, major, minor):
        """A device node: Linux needs /dev/console before anything is mounted."""
        self.directory(path.rpartition('/')[0])
        self._entry(path.strip('/'), stat.S_IFCHR | 0o600, device=(major, minor))

    def end(self):
        """Writes the trailer."""
        self._entry('TRAILER!!!', 0)
