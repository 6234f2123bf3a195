# SPDX-License-Identifier: GPL-2.0-only
"""Interrupts that are threads: PREEMPT_RT, and stock kernels with threadirqs."""

from lib import kernel, needs, stock
from lib.case import Case, told_by
from lib.lane import Task
from lanes import dmatest, reload, survive

# Each mode of interrupts, with and without an IOMMU that remaps them.
MODES = [("msix", "strict"), ("msi", "off"), ("intx", "strict")]


def kinds():
    """(kernel, command line, what to call it), of all whose interrupts are threads."""
    return [(cell, "", cell.name) for cell in kernel.rt_cells()] + [
        (cell, "threadirqs", f"{cell.name} threadirqs") for cell in kernel.cells()]


def reloaded(cell, append, where):
    outcome = stock.run(cell, reload.reload_guest, f"reload-{where}", append)
    return reload.told(f"{where} {reload.TIMES} times", outcome)


def survived(cell, append, where):
    return told_by(where, stock.run(cell, survive.survive_guest, f"survive-{where}", append))


def tasks():
    found = []
    for cell, append, where in kinds():
        kind = cell, append, where
        found += [Task(f"{where} {mode} {iommu}", lambda kind=kind, mode=mode, iommu=iommu: [
            dmatest.case_on(kind[0], mode, iommu, append=kind[1], where=kind[2],
                            threads=True)], (needs.rt_guests,), full=True)
                  for mode, iommu in MODES]
        found += [Task(f"{where} {what}", lambda kind=kind, run=run: run(*kind),
                       (needs.rt_guests,), full=True)
                  for what, run in (("reload", reloaded), ("survive", survived))]
    if not kernel.rt_cells():
        found.append(Task("PREEMPT_RT", lambda: [Case(
            "dmatest, reload, survive", "SKIP",
            "this release has no kernel with PREEMPT_RT for everybody")], full=True))
    return found
