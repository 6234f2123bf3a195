# SPDX-License-Identifier: GPL-2.0-only
"""PCI functions, and the loopdma device as one."""

import contextlib
import struct

from qtest.lib.hw import HW
from qtest.lib.qemu import Failed, expect, require

COMMAND = 0x04
COMMAND_MEMORY = 0x02
COMMAND_MASTER = 0x04
COMMAND_INTX_OFF = 0x400
INTERRUPT_PIN = 0x3d
CAP_PM = 0x01
CAP_MSI = 0x05
CAP_VENDOR = 0x09
CAP_EXPRESS = 0x10
CAP_MSIX = 0x11

BAR = 0xe0000000
SLOT = 4

MESSAGE = 0xbeef0000        # data of MSI-X messages, plus the vector


class Function:
    """Configuration space of a PCI function."""

    def __init__(self, machine, slot=SLOT, bus=0):
        self.m = machine
        self.select = 0x80000000 | bus << 16 | slot << 11

    def config(self, offset, size=4):
        self.m.qtest.put("outl", 0xcf8, self.select | offset & ~3)
        return self.m.qtest.get(f"in{' bw l'[size]}", 0xcfc | offset & 3) & \
            (1 << 8 * size) - 1

    def set_config(self, offset, value, size=4):
        self.m.qtest.put("outl", 0xcf8, self.select | offset & ~3)
        self.m.qtest.put(f"out{' bw l'[size]}", 0xcfc | offset & 3, value)

    def change_config(self, offset, clear, insert, size=2):
        self.set_config(offset, self.config(offset, size) & ~clear | insert, size)

    def capability(self, wanted):
        """Where a capability is, 0 if there is none."""
        at = self.config(0x34, 1)
        while at and self.config(at, 1) != wanted:
            at = self.config(at + 1, 1)
        return at

    def flr(self):
        control = self.capability(CAP_EXPRESS) + 8
        self.change_config(control, 0, 1 << 15)


class Device(Function):
    """The loopdma device: BAR, interrupts."""

    def __init__(self, machine, slot=SLOT, bus=0, bar=BAR, fresh=True):
        super().__init__(machine, slot, bus)
        self.bar = bar
        self.messages = None
        if fresh:
            self.setup()

    def setup(self, master=True):
        """What firmware and the driver's probe do."""
        self.set_config(0x10, self.bar)
        self.set_config(0x14, 0)
        self.change_config(COMMAND, 0, COMMAND_MEMORY)
        if master:
            self.master(True)

    def master(self, on):
        self.change_config(COMMAND, COMMAND_MASTER, COMMAND_MASTER if on else 0)

    # --- registers ---

    def read(self, offset):
        return self.m.qtest.get("readl", self.bar + offset)

    def write(self, offset, value):
        self.m.qtest.put("writel", self.bar + offset, value)

    @contextlib.contextmanager
    def guest_error(self, what):
        """What is done inside must be logged as an error of the guest."""
        before = len(self.m.complaints())
        yield
        self.m.settle()
        require(len(self.m.complaints()) > before, f"{what}: no guest error is logged")

    @contextlib.contextmanager
    def no_guest_error(self, what):
        """What is done inside must not be logged as an error of the guest."""
        before = self.m.complaints()
        yield
        self.m.settle()
        expect(self.m.complaints()[len(before):], [], f"guest errors, {what}")

    def channels(self):
        return self.read(HW.TOPOLOGY) & HW.TOPOLOGY_CHANNELS

    # --- interrupts ---

    def use_msix(self):
        """MSI-X with messages that are words in memory, one for each vector."""
        at = self.capability(CAP_MSIX)
        require(at, "no MSI-X capability")
        count = (self.config(at + 2, 2) & 0x7ff) + 1
        self.messages = self.m.alloc(4 * count)
        for vector in range(count):
            self.msix_entry(vector, self.messages + 4 * vector)
        self.change_config(at + 2, 0xc000, 0x8000)
        return count

    def msix_entry(self, vector, address, masked=0, data=None):
        entry = HW.MSIX_TABLE + 16 * vector
        data = MESSAGE + vector if data is None else data
        for i, word in enumerate(struct.unpack("<IIII", struct.pack(
                "<QII", address, data, masked))):
            self.write(entry + 4 * i, word)

    def took(self, vector):
        """Whether a message has come since the last look."""
        address = self.messages + 4 * vector
        word = self.m.read32(address)
        if word:
            self.m.write32(address, 0)
        if word not in (0, MESSAGE + vector):
            raise Failed(f"message {word:#x} in the place of vector {vector}")
        return bool(word)

    def wait_message(self, vector):
        self.m.until(lambda: self.took(vector), f"message of vector {vector}")

    def no_message(self, vector, what):
        self.m.settle()
        require(not self.took(vector), f"vector {vector} was raised: {what}")

    def use_msi(self, log2):
        """MSI with 2^log2 messages; their data goes to one word in memory."""
        at = self.capability(CAP_MSI)
        require(at, "no MSI capability")
        self.messages = self.m.alloc(4)
        wide = self.config(at + 2, 2) & 0x80
        self.set_config(at + 4, self.messages)
        if wide:
            self.set_config(at + 8, 0)
        self.set_config(at + (12 if wide else 8), 0x5a00, 2)
        self.change_config(at + 2, 0x71, log2 << 4 | 1)

    def wait_msi(self, vector):
        self.m.until(lambda: self.m.read32(self.messages), "an MSI")
        expect(self.m.read32(self.messages), 0x5a00 + vector, "data of the MSI")
        self.m.write32(self.messages, 0)

    def watch_line(self):
        """Has the I/O APIC's inputs reported, where the INTx line ends."""
        self.m.qtest.command("irq_intercept_in ioapic")

    def line(self):
        """Whether the INTx line is up: one of the inputs that PCI has on q35."""
        self.m.settle()
        return any(16 <= number <= 23 for number in self.m.qtest.raised)
