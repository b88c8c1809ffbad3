# SPDX-License-Identifier: BSD-2-Clause
"""The rig: a stock Debian kernel with KVM inside QEMU's software CPU. See rig/README.md."""
