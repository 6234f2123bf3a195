# SPDX-License-Identifier: GPL-2.0-only
"""The machine around the device: what is where in it, and a slot to plug the device in."""

from qtest.lib.hw import HW
from qtest.lib.pci import BAR, CAP_EXPRESS, Device, Function
from qtest.lib.suite import SYNC

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

    def add(self, mode):
        self.m.qmp.command("device_add", driver="loopdma", id="dma", bus="root",
                           test_controls=True, sync="on" if mode is SYNC else "off")
        return Device(self.m, slot=0, bus=1)

    def remove(self):
        """As the guest does: it is asked, and takes the power away."""
        self.m.qmp.command("device_del", id="dma")
        self.power(False)
        self.m.until(lambda: self.m.qmp.had("DEVICE_DELETED"), "end of the unplug")
        self.power(True)
