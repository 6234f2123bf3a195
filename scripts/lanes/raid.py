# SPDX-License-Identifier: GPL-2.0-only
"""RAID-5 and RAID-6 in a guest, their parity computed by loopdma.

md's raid456 is the client of a DMA engine that a stock kernel has: through async_tx
it has stripes copied, their parity computed and checked, and what is lost computed
from what is left.  On RAM disks an array of each level is created, written, checked,
has its parity broken and repaired, loses disks, is read and written without them,
and rebuilt; each step verifies the data, and that the counters of loopdma's channels
have grown by what it must have done for that.

The job is tests/guest/raid.
"""

import hashlib

from lib import guest, kernel, needs, stock
from lib.case import told_by
from lib.lane import Need, Task, parameter

# As much as an array takes, see there.  The same in every run, and no two blocks alike.
DATA_SIZE = 4 << 20

# raid456 needs crc32c, and does not say so where modules say what they need.  From Linux
# 6.16 on that is no module.
CRC32C = "crc32c_generic"
MODULES = (CRC32C, "raid456", "brd")


SOFTWARE = parameter("raid.software", 0, "1: without the device; what fails then is not ours",
                     least=0)


def fetch(cell):
    """What is fetched over the network, so that it can be there before the guest."""
    kernel.modules_directory(cell)
    guest.mdadm()


def run(cell):
    """Runs the arrays in a guest; its outcome."""
    files = guest.job_files("raid", "steps") | {
        "raid.data": hashlib.shake_256(b"raid").digest(DATA_SIZE)}
    files |= guest.mdadm()
    clients = kernel.modules(cell, MODULES, if_there=[CRC32C])
    files |= {f"{name}.ko": content for name, content in clients.items()}
    if not SOFTWARE.value:
        files |= stock.module_files(cell)
    return guest.run(guest.Guest(
        kernel=kernel.image(cell), files=files, name=f"raid-{cell.name}",
        # async_tx takes public channels only, and those of a device that has a
        # peripheral are private.
        device=None if SOFTWARE.value else "loopback=off",
        job=f"sh /raid {'software' if SOFTWARE.value else 'loopdma'} {' '.join(clients)}"))


def tasks():
    # It is md that differs from kernel to kernel, not the driver: one will do.
    cell = kernel.cells()[0]
    return [Task(cell.name, lambda: told_by(cell.name, run(cell)), (
        needs.stock_guests, Need("mdadm", lambda: fetch(cell), fetched=True)), full=True)]
