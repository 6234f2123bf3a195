#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Takes the device away and gives it back, again and again, while it is busy.

A guest with the checks of the KUnit guest, and kmemleak, has a client that keeps copies
in flight on all channels.  Each time that the device goes away the client must be told
of every one of them, and each time that it comes back it must work.  At the end nothing
may be left over: neither in the kernel's caches, nor what nobody has a pointer to.

  storm.py                by unbind and bind, PCI remove and rescan, PCI reset
  storm.py --how host     by the host: device_del and device_add
  storm.py --how surprise by the host, which tells nobody: gone from the bus
  storm.py --rounds 1000  of each

The job itself is scripts/guest/storm, the client is tests/storm/.
"""

import argparse

import common
import guest
import kunit
import modules


HOW = ("sysfs", "host", "surprise")

# What an emulated guest takes for a round of all kinds, several times over.
ROUND = 20.0


def run(how, rounds, on_line=None):
    """Runs a guest to which that happens so many times; its outcome."""
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    host = how != "sysfs"
    # Copies that a doorbell has done before it returns would not be in flight.
    device = "at-once-bytes=0"
    options = {}
    if how == "surprise":
        device += ",test-controls=on"
        options["allowed"] = ((r"loopdma .*gone from the bus", "so it is"),)
    return guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name=f"storm-{how}", mem=1024,
        files={name: files[name] for name in ("loopdma.ko", "loopdma_storm.ko")} |
        guest.job_files("storm", "steps", "leaks"),
        job=f"sh /storm {how} {rounds}\n", append="kmemleak=on", debug_kernel=True,
        device=device, slot=host, monitor=host, timeout=guest.HANG + ROUND * rounds,
        **options), on_line)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--how", choices=HOW, default="sysfs", help="who does it")
    parser.add_argument("--rounds", type=int, default=20, metavar="N",
                        help="of each kind (default 20)")
    args = parser.parse_args()
    if args.rounds < 4:
        parser.error("--rounds must be 4 or more: the first three are not counted")
    outcome = run(args.how, args.rounds, on_line=lambda line: print(line, flush=True))
    common.say(f"storm: {outcome.reason or 'ok'}, {outcome.seconds:.1f} s")
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    common.main(main)
