# SPDX-License-Identifier: GPL-2.0-only
"""The modules build for each stock kernel without a warning, by W=1 and sparse too."""

import dataclasses

from lib import kernel, modules, needs
from lib.case import verdict
from lib.common import Fail
from lib.lane import Task


def build(cell):
    log = f"build/logs/modules-{cell.kver}-check.log"
    told, reason = [], ""
    try:
        _, told = modules.build(kernel.kdir(cell), "-check", [
            "W=1e", "C=2", "CF=-D__CHECK_ENDIAN__"])
    except Fail as e:
        reason = str(e)
    sparse = next((line for line in told if "warning:" in line or "error:" in line),
                  reason and f"not reached: {reason}")
    return [verdict(f"{cell.name} W=1", reason, log),
            dataclasses.replace(verdict(f"{cell.name} sparse", sparse, log),
                                kernel=cell.kver)]


def tasks():
    return [Task(cell.name, lambda cell=cell: build(cell), (needs.stock_kernels,))
            for cell in kernel.cells()]
