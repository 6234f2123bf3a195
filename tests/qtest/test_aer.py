# SPDX-License-Identifier: GPL-2.0-only
"""Errors of the bus (AER), which the host injects: recorded, reported, and no more."""

from qtest.lib.dma import DONE, Channel, copy, pattern
from qtest.lib.hw import ONES
from qtest.lib.machine import PORT, Port
from qtest.lib.migration import begin, migrate
from qtest.lib.pci import CAP_EXPRESS, Function
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import BOTH, SYNC, each

ECAM = 0xb0000000
AER = 1
# Offsets in the capability, and in that of a root port.
UNCOR_STATUS, UNCOR_SEVERITY, COR_STATUS, CONTROL = 4, 0xc, 0x10, 0x18
HEADER, PREFIX = 0x1c, 0x38
MULTIPLE_HEADERS = 3 << 9   # can be recorded, are recorded
ROOT_STATUS, ROOT_SOURCE = 0x30, 0x34
COR_RECEIVED, UNCOR_RECEIVED, FIRST_FATAL, NONFATAL, FATAL = 1, 4, 0x10, 0x20, 0x40

DLP, COMP_TIME, BAD_TLP = 1 << 4, 1 << 14, 1 << 6
DEVICE = 0x0100             # bus 1, function 0: as a requester ID


class Errors:
    """The AER capability of a function."""

    def __init__(self, function):
        self.m = function.m
        bus, devfn = function.select >> 16 & 0xff, function.select >> 8 & 0xff
        self.base = ECAM + (bus << 20 | devfn << 12)
        at = 0x100
        while at and self.m.qtest.get("readl", self.base + at) & 0xffff != AER:
            at = self.m.qtest.get("readl", self.base + at) >> 20
        require(at, "no AER capability")
        self.at = at

    def get(self, offset):
        return self.m.qtest.get("readl", self.base + self.at + offset)

    def set(self, offset, value):
        self.m.qtest.put("writel", self.base + self.at + offset, value)


def inject(machine, error):
    said = machine.qmp.command("human-monitor-command",
                               command_line=f"pcie_aer_inject_error dma {error}")
    require(said.startswith("OK"), said)


class Slot:
    """A device in a slot, of which errors are reported as firmware and Linux have it."""

    def __init__(self, bench, mode=SYNC):
        self.m = bench.machine(*PORT).connect()
        Function(self.m, slot=0).set_config(0x60, ECAM | 1)
        self.port = Port(self.m)
        self.dev = self.port.add(mode)
        self.dev.setup()
        for function in (self.port, self.dev):
            # SERR# Enable; the reports of all errors.
            function.change_config(4, 0, 0x100)
            function.change_config(function.capability(CAP_EXPRESS) + 8, 0, 7)
        self.port.change_config(0x3e, 0, 2)
        self.own, self.root = Errors(self.dev), Errors(self.port)

    def inject(self, error):
        inject(self.m, error)

    def status(self):
        """DEVSTA: correctable, non-fatal, fatal error detected."""
        return self.dev.config(self.dev.capability(CAP_EXPRESS) + 0xa, 2) & 7

    def reported(self, received):
        """What the root port has been told, and by whom."""
        expect(self.root.get(ROOT_STATUS) & 0x7f, received, "root error status")
        source = self.root.get(ROOT_SOURCE)
        expect(source & 0xffff, DEVICE if received & COR_RECEIVED else 0, "source, corrected")
        expect(source >> 16, DEVICE if received & UNCOR_RECEIVED else 0, "source")


KINDS = {
    # What is injected, where it is recorded, DEVSTA, what the root port has received.
    "nonfatal": ("COMP_TIME", UNCOR_STATUS, COMP_TIME, 2, UNCOR_RECEIVED | NONFATAL),
    "fatal": ("DLP", UNCOR_STATUS, DLP, 4, UNCOR_RECEIVED | FIRST_FATAL | FATAL),
    "correctable": ("BAD_TLP", COR_STATUS, BAD_TLP, 1, COR_RECEIVED),
}


@each("mode, error, register, bit, seen, received",
      {f"{name}.{how}": (mode, *kind) for name, kind in KINDS.items()
       for how, mode in BOTH.items()})
