# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a guest does to the device, at random, the device survives."""

import json
import subprocess
import sys

from lib import common, needs
from lib.case import Case, verdict
from lib.lane import Task, parameter

FUZZ = common.ROOT / "tests" / "fuzz" / "fuzz.py"
REPORT = common.REPORTS / "fuzz.json"

SECONDS = parameter("fuzz.seconds", 60, "seconds, all targets together", least=14)


def run():
    REPORT.unlink(missing_ok=True)
    log = common.new_log("fuzz")
    with open(log, "w", encoding="utf-8") as stream:
        subprocess.run([sys.executable, FUZZ, "--jobs", "1", "--time", str(SECONDS.value)],
                       stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False)
    place = common.relative(log)
    if not REPORT.exists():
        return [Case("run", "FAIL", common.reason_in(log.read_text(encoding="utf-8")), place)]
    targets = json.loads(REPORT.read_text(encoding="utf-8"))["targets"]
    return [verdict(f"{name}: {one['executions']} executions, {one['edges']} of "
                    f"{one['edges_total']} edges", "; ".join(
                        f"{finding['reason']} (input: {finding['input']})"
                        for finding in one["findings"]), place)
            for name, one in targets.items()]


def tasks():
    return [Task("fuzz", run, (needs.special_qemu("address"),), full=True)]
