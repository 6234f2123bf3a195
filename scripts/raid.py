#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""RAID-5 and RAID-6 in a guest, their parity computed by loopdma.

md's raid456 is the client of a DMA engine that a stock kernel has: through async_tx
it has stripes copied, their parity computed and checked, and what is lost computed
from what is left.  On RAM disks an array of each level is created, written, checked,
has its parity broken and repaired, loses disks, is read and written without them,
and rebuilt; each step verifies the data, and that the counters of loopdma's channels
have grown by what it must have done for that.

The job itself is scripts/guest/raid.

  raid.py                 on the release's own stock kernel
  raid.py --cell 6.12     on another one
  raid.py --software      without the device: what fails then, too, is not ours
"""

import argparse
import hashlib

import common
import guest
import kernel
import modules

# As much as an array takes, see there.  The same in every run, and no two blocks alike.
DATA_SIZE = 4 << 20

# raid456 needs crc32c, and does not say so where modules say what they need.  From Linux
# 6.16 on that is no module.
CRC32C = "crc32c_generic"
MODULES = (CRC32C, "raid456", "brd")


def fetch(cell):
    """What is fetched over the network, so that it can be there before the guest."""
    kernel.modules_directory(cell)
    guest.mdadm()


def run(cell, software=False, on_line=None):
    """Runs the arrays in a guest; its outcome."""
    files = guest.job_files("raid", "steps") | {
        "raid.data": hashlib.shake_256(b"raid").digest(DATA_SIZE)}
    files |= guest.mdadm()
    stock = kernel.modules(cell, MODULES, if_there=[CRC32C])
    files |= {f"{name}.ko": content for name, content in stock.items()}
    if not software:
        top, _ = modules.build(kernel.kdir(cell))
        files |= guest.module_files(top)
    return guest.run(guest.Guest(
        kernel=kernel.image(cell), files=files, name=f"raid-{cell.name}",
        # async_tx takes public channels only, and those of a device that has a
        # peripheral are private.
        device=None if software else "loopback=off",
        job=f"sh /raid {'software' if software else 'loopdma'} {' '.join(stock)}"), on_line)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", metavar="NAME", help="stock kernel to boot, as listed "
                        "by kernel.py list (default: the release's own)")
    parser.add_argument("--software", action="store_true",
                        help="leave the device out, the CPU computes parity")
    args = parser.parse_args()
    cell = kernel.cell(args.cell) if args.cell else kernel.cells()[0]
    outcome = run(cell, args.software, on_line=lambda line: print(line, flush=True))
    common.say(f"raid: {outcome.reason or 'ok'}, {outcome.seconds:.1f} s")
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    common.main(main)
