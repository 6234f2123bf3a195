#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes the device away and gives it back, again and again, while it is busy.

A guest with the checks of the KUnit guest, and kmemleak, has a client that keeps copies
in flight on all channels.  Each time that the device goes away the client must be told
of every one of them, and each time that it comes back it must work.  At the end nothing
may be left over: neither in the kernel's caches, nor what nobody has a pointer to.

  unbind    unbind and bind
  remove    PCI remove and rescan
  reset     PCI reset, in which the client keeps its channels
  unplug    device_del and device_add of the host
  surprise  the host takes it from the bus, and tells nobody

The job itself is scripts/guest/storm, the client is tests/clients/storm/.
"""

import argparse

import common
import guest
import kunit
import modules

WAYS = ("unbind", "remove", "reset", "unplug", "surprise")

# What an emulated guest takes for a round, several times over.
ROUND = 20.0


def run(way, rounds, on_line=None):
    """Runs a guest to which that happens so many times; its outcome."""
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    host = way in ("unplug", "surprise")
    # Copies that a doorbell has done before it returns would not be in flight.
    device = "at-once-bytes=0"
    options = {}
    if way == "surprise":
        device += ",test-controls=on"
        options["allowed"] = ((r"loopdma .*gone from the bus", "so it is"),)
    return guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name=f"storm-{way}", mem=1024,
        files={name: files[name] for name in ("loopdma.ko", "loopdma_storm.ko")} |
        guest.job_files("storm", "steps", "leaks"),
        job=f"sh /storm {way} {rounds}\n", append="kmemleak=on", debug_kernel=True,
        device=device, slot=host, monitor=host, timeout=guest.HANG + ROUND * rounds,
        **options), on_line)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", nargs="*", metavar="WAY", default=WAYS,
                        help="which of these, one after the other (default: all)")
    parser.add_argument("--rounds", type=int, default=20, metavar="N",
                        help="of each (default 20)")
    args = parser.parse_args()
    if args.rounds < 4:
        parser.error("--rounds must be 4 or more: the first three are not counted")
    for way in args.way:
        if way not in WAYS:
            parser.error(f"no way {way}: one of {', '.join(WAYS)}")
    good = True
    for way in args.way:
        outcome = run(way, args.rounds, on_line=lambda line: print(line, flush=True))
        common.say(f"storm {way}: {outcome.reason or 'ok'}, {outcome.seconds:.1f} s")
        good = good and outcome.ok
    return 0 if good else 1


if __name__ == "__main__":
    common.main(main)