def test_reported(bench, mode, error, register, bit, seen, received):
    """An error is recorded, reported to the port, and cleared by 1; channels go on."""
    slot = Slot(bench, mode)
    dev, m = slot.dev, slot.m
    channels = [Channel(dev, n, log2=6).enable() for n in range(3)]
    data = pattern(MIB)
    src, dst = m.buffer(data), [m.alloc(MIB) for _ in channels]
    for n, ch in enumerate(channels):
        ch.submit(*[copy(src, dst[n], MIB)] * 20)
    slot.inject(error)
    expect(slot.own.get(register), bit, "error status")
    expect(slot.status(), seen, "DEVSTA")
    # QEMU 8.0 is the first to pass on what can be corrected.
    version = m.qmp.command("query-version")["qemu"]
    slot.reported(0 if received == COR_RECEIVED and version["major"] < 8 else received)
    for n, ch in enumerate(channels):
        ch.wait()
        ch.expect_results(0, *[DONE] * 20)
        require(m.read(dst[n], MIB) == data, "data differs")
    slot.own.set(register, ~bit & 0xffffffff)
    expect(slot.own.get(register), bit, "error status, others cleared")
    slot.own.set(register, bit)
    expect(slot.own.get(register), 0, "error status, cleared")


def test_severity(bench):
    """Which errors are fatal is for the driver to say."""
    slot = Slot(bench)
    slot.own.set(UNCOR_SEVERITY, slot.own.get(UNCOR_SEVERITY) | COMP_TIME)
    slot.inject("COMP_TIME")
    slot.reported(UNCOR_RECEIVED | FIRST_FATAL | FATAL)
    expect(slot.status(), 4, "DEVSTA")


def test_kept(bench):
    """What was recorded outlives a reset of the function, and a reset of the bus."""
    slot = Slot(bench)
    slot.inject("COMP_TIME")
    slot.dev.flr()
    expect(slot.own.get(UNCOR_STATUS), COMP_TIME, "error status after FLR")
    slot.port.reset_bus()
    expect(slot.own.get(UNCOR_STATUS), COMP_TIME, "error status after a reset of the bus")
    slot.dev.setup()
    Channel(slot.dev, 0).enable().works()


def test_gone(bench):
    """Of a function that is gone the capability gives all ones, too."""
    slot = Slot(bench)
    slot.m.qmp.command("qom-set", path="/machine/peripheral/dma", property="gone", value=True)
    for offset in (0, UNCOR_STATUS, COR_STATUS):
        expect(slot.own.get(offset), ONES, f"AER capability at {offset:#x}")


def test_migrated(bench):
    """Migration: what was recorded is so at the destination, and the second error is not lost."""
    dev = begin(bench)
    Function(dev.m, slot=0).set_config(0x60, ECAM | 1)
    own = Errors(dev)
    # None waits behind the first one: there is one header, and the function says so.
    own.set(CONTROL, own.get(CONTROL) | MULTIPLE_HEADERS)
    expect(own.get(CONTROL) & MULTIPLE_HEADERS, 0, "multiple header recording")
    inject(dev.m, "COMP_TIME 0x11 0x22 0x33 0x44")
    inject(dev.m, "DLP")
    inject(dev.m, "BAD_TLP")
    before = [own.get(offset) for offset in range(0, PREFIX + 16, 4)]
    expect(before[UNCOR_STATUS // 4], COMP_TIME | DLP, "error status")
    there = migrate(bench, dev)
    own = Errors(there)
    expect([own.get(offset) for offset in range(0, PREFIX + 16, 4)], before, "AER capability")
    own.set(UNCOR_STATUS, COMP_TIME)
    expect(own.get(UNCOR_STATUS), DLP, "error status, the first cleared")
    own.set(UNCOR_STATUS, DLP)
    own.set(COR_STATUS, BAD_TLP)
    for register in (UNCOR_STATUS, COR_STATUS):
        expect(own.get(register), 0, "error status, cleared")
    inject(there.m, "COMP_TIME 0x55 0x66 0x77 0x88")
    expect(own.get(UNCOR_STATUS), COMP_TIME, "error status, again")
    expect(own.get(HEADER), 0x55 << 24, "header log")
