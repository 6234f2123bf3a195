# SPDX-License-Identifier: GPL-2.0-only
"""Loading and unloading the driver, and unbinding it while dmatest runs."""

import dataclasses

from lib import guest, kunit, modules, needs, stock, tree as trees
from lib.case import of_guest
from lib.lane import Task

TIMES = 100
# What `make check` does, on the newest kernel.
TIMES_DAILY = 25
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
    return [of_guest(f"on {where}, 3 times while dmatest runs", outcome)]


def on_stock(cell, times):
    return told(f"{cell.name} {times} times", stock.run(
        cell, reload_guest, f"reload-{cell.name}-{times}", times=times))


def debug():
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    outcome = guest.run(dataclasses.replace(
        reload_guest(kdir / "arch/x86/boot/bzImage", files, TIMES_DEBUG),
        name="reload-kunit", debug_kernel=True, mem=1024))
    return [of_guest(f"on kunit {TIMES_DEBUG} times", outcome)]


def tasks():
    newest, *_ = stock.by_age()
    return [Task(newest.name, lambda: on_stock(newest, TIMES_DAILY), (needs.stock_guests,),
                 daily=True),
            Task("kunit", debug, (needs.kunit_kernel,), full=True)] + [
        Task(f"{cell.name} {TIMES} times", lambda cell=cell: on_stock(cell, TIMES),
             (needs.stock_guests,), full=True) for cell in stock.by_age()]


def on_tree(tree):
    def run():
        outcome, missing = trees.run(tree, reload_guest, "reload")
        return missing or told(f"this kernel {TIMES} times", outcome)

    return [Task("reload", run)]
