# SPDX-License-Identifier: GPL-2.0-or-later
# What a machine for people has beside devices.mak.  A name that a version of QEMU does not
# know is left out.
CONFIG_MICROVM=y
CONFIG_VIRTIO_IOMMU=y
# Bridges, and buses with an IOMMU or a NUMA node of their own.
CONFIG_I82801B11=y
CONFIG_IOH3420=y
CONFIG_XIO3130=y
# What a machine has unless it is told not to.
CONFIG_VGA_PCI=y
CONFIG_E1000_PCI=y
CONFIG_E1000E_PCI_EXPRESS=y
# Of the guest's side of virtio.
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_BALLOON=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SCSI=y
CONFIG_VHOST_USER_FS=y
CONFIG_VHOST_VSOCK=y
# Peers of a DMA engine: devices with DMA of their own, and the host's.
CONFIG_EDU=y
CONFIG_IGB_PCI_EXPRESS=y
CONFIG_IOMMUFD=y
CONFIG_NVME_PCI=y
# What nvme refers to since QEMU 9.1, without saying so.
CONFIG_SPDM_SOCKET=y
CONFIG_VFIO_PCI=y
# A watchdog, a second serial port, memory that is plugged in.
CONFIG_NVDIMM=y
CONFIG_SERIAL_PCI=y
CONFIG_WDT_IB6300ESB=y
