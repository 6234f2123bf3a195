# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's dmatest, in all modes of interrupts and IOMMU, on stock kernels."""

from lib import guest, kernel, needs, stock, tree as trees
from lib.case import of_guest
from lib.lane import Task

# Interrupts that an IOMMU remaps and those that it does not are different paths: each meets
# all modes of interrupts.
MODES = [
    # irq-mode, IOMMU, swiotlb=force
    ("msix", "strict", False),
    ("msix", "off", True),
    ("msi", "strict", False),
    ("msi", "off", False),
    ("intx", "strict", False),
    ("intx", "off", True),
]
# `make check` runs these, on the newest kernel and on an older one each: together they meet
# each value of each column.  `make check-full` adds the rest.
NEWEST = [
    ("msix", "strict", False),
    ("intx", "off", True),
]
OLDER = [
    ("msi", "strict", False),
    ("intx", "strict", False),
]

# dmatest gives a channel a thread for each of copy (or fill), XOR and PQ, as far as
# the channel can do them.  A thread that polls ends with terminating all that its
# channel has to do, so it must be the only one there: devices on which CAPS lacks the
# rest, with the opcodes that are left.
POLLED = [
    # CAPS bits taken out, channels, dmatest=, what the thread does
    ("0x62", 2, 0, "copy"),
    ("0x62", 2, 1, "set"),
    ("0x52", 1, 1, "xor"),
    ("0x32", 1, 1, "pq"),
]

# Firmware tells where a device is; a user who knows better may say so, which the kernel
# notes down as a taint (numa_node of a PCI device in sysfs).
TAINT_FIRMWARE_WORKAROUND = 1 << 11


def dmatest_guest(image, files, mode, iommu="strict", swiotlb=False, threads=False,
                  parameters=""):
    """dmatest in all its modes, and the loopback, with a mode of interrupts.

    With `threads` on a kernel whose interrupts are threads; with parameters of the driver.
    """
    devices = dict.fromkeys((mask, channels) for mask, channels, *_ in POLLED)
    polled = " ".join(f"{mask}/{fill}/{kind}" for mask, _, fill, kind in POLLED)
    # "DMA" is strict, "DMA-FQ" would be the lazy mode.
    job = (f"PARAMETERS='{parameters}' sh /dmatest {mode} {'DMA' if iommu == 'strict' else 'off'} "
           f"{'yes' if threads else 'no'} {'yes' if swiotlb else 'no'} {polled} || exit\n")
    return guest.Guest(
        kernel=image, iommu=iommu, swiotlb=swiotlb, job=job,
        files=files | guest.job_files("dmatest", "report", "dmatest_done"),
        # To enable it while the other CPU runs would rewrite the kernel's code
        # under it, which QEMU's translator before 8.1 does not get right.
        append="trace_event=swiotlb:swiotlb_bounced" if swiotlb else "",
        device=f"irq-mode={mode}", more_devices=tuple(
            f"irq-mode={mode},channels={channels},x-caps-mask={mask}"
            for mask, channels in devices))


def case_on(cell, mode, iommu, swiotlb=False, append="", where="", **options):
    """The case of a guest on a stock kernel."""
    name = f"{where or cell.name} {mode} iommu={iommu}{' swiotlb=force' if swiotlb else ''}"
    return of_guest(name, stock.run(cell, dmatest_guest, f"dmatest-{name}", append, mode=mode,
                                    iommu=iommu, swiotlb=swiotlb, **options))


def numa(cell):
    outcome = guest.run(guest.Guest(
        kernel=kernel.image(cell), numa=True, job="sh /numa || exit\n", name=f"numa-{cell.name}",
        files=stock.files_with_dmatest(cell) | guest.job_files("numa", "report"),
        taint=TAINT_FIRMWARE_WORKAROUND))
    return [of_guest(f"{cell.name} memory near the device", outcome)]


def unordered(cell):
    outcome = guest.run(guest.Guest(
        kernel=kernel.image(cell), name=f"unordered-{cell.name}", job="sh /unordered || exit\n",
        files=stock.files_with_dmatest(cell) | guest.job_files("unordered", "report",
                                                               "dmatest_done"),
        device="ordered=off,loopback=off"))
    return [of_guest(f"{cell.name} without an order", outcome)]


def tasks():
    newest, *older = stock.by_age()
    daily = {(newest, *mode) for mode in NEWEST} | {
        (cell, *mode) for cell, mode in zip(older, OLDER)}
    return [
        Task(f"{cell.name} {mode} {iommu}{' swiotlb' if swiotlb else ''}",
             lambda one=(cell, mode, iommu, swiotlb): [case_on(*one)],
             (needs.stock_guests,),
             full=(cell, mode, iommu, swiotlb) not in daily)
        for cell in stock.by_age() for mode, iommu, swiotlb in MODES
    ] + [Task(f"{newest.name} numa", lambda: numa(newest), (needs.stock_guests,), full=True)] + [
        Task(f"{cell.name} unordered", lambda cell=cell: unordered(cell),
             (needs.stock_guests,), full=True) for cell in stock.both_ends()]


def on_tree(tree):
    def run(mode):
        outcome, missing = trees.run(
            tree, dmatest_guest, f"dmatest-{mode}", () if mode == "intx" else ("PCI_MSI",),
            mode=mode, iommu=tree.iommu)
        return missing or [of_guest(f"{mode} iommu={tree.iommu}", outcome)]

    return [Task(mode, lambda mode=mode: run(mode)) for mode in ("msix", "msi", "intx")]
