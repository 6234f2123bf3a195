# SPDX-License-Identifier: GPL-2.0-only
"""The device goes away and comes back, again and again, while all channels are busy.

A guest with the checks of the KUnit guest, and kmemleak, has a client that keeps copies
in flight on all channels.  Each time that the device goes away the client must be told
of every one of them, and each time that it comes back it must work.  At the end nothing
may be left over: neither in the kernel's caches, nor what nobody has a pointer to.

  unbind    unbind and bind
  remove    PCI remove and rescan
  reset     PCI reset, in which the client keeps its channels
  unplug    device_del and device_add of the host
  surprise  the host takes it from the bus, and tells nobody

The job is tests/guest/storm, the client is tests/clients/storm/.
"""

from lib import guest, kunit, modules, needs
from lib.case import told_by
from lib.lane import Task, parameter

WAYS = ("unbind", "remove", "reset", "unplug", "surprise")

# The first three rounds are not counted.
ROUNDS = parameter("storm.rounds", 100, "rounds of each way", least=4)

# What an emulated guest takes for a round, several times over, in seconds.
ROUND = 20.0


def run(way):
    rounds = ROUNDS.value
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    host = way in ("unplug", "surprise")
    # Copies that a doorbell has done before it returns would not be in flight.
    device = "at-once-bytes=0"
    options = {}
    if way == "surprise":
        device += ",test-controls=on"
        options["allowed"] = ((r"loopdma .*gone from the bus", "so it is"),)
    return told_by(way, guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name=f"storm-{way}", mem=1024,
        files={name: files[name] for name in ("loopdma.ko", "loopdma_storm.ko")} |
        guest.job_files("storm", "steps", "leaks"),
        job=f"sh /storm {way} {rounds}\n", append="kmemleak=on", debug_kernel=True,
        device=device, slot=host, monitor=host, map_changes=True,
        timeout=guest.HANG + ROUND * rounds,
        **options)))


def tasks():
    return [Task(way, lambda way=way: run(way), (needs.kunit_kernel,), full=True)
            for way in WAYS]
