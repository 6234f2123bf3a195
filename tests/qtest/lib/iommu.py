# SPDX-License-Identifier: GPL-2.0-only
"""Drivers for IOMMUs, as small as it gets: one domain, pages of 4 KiB."""

import struct
import subprocess

import pytest

from qtest.lib.pci import CAP_MSI, SLOT, Function
from qtest.lib.qemu import MIB, require

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


# --- AMD ------------------------------------------------------------------------

def amd_arguments(qemu):
    """Those of a machine with an AMD IOMMU; skips a case whose QEMU has none that maps."""
    said = subprocess.run([qemu, "-device", "amd-iommu,help"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False).stdout
    if "dma-remap" not in said:
        pytest.skip("this QEMU has no AMD IOMMU that maps addresses of emulated devices")
    return ("-device", "amd-iommu,dma-remap=on")


class AmdIommu:
    """Translation for one function; some memory is mapped where it is.

    What it is for: unlike those of Intel's, the messages in which it reports a fault are
    writes to whatever address they are given.
    """
    BASE = 0xfed80000
    DEVICE_TABLE, COMMAND_BASE, EVENT_BASE, CONTROL = 0x00, 0x08, 0x10, 0x18
    COMMAND_TAIL = 0x2008
    # On, with an event log, its interrupt, and commands.
    ON = 1 | 1 << 2 | 1 << 3 | 1 << 12
    LENGTH = 8 << 56            # 256 entries
    RIGHTS = 3 << 61
    INVALIDATE = 2 << 60        # what it knows of a function

    def __init__(self, machine, function, size=8 * MIB):
        self.m = machine
        table, commands, events = (machine.alloc(4 * PAGE) for _ in range(3))
        self.leaves = [machine.alloc(PAGE) for _ in range(0, size, 512 * PAGE)]
        middle, top = machine.alloc(PAGE), machine.alloc(PAGE)
        number = function.select >> 8 & 0xffff
        for page in range(size // PAGE):
            self.map(page * PAGE)
        for n, leaf in enumerate(self.leaves):
            self.put(middle + 8 * n, leaf | 1 << 9 | 1 | self.RIGHTS)
        self.put(top, middle | 2 << 9 | 1 | self.RIGHTS)
        self.put(table + 32 * number, top | 3 << 9 | 3 | self.RIGHTS)
        self.put(table + 32 * number + 8, DOMAIN)
        self.put(commands, self.INVALIDATE | number)
        for register, value in ((self.DEVICE_TABLE, table | 3), (self.EVENT_BASE, events |
                                self.LENGTH), (self.COMMAND_BASE, commands | self.LENGTH),
                                (self.CONTROL, self.ON), (self.COMMAND_TAIL, 16)):
            machine.qtest.put("writeq", self.BASE + register, value)
        found = [one for one in (Function(machine, slot) for slot in range(31))
                 if one.config(0x0a, 2) == 0x0806]
        require(found, "the IOMMU is no PCI function")
        self.function, = found
        self.at = self.function.capability(CAP_MSI)

    def put(self, address, value):
        self.m.write(address, struct.pack("<Q", value))

    def map(self, bus, rights=RIGHTS):
        """What was translated before may be kept: nothing is invalidated."""
        self.put(self.leaves[bus >> 21] + 8 * (bus >> 12 & 511), bus | rights | bool(rights))

    def unmap(self, bus):
        self.map(bus, 0)

    def message(self, address, data):
        """Each fault is this message."""
        self.function.set_config(self.at + 4, address)
        self.function.set_config(self.at + 8, 0)
        self.function.set_config(self.at + 12, data, 2)
        self.function.change_config(self.at + 2, 0, 1)

    def silence(self):
        self.function.change_config(self.at + 2, 1, 0)
