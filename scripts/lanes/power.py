# SPDX-License-Identifier: GPL-2.0-only
"""Sleep, hibernation and kexec while all channels are busy, on stock kernels.

A guest keeps copies in flight on all channels, each submitted anew from its own
callback, and

  kexec      makes way for another kernel, which finds the device at rest
  sleep      sleeps, idle and in ACPI's S3, and is woken up
  runtime    sees the device suspended whenever no channel is in use
  hibernate  is written to a disk and read again, by itself and by another kernel

The jobs are in tests/guest/power, the client is tests/clients/storm/.
"""

import dataclasses

from lib import common, guest, kernel, needs, stock
from lib.case import told_by
from lib.lane import Task

FILES = guest.job_files("power", "steps", "dmatest_done")
JOBS = ("kexec", "sleep", "hibernate", "runtime")

KEXEC = guest.JOBS / "kexec.c"


def runtime_guest(image, files):
    """A guest that suspends the device while no channel is in use."""
    return guest.Guest(kernel=image, job="sh /power runtime || exit\n",
                       device="test-controls=on", map_changes=True,
                       files=files | FILES)


def run(cell, job):
    """Runs a job in a guest; its outcome."""
    files = stock.files_with_dmatest(cell)
    files = {name: files[name] for name in ("loopdma.ko", "loopdma_storm.ko", "dmatest.ko")} | \
        FILES
    # Packed: kexec takes no other, and QEMU would write one that it has unpacked itself
    # over the kernel that wakes up from S3.
    packed = kernel.fetch(cell) / "vmlinuz"
    options, drivers = {}, {}
    if job == "kexec":
        files |= {"kernel": packed, "kexec": common.program(KEXEC, "-static")}
    elif job == "sleep":
        drivers = kernel.modules(cell, ["button"])
        options = {"kernel": packed, "monitor": True, "append": "no_console_suspend loglevel=8"}
    elif job == "hibernate":
        drivers = kernel.modules(cell, ["virtio_pci", "virtio_blk"])
        options = {"disk": 1024, "reboots": True}
    files |= {f"{name}.ko": content for name, content in drivers.items()}
    if job == "runtime":
        return guest.run(dataclasses.replace(
            runtime_guest(kernel.image(cell), files), name=f"power-runtime-{cell.name}"))
    return guest.run(guest.Guest(files=files, **{
        "kernel": kernel.image(cell), "name": f"power-{job}-{cell.name}", "map_changes": True,
        "job": f"sh /power {job} '{' '.join(drivers)}'\n"} | options))


def tasks():
    return [Task(f"{cell.name} {job}", lambda cell=cell, job=job: told_by(
                cell.name, run(cell, job)), (needs.stock_modules,), full=True)
            for cell in kernel.cells() for job in JOBS]
