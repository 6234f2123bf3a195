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

# A line of a file that another one is to follow; if it is not there the tree is another.
after() {
	grep -qxF -- "$3" "$2" && return
	awk -v at="$1" -v line="$3" '{ print } $0 == at { print line; found = 1 }
		END { exit !found }' "$2" >"$2.new" || {
		rm -f "$2.new"
		echo "drop-in.sh: $2 has no line '$1': this kernel is not supported" >&2
		exit 1
	}
	cat "$2.new" >"$2"
	rm "$2.new"
}

if [ ! -f "$lib/vfio_pci_driver.c" ]; then
	echo "drop-in.sh: $1 has no VFIO selftests: give a tree of Linux 7.2 or newer" >&2
	exit 1
fi
mkdir -p "$lib/drivers/loopdma"
cp "$here/loopdma.c" "$here/../../include/loopdma/hw.h" "$lib/drivers/loopdma/"
after 'LIBVFIO_C += drivers/igb/igb.c' "$lib/libvfio.mk" \
	'LIBVFIO_C += drivers/loopdma/loopdma.c'
after 'extern struct vfio_pci_driver_ops igb_ops;' "$lib/vfio_pci_driver.c" \
	'extern struct vfio_pci_driver_ops loopdma_ops;'
after '	&igb_ops,' "$lib/vfio_pci_driver.c" '	&loopdma_ops,'
