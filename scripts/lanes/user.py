# SPDX-License-Identifier: GPL-2.0-only
"""User programs have channels do work, and reach no memory but their own.

dmaengine_user on stock kernels: without an IOMMU, behind a strict one, and with bounce
buffers, which is where memory has to be synchronized; and on the kernel of the suites,
which has KASAN, lockdep and the checks of the DMA API.  The job is tests/guest/user.
"""

from lib import guest, kernel, kunit, modules, needs, stock, user
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


def run(where, image, modules_of, skips=(), **options):
    """The cases of the job in a guest."""
    cases = told_by(where, guest.run(guest.Guest(
        kernel=image, name=f"user-{where.replace(' ', '-')}",
        files=modules_of | guest.job_files("user", "steps") | {
            "user-test": user.test(), "dmacp": user.dmacp()},
        device="channels=2", job="sh /user\n", **options)))
    for case in cases:
        if case.status == "SKIP" and case.judged and case.name.split()[-1] not in skips:
            case.status = "FAIL"
    return cases


def on_stock(cell, name):
    return run(f"{cell.name} {name}", kernel.image(cell), stock.module_files(cell),
               SKIPS.get(cell.name, ()), **MACHINES[name])


def on_debug(name):
    kdir = kunit.x86_kernel()
    return run(f"debug {name}", kdir / "arch/x86/boot/bzImage",
               # It has no madvise.
               guest.module_files(modules.build(kdir, "-kunit")[0]), {"given_up_meanwhile"},
               mem=1024, debug_kernel=True, **MACHINES[name])


def tasks():
    return [Task(f"{cell.name} {name}", lambda cell=cell, name=name: on_stock(cell, name),
                 (needs.stock_modules,), full=(cell, name) != (kernel.cells()[0], "iommu"))
            for cell in kernel.cells() for name in MACHINES] + [
        Task(f"debug {name}", lambda name=name: on_debug(name), (needs.kunit_kernel,), full=True)
        for name in ("iommu", "swiotlb")]
