# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the accelerator for a QEMU binary of Debian, or as a part of QEMU's source (qemu/README.md)."""
