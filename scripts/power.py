#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sleep, hibernation and kexec while all channels are busy, on a stock kernel.

A guest keeps copies in flight on all channels, each submitted anew from its own
callback, and

  kexec      makes way for another kernel, which finds the device at rest
  sleep      sleeps, idle and in ACPI's S3, and is woken up
  runtime    sees the device suspended whenever no channel is in use
  hibernate  is written to a disk and read again, by itself and by another kernel

The jobs themselves are in scripts/guest/power, the client is tests/clients/storm/.

  power.py                   all of it on the release's own stock kernel
  power.py --cell 6.12 kexec
"""

import argparse
import dataclasses

import common
import guest
import kernel
import modules

FILES = guest.job_files("power", "steps", "dmatest_done")
JOBS = ("kexec", "sleep", "hibernate", "runtime")

KEXEC = guest.JOBS / "kexec.c"


def kexec_program():
    """What asks a guest's kernel for another: it needs no libraries."""
    program = common.BUILD / "guest" / "kexec"
    program.parent.mkdir(parents=True, exist_ok=True)
    with common.lock(f"kexec-{common.digest(common.ROOT)}"):
        common.run(["cc", "-O2", "-Wall", "-Werror", "-static", "-o", program, KEXEC],
                   what="compiler")
    return program


def runtime_guest(image, files):
    """A guest that suspends the device while no channel is in use."""
    return guest.Guest(kernel=image, job="sh /power runtime || exit\n",
                       device="test-controls=on",
                       files=files | FILES)


def run(cell, job, on_line=None):
    """Runs a job in a guest; its outcome."""
    kdir = kernel.kdir(cell)
    files = guest.module_files(modules.build(kdir)[0])
    files = {name: files[name] for name in ("loopdma.ko", "loopdma_storm.ko")} | {
        "dmatest.ko": modules.build_dmatest(kdir, kernel.dmatest(cell))} | FILES
    # Packed: kexec takes no other, and QEMU would write one that it has unpacked itself
    # over the kernel that wakes up from S3.
    packed = kernel.fetch(cell) / "vmlinuz"
    options, stock = {}, {}
    if job == "kexec":
        files |= {"kernel": packed, "kexec": kexec_program()}
    elif job == "sleep":
        stock = kernel.modules(cell, ["button"])
        options = {"kernel": packed, "monitor": True, "append": "no_console_suspend loglevel=8"}
    elif job == "hibernate":
        stock = kernel.modules(cell, ["virtio_pci", "virtio_blk"])
        options = {"disk": 1024, "reboots": True}
    files |= {f"{name}.ko": content for name, content in stock.items()}
    if job == "runtime":
        return guest.run(dataclasses.replace(
            runtime_guest(kernel.image(cell), files), name=f"power-runtime-{cell.name}"),
            on_line)
    return guest.run(guest.Guest(files=files, **{
        "kernel": kernel.image(cell), "name": f"power-{job}-{cell.name}",
        "job": f"sh /power {job} '{' '.join(stock)}'\n"} | options), on_line)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", metavar="NAME", help="stock kernel to boot, as listed "
                        "by kernel.py list (default: the release's own)")
    parser.add_argument("job", nargs="*", choices=[[], *JOBS], default=[])
    args = parser.parse_args()
    cell = kernel.cell(args.cell) if args.cell else kernel.cells()[0]
    failed = False
    for job in args.job or JOBS:
        outcome = run(cell, job, on_line=lambda line: print(line, flush=True))
        common.say(f"power {job}: {outcome.reason or 'ok'}, {outcome.seconds:.1f} s")
        failed |= not outcome.ok
    return 1 if failed else 0


if __name__ == "__main__":
    common.main(main)
