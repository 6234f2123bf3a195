# SPDX-License-Identifier: GPL-2.0-only
"""All channels are at work on everything, for long, while all goes wrong that can.

A guest with the checks of the KUnit guest, and kmemleak, has a client that does all
operations at random on all channels but one, and verifies each (tests/clients/soak/).  That
one is offered to a user program that nobody trusts (tests/user/user-fuzz.c).  Meanwhile
the device fails in all the ways that its test controls have, allocations fail, interrupts
are lost, the device is reset, CPUs go and come, memory is short, and the driver is loaded
anew.  Before and after that, nothing may fail; at the end nothing may be left over.

The job is tests/guest/soak.  What it counted goes to build/reports/soak.json.
"""

import json

from lib import common, guest, kunit, modules, needs, user
from lib.case import told_by, verdict
from lib.lane import Task, parameter

REPORT = common.REPORTS / "soak.json"

# In less than a minute not all of it happens.
SECONDS = parameter("soak.seconds", 600, "seconds", least=60)


def figures(outcome):
    """What a guest has counted, {name: number}; also to the report."""
    found = {}
    for line in outcome.lines:
        if line.startswith("%% figure "):
            _, _, name, number = line.split(" ")
            found[name] = int(number)
    if found:
        common.REPORTS.mkdir(parents=True, exist_ok=True)
        common.write_atomically(REPORT, json.dumps(
            {"seconds": round(outcome.seconds, 1), **found}, indent=1) + "\n")
    return found


def run():
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    outcome = guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name="soak", mem=768,
        files={name: files[name] for name in ("loopdma.ko", "loopdma_soak.ko",
                                              "dmaengine_user.ko")} |
        {"user-fuzz": user.fuzz()} | guest.job_files("soak", "steps", "leaks"),
        job=f"sh /soak {SECONDS.value}\n", append="kmemleak=on", debug_kernel=True,
        device="test-controls=on", map_changes=True,
        timeout=guest.HANG + 2 * SECONDS.value,
        allowed=((guest.DRIVER, "a device that fails on demand"),)))
    found = figures(outcome)
    told = ", ".join(f"{found.get(name, 'no')} {name}" for name in
                     ("bytes", "faults", "reloads", "programs", "mismatches", "untold"))
    return told_by("soak", outcome, verdict(told, "" if found else "nothing counted"))


def tasks():
    return [Task("soak", run, (needs.kunit_kernel,), full=True)]
