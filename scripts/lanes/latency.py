# SPDX-License-Identifier: GPL-2.0-only
"""The driver does not disable interrupts for long, however much is in flight.

In a guest whose time is its instructions, one nanosecond each, the kernel's tracer
"irqsoff" finds the longest time with interrupts disabled while the client
tests/clients/latency/ has 1000 copies in flight.  The host's load is in none of it, nor
is the device, which works without taking time of the guest's.  The job is
tests/guest/latency.
"""

from lib import guest, kunit, modules, needs
from lib.case import told_by
from lib.lane import Task

# See Documentation/driver.rst, "Latency".
BOUND_US = 100


def run():
    kdir = kunit.lacking_kernel()
    return told_by("latency", guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name="latency", smp=1,
        files=guest.module_files(modules.build(kdir, "-lacking")[0]) |
        guest.job_files("latency"),
        icount="shift=0,sleep=off", iommu="strict", device="channels=1,sync=on",
        job=f"sh /latency {BOUND_US}\n")))


def tasks():
    return [Task("latency", run, (needs.lacking_kernel,), full=True)]
