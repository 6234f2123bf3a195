# SPDX-License-Identifier: GPL-2.0-only
"""Planted bugs: what a run with one is taken to show."""

import re
import sys

import pytest

import mutants
from helpers import fails
from lib import common

KTAP = ("KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..3\n"
        "    ok 1 a\n        not ok 1 parameter\n    {} 2 b\n{}")
END = "    ok 3 c\nnot ok 1 s\n"


def test_unknown():
    """A mutant that does not exist."""
    fails([sys.executable, common.ROOT / "tests/mutants/mutants.py", "--only", "frobnicate"],
          "no mutant 'frobnicate': see --list")


@pytest.mark.parametrize("mutant", mutants.selected([]), ids=lambda mutant: mutant.name)
def test_applies(mutant):
    """What each mutant changes is in the sources, once."""
    for change in mutant.changes:
        text = (common.ROOT / change["file"]).read_text(encoding="utf-8")
        assert text.count(change["search"]) == 1, change["file"]


@pytest.mark.parametrize("verdict, rest, killers, status, pattern", [
    ("not ok", END, ["s.b"], "killed", "^$"),
    ("ok", END, ["s.b"], "survived", "^s.b passes"),
    ("not ok", END, ["s.b", "s.c"], "error", "not found by s.c, but by s.b"),
    ("not ok", END, ["s.a"], "error", "not found by s.a, but by s.b"),
    ("ok", "", ["s.c"], "killed", "^hung in s.c$"),
    ("ok", "", ["s.b"], "error", "not found by s.b, but by s.c"),
    ("ok", "", ["s.d"], "error", "^hung in s.c, before s.d$"),
], ids=["killed", "survived", "one_of_two", "by_another", "hung", "hung_later", "hung_before"])
def test_judged(verdict, rest, killers, status, pattern):
    """KUnit: killed, survived, or an error, and why."""
    mutant = mutants.Mutant("m", None, "", killers, ("kunit", "s.*"))
    found = mutants.results_in_ktap("s", KTAP.format(verdict, rest))
    judged = mutants.judge(mutant, *found, ["s.a", "s.b", "s.c", "s.d"])
    assert judged[0] == status
    assert re.search(pattern, judged[1])


def test_junit(tmp_path):
    """qtest: the names that killed-by has; one that fails at its end is there twice."""
    report = tmp_path / "qtest.xml"
    report.write_text("""<testsuites><testsuite>
<testcase name="test_a"/><testcase name="test_b[x.1]"><failure/></testcase>
<testcase name="test_b[x.1]"><error/></testcase><testcase name="test_c"><error/></testcase>
<testcase name="test_d"><skipped/></testcase></testsuite></testsuites>""".replace(
        "<testcase", '<testcase classname="qtest.test_s"'), encoding="utf-8")
    found = mutants.results_in_junit(report)
    assert found == {"s.a": "ok", "s.b.x.1": "not ok", "s.c": "not ok", "s.d": "skip"}
