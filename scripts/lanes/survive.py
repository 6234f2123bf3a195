# SPDX-License-Identifier: GPL-2.0-only
"""Reset, errors of the bus, sleep and surprise removal, while all channels are busy."""

from lib import guest, needs, stock, tree as trees
from lib.case import told_by
from lib.lane import Task


def survive_guest(image, files, resets=20):
    """What can happen to a device while it works."""
    return guest.Guest(
        kernel=image, job=f"RESETS={resets} sh /survive || exit\n",
        files=files | guest.job_files("survive", "steps", "dmatest_done"),
        slot=True, device="test-controls=on", monitor=True, map_changes=True,
        allowed=((r"AER: |PCIe Bus Error", "errors that QEMU was asked for"),
                 (r"loopdma .*gone from the bus", "it was taken away"),
                 (r"DMAR: ", "dmatest unmaps what is in flight when it is stopped")))


def tasks():
    return [Task(cell.name, lambda cell=cell: told_by(cell.name, stock.run(
        cell, survive_guest, f"survive-{cell.name}")), (needs.stock_guests,),
        full=stock.in_full(cell)) for cell in stock.by_age()]


def on_tree(tree):
    def run():
        outcome, missing = trees.run(tree, survive_guest, "survive", (
            "PCI_MSI", "PCIEAER", "HOTPLUG_PCI_PCIE", "HOTPLUG_PCI_ACPI", "SUSPEND"))
        return missing or told_by("guest", outcome)

    return [Task("survive", run)]
