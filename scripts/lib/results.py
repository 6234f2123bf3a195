# SPDX-License-Identifier: GPL-2.0-only
"""Results of a check for other programs: KTAP, JUnit XML, and JSON for KCIDB.

KTAP is Documentation/dev-tools/ktap.rst of the kernel.  KCIDB is the kernel community's
database of test results; its format, here version 5.3, is kcidb_io/schema of kcidb-io.
"""

import datetime
import os
import platform
import re
import xml.etree.ElementTree as xml
from pathlib import Path

from lib import common

# Who a report is from, for KCIDB.
ORIGIN = "loopdma"


def commit():
    """The commit of this checkout, "" if it is none."""
    try:
        return common.run(["git", "rev-parse", "HEAD"], cwd=common.ROOT).strip()
    except common.Fail:
        return ""


def machine():
    """What the machine is, for people who compare."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(
        encoding="ascii", errors="replace"), re.MULTILINE)
    return {"cpus": common.jobs(), "cpu": found[1] if found else platform.machine(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "kernel": platform.release()}


def ktap(lanes):
    """Lanes with their cases as one KTAP document."""
    lines = ["KTAP version 1", f"1..{len(lanes)}"]
    for number, lane in enumerate(lanes, 1):
        lines += ["    KTAP version 1", f"    # Subtest: {lane.name}",
                  f"    1..{len(lane.cases)}"]
        for place, case in enumerate(lane.cases, 1):
            bad = case.status == "FAIL"
            if bad:
                lines += [f"    # {line}" for line in (case.reason, *case.detail)]
            skip = f" # SKIP {case.reason}" if case.status == "SKIP" else ""
            name = case.name.replace("#", "")
            lines.append(f"    {'not ok' if bad else 'ok'} {place} {name}{skip}")
        lines.append(f"{'not ok' if lane.count('FAIL') else 'ok'} {number} {lane.name}")
    return "\n".join(lines) + "\n"


def printable(text):
    """Text without what XML cannot have."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "?", text)


def junit(lanes):
    """The same as JUnit XML."""
    top = xml.Element("testsuites")
    for lane in lanes:
        suite = xml.SubElement(top, "testsuite", {
            "name": lane.name, "time": f"{lane.seconds:.1f}", "tests": str(len(lane.cases)),
            "failures": str(lane.count("FAIL")), "skipped": str(lane.count("SKIP"))})
        for case in lane.cases:
            one = xml.SubElement(suite, "testcase", {
                "classname": lane.name, "name": printable(case.name)})
            if case.status != "PASS":
                tag = "failure" if case.status == "FAIL" else "skipped"
                told = xml.SubElement(one, tag, {"message": printable(case.reason)})
                told.text = printable("\n".join(case.detail))
    return xml.tostring(top, encoding="unicode") + "\n"


def path_of(text):
    """A part of a path of KCIDB's."""
    return re.sub(r"[^\w-]+", "_", text, flags=re.ASCII).strip("_") or "_"


def kcidb(lanes, start):
    """The same for KCIDB: a checkout, a build of it, and a test run for each case.

    `start` is when the run began, in seconds since 1970.
    """
    when = datetime.datetime.fromtimestamp(start, datetime.timezone.utc).isoformat()
    # An ID must be a new one for each run.
    run = f"{ORIGIN}:{int(start)}-{common.digest(platform.node(), start)}"
    checkout = {"id": run, "origin": ORIGIN, "tree_name": ORIGIN, "valid": True,
                "start_time": when}
    if commit():
        checkout["git_commit_hash"] = commit()
    build = {"id": run, "checkout_id": run, "origin": ORIGIN, "start_time": when,
             "architecture": platform.machine(), "status": "PASS"}
    tests, used = [], {}
    for lane in lanes:
        for case in lane.cases:
            path = ".".join([ORIGIN, path_of(lane.name),
                             *(path_of(part) for part in case.name.split("."))])
            used[path] = used.get(path, 0) + 1
            test = {"id": f"{run}-{len(tests) + 1}", "build_id": run, "origin": ORIGIN,
                    "path": path if used[path] == 1 else f"{path}-{used[path]}",
                    "status": case.status if case.judged else "MISS", "start_time": when,
                    "environment": {"misc": machine()},
                    "misc": {"name": case.name, "reason": case.reason,
                             "kernel": case.kernel, "qemu": case.qemu}}
            if case.detail:
                test["log_excerpt"] = "\n".join(case.detail)[:16384]
            tests.append(test)
    return {"version": {"major": 5, "minor": 3}, "checkouts": [checkout], "builds": [build],
            "tests": tests}
