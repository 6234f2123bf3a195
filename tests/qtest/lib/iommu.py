# SPDX-License-Identifier: GPL-2.0-only
"""Drivers for IOMMUs, as small as it gets: one domain, pages of 4 KiB."""

import functools
import struct
import subprocess

import pytest

from qtest.lib.pci import (CAP_MSI, CAP_VENDOR, COMMAND, COMMAND_MASTER, COMMAND_MEMORY, SLOT,
                           Function)
from qtest.lib.qemu import MIB, expect, require

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
CONTEXT_DEVICE = 3 << 61
IOTLB_GLOBAL = 1 << 60
IOTLB_DOMAIN = 2 << 60
IOTLB_PAGES = 3 << 60
DOMAIN = 1

READ = 1
WRITE = 2

PAGE = 4096
REACH = 512 * PAGE      # of a table of the lowest level
LEVELS = 3              # 39 bits of address


def entries(address, size, rights):
    """Those of consecutive pages, none of which is mapped without rights."""
    count = size // PAGE
    return struct.pack(f"<{count}Q", *((address + n * PAGE | rights for n in range(count))
                                       if rights else [0] * count))


class Iommu:
    """Translation for the device in a slot of bus 0; nothing is mapped at first."""
    # Ways to flush.  That of device TLBs is none: the function has no ATS.
    FLUSHES = ("pages", "domain", "global", "context")

    def __init__(self, machine, slot=SLOT):
        self.m = machine
        self.number = slot << 3
        root, context = machine.alloc(PAGE), machine.alloc(PAGE)
        self.top = machine.alloc(PAGE)
        self.put(root, context | 1)
        self.context = context + 16 * self.number
        self.put(self.context, self.top | 1)
        self.put(self.context + 8, DOMAIN << 8 | 1)     # 39 bits
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

    def fill(self, bus, address, size, rights):
        """Writes entries, a table at once, and flushes nothing."""
        while size:
            part = min(size, REACH - bus % REACH)
            self.m.write(self.entry(bus), entries(address, part, rights))
            bus, address, size = bus + part, address + part, size - part

    def map(self, bus, address, size=PAGE, rights=READ | WRITE):
        """Maps whole pages, over whatever is mapped there."""
        self.fill(bus, address, size, rights)
        self.invalidate()

    def unmap(self, bus, size=PAGE):
        self.fill(bus, 0, size, 0)
        self.invalidate()

    # --- what it has in common with the others: addresses are those of the CPU ---

    def give(self, places, size):
        """Maps what is not mapped, of which nothing is kept that had to be flushed."""
        self.put(self.context, self.top | 1)
        for place in places:
            self.fill(place, place, size, READ | WRITE)

    def take(self, places, size, flush):
        """Unmaps them; when this returns it is complete."""
        for place in places:
            self.fill(place, 0, size, 0)
        if flush == "pages":
            for place in places:
                self.invalidate_pages(place, (size // PAGE).bit_length() - 1)
        elif flush == "global":
            self.invalidate_all()
        else:
            if flush == "context":
                self.put(self.context, 0)
                self.demand(CCMD, CONTEXT_DEVICE | self.number << 16)
            self.demand(IOTLB, IOTLB_DOMAIN | DOMAIN << 32)


# --- AMD ------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def told(qemu, device):
    """What a QEMU says when it is asked about a device; once, as many cases ask."""
    return subprocess.run([qemu, "-device", device], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False).stdout


def amd_arguments(qemu):
    """Those of a machine with an AMD IOMMU; skips a case whose QEMU has none that maps."""
    if "dma-remap" not in told(qemu, "amd-iommu,help"):
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
    # What it knows of a function, of a domain, of all; and all pages of a domain, of several.
    INVALIDATE, INVALIDATE_PAGES, INVALIDATE_ALL = 2 << 60, 3 << 60, 8 << 60
    ALL_PAGES, SEVERAL = 0x7ffffffffffff000, 1
    FLUSHES = ("pages", "domain", "global", "context")

    def __init__(self, machine, function, size=8 * MIB):
        self.m = machine
        table, self.commands, events = (machine.alloc(4 * PAGE) for _ in range(3))
        self.tail = 0
        self.leaves = [machine.alloc(PAGE) for _ in range(0, size, REACH)]
        middle, top = machine.alloc(PAGE), machine.alloc(PAGE)
        self.number = function.select >> 8 & 0xffff
        self.entry = table + 32 * self.number
        for page in range(size // PAGE):
            self.map(page * PAGE)
        for n, leaf in enumerate(self.leaves):
            self.put(middle + 8 * n, leaf | 1 << 9 | 1 | self.RIGHTS)
        self.put(top, middle | 2 << 9 | 1 | self.RIGHTS)
        self.translated = top | 3 << 9 | 3 | self.RIGHTS
        self.put(self.entry, self.translated)
        self.put(self.entry + 8, DOMAIN)
        for register, value in ((self.DEVICE_TABLE, table | 3), (self.EVENT_BASE, events |
                                self.LENGTH), (self.COMMAND_BASE, self.commands | self.LENGTH),
                                (self.CONTROL, self.ON)):
            machine.qtest.put("writeq", self.BASE + register, value)
        self.order((self.INVALIDATE | self.number, 0))
        found = [one for one in (Function(machine, slot) for slot in range(31))
                 if one.config(0x0a, 2) == 0x0806]
        require(found, "the IOMMU is no PCI function")
        self.function, = found
        self.at = self.function.capability(CAP_MSI)

    def put(self, address, value):
        self.m.write(address, struct.pack("<Q", value))

    def order(self, *commands):
        """When this returns they are executed."""
        for low, high in commands:
            self.put(self.commands + self.tail, low)
            self.put(self.commands + self.tail + 8, high)
            self.tail = (self.tail + 16) % (256 * 16)
        self.m.qtest.put("writeq", self.BASE + self.COMMAND_TAIL, self.tail)

    def fill(self, first, size, rights):
        """Writes entries of one table; what was translated before may be kept."""
        self.m.write(self.leaves[first // REACH] + 8 * (first // PAGE % 512),
                     entries(first, size, rights and rights | 1))

    def map(self, bus, rights=RIGHTS):
        self.fill(bus, PAGE, rights)

    def unmap(self, bus):
        self.map(bus, 0)

    def give(self, places, size):
        """Maps what is not mapped, of which nothing is kept that had to be flushed."""
        self.put(self.entry, self.translated)
        for place in places:
            self.fill(place, size, self.RIGHTS)

    def take(self, places, size, flush):
        """Unmaps them; when this returns it is complete."""
        for place in places:
            self.fill(place, size, 0)
        pages = self.INVALIDATE_PAGES | DOMAIN << 32
        everything = pages, self.ALL_PAGES | self.SEVERAL
        if flush == "pages":
            self.order(*((pages, place | size // 2 - PAGE | self.SEVERAL) for place in places))
        elif flush == "domain":
            self.order(everything)
        elif flush == "global":
            self.order((self.INVALIDATE_ALL, 0))
        else:
            # Valid, and without a translation.
            self.put(self.entry, 1)
            self.order((self.INVALIDATE | self.number, 0), everything)

    def message(self, address, data):
        """Each fault is this message."""
        self.function.set_config(self.at + 4, address)
        self.function.set_config(self.at + 8, 0)
        self.function.set_config(self.at + 12, data, 2)
        self.function.change_config(self.at + 2, 0, 1)

    def silence(self):
        self.function.change_config(self.at + 2, 1, 0)


# --- virtio -----------------------------------------------------------------------

VIRTIO_SLOT = 5


def virtio_arguments(qemu):
    """Those of a machine with a virtio IOMMU; skips a case whose QEMU has none."""
    if "virtio-iommu-pci" not in told(qemu, "help"):
        pytest.skip("this QEMU has no virtio IOMMU")
    # Who is not attached is refused.
    return ("-device", f"virtio-iommu-pci,addr={VIRTIO_SLOT},boot-bypass=off")


class VirtioIommu:
    """Translation for one function; nothing is mapped at first."""
    BAR = 0xe0100000
    COMMON, NOTIFY = 1, 2       # kinds of capabilities
    FEATURES, WANTED, STATUS, QUEUE, ENABLE = 0x04, 0x0c, 0x14, 0x16, 0x1c
    MAP_UNMAP, VERSION_1 = 1 << 2, 1 << 0
    ATTACH, DETACH, MAP, UNMAP = 1, 2, 3, 4
    LOG2 = 3
    FLUSHES = ("pages", "domain", "context")

    def __init__(self, machine, function):
        self.m = machine
        self.number = function.select >> 8 & 0xffff
        self.function = Function(machine, VIRTIO_SLOT)
        self.function.set_config(0x20, self.BAR)
        self.function.set_config(0x24, 0)
        self.function.change_config(COMMAND, 0, COMMAND_MEMORY | COMMAND_MASTER)
        self.common, self.bell = (self.structure(kind) for kind in (self.COMMON, self.NOTIFY))
        self.ring, self.avail, self.used, self.request = (machine.alloc(PAGE) for _ in range(4))
        self.count = 0
        for status in (0, 1, 3):
            self.set("b", self.STATUS, status)
        for word, features in enumerate((self.MAP_UNMAP, self.VERSION_1)):
            self.set("l", self.WANTED - 4, word)
            self.set("l", self.WANTED, features)
        self.set("b", self.STATUS, 11)
        self.set("w", self.QUEUE, 0)
        self.set("w", self.QUEUE + 2, 1 << self.LOG2)
        for n, address in enumerate((self.ring, self.avail, self.used)):
            self.set("l", self.ENABLE + 4 + 8 * n, address)
            self.set("l", self.ENABLE + 8 + 8 * n, 0)
        self.set("w", self.ENABLE, 1)
        self.set("b", self.STATUS, 15)
        self.attach()

    def structure(self, kind):
        """Where one is that the capabilities tell of."""
        at = self.function.config(0x34, 1)
        while at and (self.function.config(at, 1) != CAP_VENDOR or
                      self.function.config(at + 3, 1) != kind):
            at = self.function.config(at + 1, 1)
        require(at, f"no virtio structure {kind}")
        return self.BAR + self.function.config(at + 8)

    def set(self, size, register, value):
        self.m.qtest.put(f"write{size}", self.common + register, value)

    def order(self, kind, body, status=0):
        """A request; when this returns it is executed."""
        data = struct.pack("<II", kind, DOMAIN) + body
        self.m.write(self.request, data + b"\xff" * 4)
        self.m.write(self.ring, struct.pack("<QIHHQIHH", self.request, len(data), 1, 1,
                                            self.request + len(data), 4, 2, 0))
        # Always the first two descriptors.
        self.m.write(self.avail + 4 + 2 * (self.count % (1 << self.LOG2)), bytes(2))
        self.count = self.count + 1 & 0xffff
        self.m.write(self.avail + 2, struct.pack("<H", self.count))
        self.m.qtest.put("writew", self.bell, 0)
        self.m.until(lambda: struct.unpack("<H", self.m.read(self.used + 2, 2))[0] == self.count,
                     "the request")
        expect(self.m.read(self.request + len(data), 1)[0], status, f"status of request {kind}")

    def attach(self):
        self.order(self.ATTACH, struct.pack("<IQ", self.number, 0))
        self.attached, self.mapped = True, set()

    def unmap(self, first, last):
        """All mappings in a range."""
        self.order(self.UNMAP, struct.pack("<QQI", first, last, 0))
        self.mapped = {at for at in self.mapped if not first <= at <= last}

    def give(self, places, size):
        """Maps what is not mapped, a place in two halves."""
        if not self.attached:
            self.attach()
        for at in {half for place in places for half in (place, place + size // 2)} - self.mapped:
            self.order(self.MAP, struct.pack("<QQQI", at, at + size // 2 - 1, at, READ | WRITE))
            self.mapped.add(at)

    def take(self, places, size, flush):
        """Unmaps them; when this returns it is complete."""
        if flush == "pages":
            for place in places:
                self.unmap(place, place + size - 1)
        elif flush == "domain":
            self.unmap(0, (1 << 64) - 1)
        else:
            # Of a domain without endpoints nothing remains.
            self.order(self.DETACH, struct.pack("<IQ", self.number, 0))
            self.attached = False
            self.mapped = set()


# By model: the arguments of a machine for this QEMU; a driver for the device; how it flushes.
MODELS = {
    "intel": (lambda qemu: ARGUMENTS, lambda dev: Iommu(dev.m), Iommu.FLUSHES),
    "virtio": (virtio_arguments, lambda dev: VirtioIommu(dev.m, dev), VirtioIommu.FLUSHES),
    "amd": (amd_arguments, lambda dev: AmdIommu(dev.m, dev, 32 * MIB), AmdIommu.FLUSHES),
}
