# SPDX-License-Identifier: GPL-2.0-only
"""The stock kernels that lanes run guests on, and the guests there."""

import dataclasses
import re

from lib import guest, kernel, modules


def by_age():
    """The stock kernels of the lanes, the newest first."""
    return sorted(kernel.cells(), reverse=True,
                  key=lambda cell: [int(part) for part in cell.name.split(".")])


def both_ends():
    """The newest and the oldest: what works on both works between."""
    newest, *older = by_age()
    return [newest, *older[-1:]]


def in_full(cell):
    """Whether a kernel is left to `make check-full`; dmatest meets all of them every day."""
    return cell != by_age()[0]


def built(cell):
    """The directory of the modules for a stock kernel, and what their build said.

    Built with all warnings and with sparse: once for the guests and for the lane build.
    """
    return modules.build(kernel.kdir(cell), "-check",
                         ["W=1", "C=2", "CF=-D__CHECK_ENDIAN__"])


def module_files(cell):
    """The modules for a stock kernel, as files of a guest."""
    return guest.module_files(built(cell)[0])


def files_with_dmatest(cell):
    """The same, with the kernel's own dmatest."""
    return module_files(cell) | {
        "dmatest.ko": modules.build_dmatest(kernel.kdir(cell), kernel.dmatest(cell))}


def run(cell, make, name, append="", **options):
    """Runs a guest on a stock kernel, with dmatest; make() gives it."""
    one = make(kernel.image(cell), files_with_dmatest(cell), **options)
    return guest.run(dataclasses.replace(
        one, append=f"{append} {one.append}".strip(), name=re.sub(r"[ =]", "-", name)))
