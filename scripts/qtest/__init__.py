# SPDX-License-Identifier: GPL-2.0-only
"""The tests of the QEMU device by itself; run by scripts/qtest.py.

  hw.py         the numbers of include/loopdma/hw.h
  qemu.py       a QEMU process: the qtest protocol, QMP, memory
  pci.py        configuration space, capabilities, the device's registers
  dma.py        channels and descriptors
  suite.py      what a case is, and how one is run
  migration.py  migration streams, and how to damage them
  iommu.py      a driver for the Intel IOMMU, as small as it gets
  cases_*.py    the cases
"""
