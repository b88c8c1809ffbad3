# SPDX-License-Identifier: BSD-2-Clause
"""Processes that must not outlive the rig, however it ends."""
import os


def own_environment():
    """The environment without the setting that fills freed memory: Meson sets it for tests, and QEMU 10.0 then crashes."""
    return {name: value for name, value in os.environ.items() if name != 'MALLOC_PERTURB_'}


def tied(command):
    """A command that the kernel kills when this process ends, even by SIGKILL."""
    return ['setpriv', '--pdeathsig', 'KILL', '--', *command]
