# SPDX-License-Identifier: BSD-2-Clause
"""Processes that must not outlive the rig, however it ends."""


def tied(command):
    """The command such that the kernel kills it when we die, were it by SIGKILL."""
    return ['setpriv', '--pdeathsig', 'KILL', '--', *command]
