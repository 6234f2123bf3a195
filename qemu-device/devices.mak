# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of the QEMU that scripts/build-qemu.sh builds: what the project's own guests
# and tests need.  devices-full.mak adds what others do.
CONFIG_Q35=y
CONFIG_I440FX=y
CONFIG_VTD=y
CONFIG_AMD_IOMMU=y
# The guests' clock, see scripts/lib/guest.py.
CONFIG_HPET=y
CONFIG_PCIE_PORT=y
CONFIG_PCI_BRIDGE=y
CONFIG_PCIE_PCI_BRIDGE=y
# Since QEMU 10.2 the ACPI tables of a PC refer to CXL, and that to its memory.
CONFIG_PXB=y
CONFIG_CXL=y
CONFIG_CXL_MEM_DEVICE=y
CONFIG_SERIAL_ISA=y
CONFIG_ISA_DEBUG=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_LOOPDMA=y
