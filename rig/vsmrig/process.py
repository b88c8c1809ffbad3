# SPDX-License-Identifier: BSD-2-Clause
"""No process may outlive the rig."""
import os


def own_environment():
    """Without MALLOC_PERTURB_, which Meson sets for tests: with it QEMU 10.0 crashes."""
    return {name: value for name, value in os.environ.items() if name != 'MALLOC_PERTURB_'}


def tied(command):
    """The kernel kills the command when this process ends, even by SIGKILL."""
    return ['setpriv', '--pdeathsig', 'KILL', '--', *command]
