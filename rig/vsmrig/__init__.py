# SPDX-License-Identifier: BSD-2-Clause
"""See rig/README.md."""
