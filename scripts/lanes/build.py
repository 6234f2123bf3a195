# SPDX-License-Identifier: GPL-2.0-only
"""The modules build for each stock kernel without a warning, by W=1 and sparse too."""

import dataclasses
import re

from lib import kernel, needs, stock
from lib.case import verdict
from lib.common import Fail
from lib.lane import Task

WARNING = re.compile(r"warning:|error:")
# The compiler names the option that its warning is for; sparse has none.
OPTION = re.compile(r"\[-W[\w=+-]+\]$")


def build(cell):
    log = f"build/logs/modules-{cell.kver}-check.log"
    told, reason = [], ""
    try:
        told = [line for line in stock.built(cell)[1] if WARNING.search(line)]
    except Fail as e:
        reason = str(e)
    compiler = [line for line in told if OPTION.search(line)]
    sparse = [line for line in told if line not in compiler]
    return [verdict(f"{cell.name} W=1", reason or next(iter(compiler), ""), log),
            dataclasses.replace(verdict(
                f"{cell.name} sparse", f"not reached: {reason}" if reason else
                next(iter(sparse), ""), log), kernel=cell.kver)]


def tasks():
    return [Task(cell.name, lambda cell=cell: build(cell), (needs.stock_kernels,))
            for cell in kernel.cells()]
