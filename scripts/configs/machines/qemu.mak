# SPDX-License-Identifier: GPL-2.0-only
# The machines of scripts/lib/machines.py that QEMU's models are mended for, and what QEMU
# does not build without.
CONFIG_ARM_V7M=y
CONFIG_RASPI=y
CONFIG_VERSATILE=y
