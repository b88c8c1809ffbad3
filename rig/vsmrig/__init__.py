# SPDX-License-Identifier: BSD-2-Clause
"""The rig: a stock Debian kernel with KVM inside a software CPU (QEMU's with SVM, Bochs' with VMX). See rig/README.md."""
