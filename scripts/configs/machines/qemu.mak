# SPDX-License-Identifier: GPL-2.0-only
# The machines of scripts/lib/machines.py that QEMU's models are mended for, and what these do
# not build or start without, though they do not say so.
CONFIG_ARM_V7M=y
CONFIG_OR_IRQ=y
CONFIG_RASPI=y
CONFIG_UNIMP=y
CONFIG_VERSATILE=y
