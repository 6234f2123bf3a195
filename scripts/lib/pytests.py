# SPDX-License-Identifier: GPL-2.0-only
"""Runs pytest, and reads what its cases came to."""

import shutil
import subprocess
import xml.etree.ElementTree as xml

from lib import common
from lib.case import LINES, Case


def run(name, directory, *options):
    """The cases below a directory of tests/, with more options of pytest's."""
    log = common.new_log(name)
    report = common.REPORTS / f"{name}.xml"
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    if not shutil.which("pytest-3"):
        raise common.Fail("pytest-3 is missing: run 'make deps'")
    with open(log, "w", encoding="utf-8") as stream:
        done = subprocess.run(
            [*common.MORTAL, "pytest-3", directory, "-q", f"--junitxml={report}", "-n",
             str(common.jobs()), *options], stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, check=False, cwd=common.ROOT)
    place = common.relative(log)
    said = log.read_text(encoding="utf-8", errors="replace")
    found = read(report, place) if report.exists() else []
    if done.returncode and not any(case.status == "FAIL" for case in found):
        found.append(Case("run", "FAIL", f"pytest ended with {done.returncode}: "
                          f"{common.reason_in(said)}", place))
    return found


def name_of(one):
    """abort.twice.same of test_twice[same] in test_abort.py."""
    group = one.get("classname").rpartition(".")[2].removeprefix("test_")
    return f"{group}.{one.get('name').removeprefix('test_')}".replace("[", ".").rstrip("]")


def read(report, place):
    """The cases in a report of pytest's."""
    found = {}
    for one in xml.parse(report).getroot().iter("testcase"):
        # A case that fails can be there a second time, if its end failed, too.
        case = found.setdefault(name_of(one), Case(name_of(one), "PASS", log=place))
        for element in one:
            lines = (element.text or "").strip().splitlines()
            if element.tag in ("failure", "error"):
                case.status = "FAIL"
                case.detail = lines[-LINES:]
            elif element.tag == "skipped" and case.status == "PASS":
                case.status = "SKIP"
            else:
                continue
            case.reason = (element.get("message") or "failed").strip().splitlines()[0]
    return list(found.values())
