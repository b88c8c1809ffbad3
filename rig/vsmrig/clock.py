# SPDX-License-Identifier: BSD-2-Clause
"""Time limits exclude the time in which a busy host runs other processes."""
import pathlib
import time

# In elapsed time a limit lasts at most this many times its length.
STRETCH = 10


class Clock:
    """Seconds without the time that the thread with the longest wait has waited for a CPU (schedstat)."""

    def __init__(self, pid, root='/proc', clock=time.monotonic):
        self.tasks = pathlib.Path(root) / str(pid) / 'task'
        self.clock = clock
        self.begin = clock()
        self.waited = 0.0

    def _update(self):
        for file in self.tasks.glob('*/schedstat'):
            try:
                words = file.read_text(encoding='ascii').split()
            except OSError:
                continue
            if len(words) > 1:
                self.waited = max(self.waited, int(words[1]) / 1e9)

    def now(self):
        """Never advances faster than the host's clock. May go back, since schedstat gets a wait only at its end."""
        self._update()
        elapsed = self.clock() - self.begin
        return max(elapsed - self.waited, elapsed / STRETCH)
