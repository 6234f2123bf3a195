# SPDX-License-Identifier: GPL-2.0-only
"""Guests do without what QEMU 10.1 and 10.2 send to the wrong device.

That happens while the memory map changes: Documentation/qemu-device.rst, "Faults of QEMU
to know of".
"""

import dataclasses

from lib import guest, kernel, needs, stock
from lib.case import told_by
from lib.lane import Task


def run(cell):
    outcome = guest.run(guest.Guest(
        kernel=kernel.image(cell), name=f"map-{cell.name}", job="sh /map || exit\n",
        files=guest.job_files("map", "steps")))
    # A guest that ends by just that fault would not be judged elsewhere.
    return told_by(cell.name, dataclasses.replace(outcome, judged=True))


def tasks():
    return [Task(cell.name, lambda cell=cell: run(cell), (needs.stock_guests,), full=True)
            for cell in stock.both_ends()]
