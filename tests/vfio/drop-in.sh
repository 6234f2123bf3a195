#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Puts the driver for loopdma into the VFIO selftests of a kernel tree.
set -eu

if [ $# -ne 1 ]; then
	echo "usage: drop-in.sh LINUX" >&2
	echo "Puts loopdma's driver into LINUX/tools/testing/selftests/vfio." >&2
	exit 2
fi

here=$(dirname -- "$0")
lib=$1/tools/testing/selftests/vfio/lib

if [ ! -f "$lib/vfio_pci_driver.c" ]; then
	echo "drop-in.sh: $1 has no VFIO selftests: give a tree of Linux 7.2 or newer" >&2
	exit 1
fi

# Whether a file has a line that another one is to follow.
has() {
	grep -qxF -- "$1" "$2" && return
	echo "drop-in.sh: $2 has no line '$1': this kernel is not supported" >&2
	exit 1
}

# Has a line of a file followed by another one.
after() {
	grep -qxF -- "$3" "$2" && return
	awk -v at="$1" -v line="$3" '{ print } $0 == at { print line }' "$2" >"$2.new"
	cat "$2.new" >"$2"
	rm "$2.new"
}

source='LIBVFIO_C += drivers/igb/igb.c'
declared='extern struct vfio_pci_driver_ops igb_ops;'
listed='	&igb_ops,'
# Before anything is changed.
has "$source" "$lib/libvfio.mk"
has "$declared" "$lib/vfio_pci_driver.c"
has "$listed" "$lib/vfio_pci_driver.c"

mkdir -p "$lib/drivers/loopdma"
cp "$here/loopdma.c" "$here/../../include/loopdma/hw.h" "$lib/drivers/loopdma/"
after "$source" "$lib/libvfio.mk" 'LIBVFIO_C += drivers/loopdma/loopdma.c'
after "$declared" "$lib/vfio_pci_driver.c" 'extern struct vfio_pci_driver_ops loopdma_ops;'
after "$listed" "$lib/vfio_pci_driver.c" '	&loopdma_ops,'
