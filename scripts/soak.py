#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Keeps all channels at work on everything, for long, while all goes wrong that can.

A guest with the checks of the KUnit guest, and kmemleak, has a client that does all
operations at random on all channels, and verifies each (tests/clients/soak/).  Meanwhile the
device fails in all the ways that its test controls have, allocations fail, interrupts are
lost, the device is reset, CPUs go and come, memory is short, and the driver is loaded
anew.  Before and after that, nothing may fail; at the end nothing may be left over.

The job itself is scripts/guest/soak.  What it counted is printed, and goes to
build/reports/soak.json.
"""

import argparse
import json

import common
import guest
import kunit
import modules

REPORT = common.REPORTS / "soak.json"

# Shorter than that not all of it happens.
SHORTEST = 60


def run(seconds, on_line=None):
    """Runs a guest for so long; its outcome."""
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    return guest.run(guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name="soak", mem=768,
        files={name: files[name] for name in ("loopdma.ko", "loopdma_soak.ko")} |
        guest.job_files("soak", "steps", "leaks"),
        job=f"sh /soak {seconds}\n", append="kmemleak=on", debug_kernel=True,
        device="test-controls=on", timeout=guest.HANG + 2 * seconds,
        allowed=((guest.DRIVER, "a device that fails on demand"),)), on_line)


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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=common.duration, default=600, metavar="TIME",
                        help="for how long: 90, 10m, 1h (default 10m)")
    args = parser.parse_args()
    if args.time < SHORTEST:
        parser.error(f"--time must be {SHORTEST} seconds or more: not all of it would happen")
    outcome = run(args.time, on_line=lambda line: line.startswith("%% ") or
                  print(line, flush=True))
    for name, number in figures(outcome).items():
        print(f"{name:<20} {number:>15}")
    common.say(f"soak: {outcome.reason or 'ok'}, {outcome.seconds:.1f} s")
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    common.main(main)
