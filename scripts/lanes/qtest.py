# SPDX-License-Identifier: GPL-2.0-only
"""The device by itself: registers, descriptors, interrupts, migration, faults.

Also with sanitizers, and on old versions of QEMU, where dmatest runs in a guest too.
"""

import dataclasses

from lib import common, needs, pytests, stock
from lib.case import of_guest
from lib.lane import Task
from lanes import dmatest

# Old versions of QEMU that are supported, and how many CPUs a guest can have there:
# the translator before 8.1 keeps code that a guest with several has rewritten.
OLD_QEMU = {"bookworm": 1, "trixie": 2}

# Sanitizers, and the release of whose QEMU if it is not the newest.
SANITIZED = [("address",), ("thread",), ("thread", "bookworm")]


def cases(sanitizer=None, release=None):
    options = ["--sanitizer", sanitizer] if sanitizer else []
    options += ["--release", release] if release else []
    options += [] if options else ["-m", "not slow"]
    name = "-".join(filter(None, ("qtest", sanitizer, release)))
    where = " ".join(filter(None, (sanitizer, release)))
    return [dataclasses.replace(case, name=f"{where} {case.name}".strip())
            for case in pytests.run(name, common.ROOT / "tests" / "qtest", *options)]


def guest_on(release, cpus):
    """dmatest on the newest stock kernel and an old QEMU."""
    cell = stock.by_age()[0]

    def make(*files, **options):
        return dataclasses.replace(dmatest.dmatest_guest(*files, **options), smp=cpus,
                                   qemu=common.build_qemu(common.ROOT, release=release))

    name = f"{release} dmatest {cell.name}"
    return [of_guest(name, stock.run(cell, make, f"qemu-old-{name}", mode="msix"))]


def tasks():
    found = [Task("qtest", cases, (needs.qemu,))]
    for options in SANITIZED:
        found.append(Task(" ".join(options), lambda options=options: cases(*options),
                          (needs.special_qemu(*options),), full=True))
    for release, cpus in OLD_QEMU.items():
        need = needs.special_qemu(release=release)
        found += [Task(release, lambda release=release: cases(release=release), (need,),
                       full=True),
                  Task(f"dmatest {release}", lambda release=release, cpus=cpus: guest_on(
                      release, cpus), (needs.stock_guests, need), full=True)]
    return found
