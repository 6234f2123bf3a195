# SPDX-License-Identifier: GPL-2.0-only
"""User programs have channels do work, and reach no memory but their own.

dmaengine_user on stock kernels: without an IOMMU, behind a strict one, and with bounce
buffers, which is where memory has to be synchronized.  The job is tests/guest/user.
"""

from lib import guest, kernel, needs, stock, user
from lib.case import told_by
from lib.lane import Task

# The device of each kind of machine, and what else there is to say.
MACHINES = {
    "iommu": {"iommu": "strict"},
    "off": {"iommu": "off"},
    "swiotlb": {"iommu": "off", "swiotlb": True},
}


# Cases that may be skipped, by kernel: Debian's 6.1 has no udmabuf.
SKIPS = {"6.1": {"dma_bufs"}}


def run(cell, name):
    """The outcome of the job on one of the machines."""
    cases = told_by(f"{cell.name} {name}", guest.run(guest.Guest(
        kernel=kernel.image(cell), name=f"user-{cell.name}-{name}",
        files=stock.module_files(cell) | guest.job_files("user", "steps") | {
            "user-test": user.test(), "dmacp": user.dmacp()},
        device="channels=2", job="sh /user\n", **MACHINES[name])))
    for case in cases:
        if case.status == "SKIP" and case.judged and \
                case.name.split()[-1] not in SKIPS.get(cell.name, ()):
            case.status = "FAIL"
    return cases


def tasks():
    return [Task(f"{cell.name} {name}", lambda cell=cell, name=name: run(cell, name),
                 (needs.stock_modules,), full=(cell, name) != (kernel.cells()[0], "iommu"))
            for cell in kernel.cells() for name in MACHINES]
