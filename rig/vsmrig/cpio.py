# SPDX-License-Identifier: BSD-2-Clause
"""Writes cpio archives in the format "newc", that of Linux' first root file system."""
import stat


class Cpio:
    """Adds parent folders once where needed."""

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
        path = path.strip('/')
        if path in self.known:
            return
        self.directory(path.rpartition('/')[0])
        self.known.add(path)
        self._entry(path, stat.S_IFDIR | mode)

    def add(self, path, data, mode=0o644):
        """A later file of the same path replaces it."""
        path = path.strip('/')
        self.directory(path.rpartition('/')[0])
        self._entry(path, stat.S_IFREG | mode, data)

    def character_device(self, path, major, minor):
        """Linux needs /dev/console before anything is mounted."""
        self.directory(path.rpartition('/')[0])
        self._entry(path.strip('/'), stat.S_IFCHR | 0o600, device=(major, minor))

    def end(self):
        self._entry('TRAILER!!!', 0)
