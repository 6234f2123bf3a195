# SPDX-License-Identifier: GPL-2.0-only
"""A driver for the Intel IOMMU, as small as it gets: one domain, pages of 4 KiB."""

import struct

from qtest.lib.pci import SLOT

# aw-bits has a default that differs between versions of QEMU.
ARGUMENTS = ("-device", "intel-iommu,intremap=off,aw-bits=39")

BASE = 0xfed90000
GCMD = 0x18
GSTS = 0x1c
RTADDR = 0x20
CCMD = 0x28
IVA = 0xf0
IOTLB = 0xf8

TRANSLATE = 1 << 31
SET_ROOT = 1 << 30
INVALIDATE = 1 << 63
CONTEXT_GLOBAL = 1 << 61
IOTLB_GLOBAL = 1 << 60
IOTLB_PAGES = 3 << 60
DOMAIN = 1

READ = 1
WRITE = 2

PAGE = 4096
LEVELS = 3      # 39 bits of address


class Iommu:
    """Translation for the device in a slot of bus 0; nothing is mapped at first."""

    def __init__(self, machine, slot=SLOT):
        self.m = machine
        root, context = machine.alloc(PAGE), machine.alloc(PAGE)
        self.top = machine.alloc(PAGE)
        self.put(root, context | 1)
        entry = context + 16 * (slot << 3)
        self.put(entry, self.top | 1)
        self.put(entry + 8, DOMAIN << 8 | 1)        # 39 bits
        machine.qtest.put("writeq", BASE + RTADDR, root)
        self.order(SET_ROOT)
        self.invalidate()
        self.order(TRANSLATE)

    def put(self, address, value):
        self.m.write(address, struct.pack("<Q", value))

    def order(self, command):
        self.m.qtest.put("writel", BASE + GCMD, command)
        self.m.until(lambda: self.m.qtest.get("readl", BASE + GSTS) & command,
                     "the IOMMU")

    def invalidate(self):
        """When this returns, nothing is translated as before any more."""
        self.demand(CCMD, CONTEXT_GLOBAL)
        self.invalidate_all()

    def invalidate_all(self):
        """The same, but for root and context entries."""
        self.demand(IOTLB, IOTLB_GLOBAL)

    def invalidate_pages(self, bus, log2):
        """The same for 2^log2 pages only."""
        self.demand(IOTLB, IOTLB_PAGES | DOMAIN << 32, f"writeq {BASE + IVA:#x} {bus | log2:#x}")

    def demand(self, register, what, *first):
        """Returns as soon as it is done, while the device may be in the middle of a turn."""
        answers = self.m.qtest.batch([
            *first, f"writeq {BASE + register:#x} {INVALIDATE | what:#x}",
            f"readq {BASE + register:#x}"])
        if int(answers[-1][0], 0) & INVALIDATE:
            self.m.until(lambda: not self.m.qtest.get("readq", BASE + register) & INVALIDATE,
                         "the invalidation")

    def entry(self, bus):
        """Where the page table entry of a bus address is."""
        table = self.top
        for level in range(LEVELS - 1, 0, -1):
            at = table + 8 * (bus >> 12 + 9 * level & 511)
            low = struct.unpack("<Q", self.m.read(at, 8))[0]
            if not low:
                low = self.m.alloc(PAGE) | READ | WRITE
                self.put(at, low)
            table = low & ~(PAGE - 1)
        return table + 8 * (bus >> 12 & 511)

    def map(self, bus, address, size=PAGE, rights=READ | WRITE):
        """Maps whole pages, over whatever is mapped there."""
        for offset in range(0, size, PAGE):
            self.put(self.entry(bus + offset), address + offset | rights)
        self.invalidate()

    def unmap(self, bus, size=PAGE):
        for offset in range(0, size, PAGE):
            self.put(self.entry(bus + offset), 0)
        self.invalidate()
