# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of the QEMU that scripts/build-qemu.sh builds.
CONFIG_Q35=y
CONFIG_I440FX=y
CONFIG_VTD=y
# The guests' clock, see scripts/guest.py.
CONFIG_HPET=y
CONFIG_PCIE_PORT=y
CONFIG_SERIAL_ISA=y
CONFIG_ISA_DEBUG=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_LOOPDMA=y
