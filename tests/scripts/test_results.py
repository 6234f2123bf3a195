# SPDX-License-Identifier: GPL-2.0-only
"""What check.py leaves for people and for other programs."""

import re
import xml.etree.ElementTree as xml

import pytest

import check
from lib import case as cases
from lib import guest, results
from lib.case import Case
from lib.lane import Need, Task


@pytest.fixture
def lanes():
    """A lane that has a case of each kind."""
    lane = check.Lane("dmatest")
    lane.seconds = 12.3
    lane.cases = [
        Case("6.1 msix", "PASS", kernel="6.1.0", qemu="10.2.2"),
        Case("6.1 msi", "FAIL", "kernel log: BUG: <bad> & \x01", "build/logs/x.log",
             detail=["one", "two"]),
        Case("6.1 msi", "SKIP", "needs two CPUs"),
        Case("7.3 a.b#c", "SKIP", "the guest's kernel died", judged=False)]
    return [lane]


def test_ktap(lanes):
    """KTAP: plan, results, reasons."""
    assert results.ktap(lanes).splitlines() == [
        "KTAP version 1", "1..1", "    KTAP version 1", "    # Subtest: dmatest", "    1..4",
        "    ok 1 6.1 msix", "    # kernel log: BUG: <bad> & \x01", "    # one", "    # two",
        "    not ok 2 6.1 msi", "    ok 3 6.1 msi # SKIP needs two CPUs",
        "    ok 4 7.3 a.bc # SKIP the guest's kernel died", "not ok 1 dmatest"]


def test_junit(lanes):
    """JUnit: what XML cannot have is left out."""
    suite = xml.fromstring(results.junit(lanes)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    failure = suite.find("testcase/failure")
    assert failure.get("message") == "kernel log: BUG: <bad> & ?"
    assert failure.text == "one\ntwo"


# kcidb_io/schema/v05_03.py of kcidb-io: the keys of what is reported, and those needed.
ID = r"[a-z0-9_]+:.*"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
KEYS = {
    "checkouts": {"id": ID, "origin": "[a-z0-9_]+", "tree_name": ".*", "valid": "True|False",
                  "git_commit_hash": "[0-9a-f]{40}|[0-9a-f]{64}", "start_time": TIME},
    "builds": {"id": ID, "checkout_id": ID, "origin": "[a-z0-9_]+", "start_time": TIME,
               "architecture": "[a-z0-9_]*", "status": "FAIL|ERROR|MISS|PASS|DONE|SKIP"},
    "tests": {"id": ID, "build_id": ID, "origin": "[a-z0-9_]+",
              "path": r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*", "start_time": TIME,
              "status": "FAIL|ERROR|MISS|PASS|DONE|SKIP", "environment": None, "misc": None,
              "log_excerpt": r"(?s).{0,16384}"},
}
NEEDED = {"checkouts": {"id", "origin"}, "builds": {"id", "origin", "checkout_id"},
          "tests": {"id", "origin", "build_id"}}


def test_kcidb(lanes):
    """What KCIDB takes, linked by IDs; a guest that was lost is a miss."""
    report = results.kcidb(lanes, 1_800_000_000.5)
    assert report.pop("version") == {"major": 5, "minor": 3}
    assert set(report) == set(KEYS)
    for kind, objects in report.items():
        for one in objects:
            assert NEEDED[kind] <= set(one) <= set(KEYS[kind])
            for key, value in one.items():
                if KEYS[kind][key]:
                    assert re.fullmatch(KEYS[kind][key], str(value)), (key, value)
        assert len({one["id"] for one in objects}) == len(objects)
    assert report["builds"][0]["checkout_id"] == report["checkouts"][0]["id"]
    assert [test["status"] for test in report["tests"]] == ["PASS", "FAIL", "SKIP", "MISS"]
    assert len({test["path"] for test in report["tests"]}) == 4


def test_explained(capsys):
    """A case that fails tells its lane, why, its log, and how to run it again."""
    job = check.Job("dmatest", Task("6.1 msix", None), 0)
    check.explained([(job, Case("6.1 msix", "FAIL", "kernel log: BUG: x", "build/logs/x.log",
                                detail=["[ 1.0] BUG: x"]))])
    assert capsys.readouterr().out.splitlines() == [
        "FAIL dmatest: 6.1 msix: kernel log: BUG: x", "    | [ 1.0] BUG: x",
        "    log: build/logs/x.log", "    again: scripts/check.py --only 'dmatest:6.1 msix'"]


def test_log_that_matters():
    """Of the log of a guest the lines around the first complaint."""
    log = "".join(f"[ {n}.0] line {n}\n" for n in range(50)) + "[ 50.0] BUG: KASAN: x\n" + \
        "".join(f"[ {n}.0] line {n}\n" for n in range(51, 99))
    outcome = guest.Outcome("kernel log: BUG", [], log, 1.0, "build/logs/x.log")
    detail = cases.of_guest("guest", outcome).detail
    assert len(detail) == cases.LINES
    assert detail[cases.BEFORE] == "[ 50.0] BUG: KASAN: x"


@pytest.mark.parametrize("count", [1, 2, 3, 8, 200])
def test_shards(count):
    """The parts are all jobs, each in one of them, and none takes much longer than it must."""
    qemu = Need("QEMU", None)
    kernels = [Need(f"kernel {n}", None, (qemu,)) for n in range(3)]
    times = {"QEMU": 40, "kernel 0": 100, "kernel 1": 70, "kernel 2": 50}
    made = sorted((check.Job("lane", Task(str(n), None, (kernels[n % 3],) if n % 2 else (qemu,)),
                             n % 7 * 10 + 1) for n in range(100)),
                  key=lambda job: (-job.seconds, job.title))
    parts = check.shards(made, count, times)
    titles = [job.title for part in parts for job in part.jobs]
    assert sorted(titles) == sorted(job.title for job in made)
    assert count > len(made) or all(part.jobs for part in parts)
    none = check.Part(times)
    least = max(none.cost_with(job) for job in made)
    assert max(part.cost_with() for part in parts) <= \
        max(least, none.cost_with(*made) / count + 40 + 100) * 1.05


def test_shards_share_what_is_built():
    """What is dear to build is built in as few parts as do."""
    dear, other = Need("dear", None), Need("other", None)
    made = [check.Job("lane", Task(f"{need.name} {n}", None, (need,)), 10)
            for need in (dear, other) for n in range(10)]
    times = {"dear": 300, "other": 300}
    for part in check.shards(made, 2, times):
        assert len({job.task.needs for job in part.jobs}) == 1


def test_ktap_of_a_guest():
    """What a case says of itself goes before what follows it."""
    found = cases.ktap_cases("ok 1 - a\nok 2 - b # SKIP no memory\n# next begins\n"
                             "not ok 3 - c\n# 1 instead of 2\nok 4 - d # SKIP\n# one CPU\n1..5\n")
    assert [(one.name, one.status, one.reason) for one in found] == [
        ("a", "PASS", ""), ("b", "SKIP", "no memory"), ("c", "FAIL", "1 instead of 2"),
        ("d", "SKIP", "one CPU"), ("plan", "FAIL", "4 of 5 cases reported")]
