# SPDX-License-Identifier: GPL-2.0-only
"""Bad input to the scripts, and the judge of guest logs."""

from lib import common, needs, pytests
from lib.lane import Task


def tasks():
    return [Task("scripts", lambda: pytests.run("scripts", common.ROOT / "tests" / "scripts"),
                 (needs.guests,))]
