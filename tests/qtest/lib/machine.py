# SPDX-License-Identifier: GPL-2.0-only
"""The machine around the device: what is where in it, and a slot to plug the device in."""

from qtest.lib.hw import HW
from qtest.lib.pci import BAR, CAP_EXPRESS, Device, Function
from qtest.lib.suite import ASYNC, SYNC

# Where nothing is, and where firmware is.
UNASSIGNED = 0xd0000000
ROM = 0xffff0000

# What is not RAM, by what it is.
NOT_RAM = {"unassigned": UNASSIGNED, "own_bar": BAR, "msix_table": BAR + HW.MSIX_TABLE,
           "ioapic": 0xfec00000, "hpet": 0xfed00000, "apic": 0xfee00000,
           "beyond_ram": 0x7fff000000, "last_page": 0xfffffffffffff000}

# The device, to QMP.
PATH = "/machine/peripheral/dma"

PORT = ("-device", "pcie-root-port,id=root,slot=1,chassis=1,addr=3",
        # Native hotplug, where the guest is told by the port and not by ACPI.
        "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")


class Port(Function):
    """A root port with a bus behind it, as firmware sets it up."""

    def __init__(self, machine):
        super().__init__(machine, slot=3)
        self.set_config(0x18, 0x010100)             # buses 0, 1, 1
        self.set_config(0x20, 0xe000e000)           # memory window: 1 MiB
        self.change_config(4, 0, 6)
        self.control = self.capability(CAP_EXPRESS) + 0x18
        self.power(True)

    def power(self, on):
        # Power controller and power indicator.
        self.change_config(self.control, 0x0700, 0x0100 if on else 0x0700)

    def add(self, mode, **properties):
        if mode is ASYNC:
            properties["at_once_bytes"] = 0
        self.m.qmp.command("device_add", driver="loopdma", id="dma", bus="root",
                           test_controls=True, sync="on" if mode is SYNC else "off",
                           **properties)
        return Device(self.m, slot=0, bus=1)

    def remove(self):
        """As the guest does: it is asked, and takes the power away."""
        self.m.qmp.command("device_del", id="dma")
        self.power(False)
        self.m.until(lambda: self.m.qmp.had("DEVICE_DELETED"), "end of the unplug")
        self.power(True)

    def reset_bus(self):
        self.change_config(0x3e, 0, 1 << 6)
        self.change_config(0x3e, 1 << 6, 0)


def sleep(machine):
    """Suspends the machine to RAM, as a guest does on q35."""
    bridge = Function(machine, slot=31)
    bridge.set_config(0x40, 0x600 | 1)              # PMBASE
    bridge.set_config(0x44, 0x80, 1)                # ACPI is enabled
    machine.qtest.put("outw", 0x604, 1 << 13 | 1 << 10)
    machine.until(lambda: machine.qmp.had("SUSPEND"), "a machine that sleeps")


def wake_up(machine):
    machine.qmp.command("system_wakeup")
    machine.until(lambda: machine.qmp.had("WAKEUP"), "a machine that is awake")


class Ecam:
    """Configuration space as memory: what a message of the device can reach."""
    BASE = 0xb0000000

    def __init__(self, machine):
        host = Function(machine, slot=0)
        # PCIEXBAR: 256 MiB, enabled.
        host.set_config(0x64, 0)
        host.set_config(0x60, self.BASE | 1)

    def at(self, function, offset):
        return self.BASE + ((function.select & 0xffff00) << 4) + offset
