# SPDX-License-Identifier: GPL-2.0-only
"""Loading and unloading the driver, and unbinding it while dmatest runs."""

import dataclasses

from lib import guest, kunit, modules, needs, stock, tree as trees
from lib.case import of_guest
from lib.lane import Task

TIMES = 100
# The checks of the debug kernel make a round 30 times as long, and see in one what would
# take many to show on another.
TIMES_DEBUG = 10


def reload_guest(image, files, times=TIMES):
    """Loading and unloading; with dmatest among the files, also unbinding."""
    return guest.Guest(kernel=image, job=f"sh /reload {times} || exit\n",
                       files=files | guest.job_files("reload", "report", "dmatest_done"),
                       # To wait for grace periods would be half of the time.
                       append="rcupdate.rcu_expedited=1")


def told(where, outcome):
    return [of_guest(f"{TIMES} times on {where}, 3 times while dmatest runs", outcome)]


def debug():
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    outcome = guest.run(dataclasses.replace(
        reload_guest(kdir / "arch/x86/boot/bzImage", files, TIMES_DEBUG),
        name="reload-kunit", debug_kernel=True, mem=1024))
    return [of_guest(f"{TIMES_DEBUG} times on kunit", outcome)]


def tasks():
    return [Task("kunit", debug, (needs.kunit_kernel,))] + [
        Task(cell.name, lambda cell=cell: told(cell.name, stock.run(
            cell, reload_guest, f"reload-{cell.name}")), (needs.stock_guests,),
            full=stock.in_full(cell)) for cell in stock.by_age()]


def on_tree(tree):
    def run():
        outcome, missing = trees.run(tree, reload_guest, "reload")
        return missing or told("this kernel", outcome)

    return [Task("reload", run)]
