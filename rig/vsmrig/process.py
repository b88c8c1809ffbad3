# SPDX-License-Identifier: BSD-2-Clause
"""How the rig starts programs of the host: their environment and their end."""
import os


def own_environment():
    """Without MALLOC_PERTURB_, which Meson sets for tests: with it QEMU 10.0 crashes."""
    return {name: value for name, value in os.environ.items() if name != 'MALLOC_PERTURB_'}


def tied(command):
    """The kernel kills the command, but not its child processes, when the thread that starts it ends, even by SIGKILL."""
    return ['setpriv', '--pdeathsig', 'KILL', '--', *command]
