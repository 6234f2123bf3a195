# SPDX-License-Identifier: GPL-2.0-only
"""Addresses that an IOMMU does not let the device reach, on stock kernels."""

import dataclasses

from lib import guest, kernel, needs, stock
from lib.case import told_by, verdict
from lib.lane import Task


def isolation_guest(image, files):
    """Two devices, behind an IOMMU that keeps them apart."""
    return guest.Guest(
        kernel=image, job="sh /isolation\n", more_devices=("",),
        files=files | guest.job_files("isolation"),
        allowed=((r"DMAR: ", "what the client has asked for"),))


def run(cell, name, **changes):
    files = stock.module_files(cell)
    return guest.run(dataclasses.replace(
        isolation_guest(kernel.image(cell), files), name=f"isolation-{name}", **changes))


def without(cell):
    """The control: the client that the IOMMU stops does change memory."""
    outcome = run(cell, "off", iommu="off")
    changed = sum("memory has changed" in line for line in outcome.lines)
    # But for what is foreign, of which there is nothing then.
    return [verdict(f"{cell.name} without an IOMMU memory is changed",
                    "" if changed == 4 else f"in {changed} of 4 tries", outcome.place)]


def tasks():
    cell = kernel.cells()[0]
    return [Task(cell.name, lambda cell=cell: told_by(cell.name, run(cell, cell.name)),
                 (needs.stock_guests,), full=True) for cell in kernel.cells()] + [
        Task(f"{cell.name} without", lambda: without(cell), (needs.stock_guests,), full=True)]
