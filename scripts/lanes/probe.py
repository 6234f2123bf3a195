# SPDX-License-Identifier: GPL-2.0-only
"""Devices that the driver must refuse, and each allocation of probe failing."""

from lib import guest, kunit, modules, needs
from lib.case import of_guest
from lib.lane import Task

# What the driver must refuse, and what it has to say then.
REFUSED_DEVICES = [
    ("x-id=0x12345678", "not a loopdma device: ID 0x12345678"),
    ("x-version=0x20000", "hardware version 2.0, this driver knows 1.x"),
    ("x-caps-mask=0x1", "unusable capabilities: no copy capability"),
    ("x-bar-size=4K", "BAR 0: .* is not 0x10000 bytes of memory"),
    ("irq-mode=none", "no interrupt: neither MSI-X, MSI nor INTx"),
]


def probe_guest(kdir, top):
    """Devices that are refused, and allocations that fail, on a kernel that can do that."""
    refused = "".join(f"1{n}.0 {said}\n" for n, (_, said) in enumerate(REFUSED_DEVICES))
    return guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name="probe", mem=1024, job="sh /probe || exit\n",
        files=guest.module_files(top) | guest.job_files(
            "probe", "report", "dmatest_done", "faults") | {
            "dmatest.ko": kdir / "drivers/dma/dmatest.ko", "refused": refused.encode()},
        # ACPI's interpreter, asked for the line of INTA, uses freed memory when
        # an allocation of its own fails; MSI does without that line.
        append="acpi=noirq", iommu="off",
        # Little to set up, and so to fail.
        device="addr=8,channels=1,ring-max=1024,irq-mode=msi",
        more_devices=tuple(f"addr=0x1{n},{properties}" for n, (properties, _) in
                           enumerate(REFUSED_DEVICES)),
        debug_kernel=True,
        allowed=((r"kobject_add_internal failed for dma\w* \(error: -12 ",
                  "allocations that fail on demand"),))


def run():
    kdir = kunit.x86_kernel()
    return [of_guest("devices refused, steps of probe failing",
                     guest.run(probe_guest(kdir, modules.build(kdir, "-kunit")[0])))]


def tasks():
    return [Task("probe", run, (needs.kunit_kernel,), full=True)]
