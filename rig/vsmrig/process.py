# SPDX-License-Identifier: BSD-2-Clause
"""Processes that must not outlive the rig, however it ends."""
import os


def own_environment():
    """Ours, without what fills an emulator's freed memory: Meson sets it for tests, and QEMU 10.0 then ends by SIGSEGV."""
    return {name: value for name, value in os.environ.items() if name != 'MALLOC_PERTURB_'}


def tied(command):
    """The command such that the kernel kills it when we die, were it by SIGKILL."""
    return ['setpriv', '--pdeathsig', 'KILL', '--', *command]
