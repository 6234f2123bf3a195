# SPDX-License-Identifier: GPL-2.0-only
"""The report on conformance."""

import re

import pytest

from lib import conformance

RULES = """\
# comment

Rule: 1
Says: This
  and that.
From: client.rst

Rule: 2
Says: Something else.
From: dmaengine.h
Untested: No.
"""

SOURCE = """
/*
 * Rule @N@ (@FROM@):
 * sentence.
 */
static void c(struct kunit *test)
{
}
KUNIT_CASE(c),
.name = "s",
"""


@pytest.mark.parametrize("number, origin, include, pattern", [
    ("1", "client.rst, f()", "<linux/err.h>", "^$"),
    ("2", "dmaengine.h", "<linux/err.h>", "^rule 1 has no case, and no reason"),
    ("3", "client.rst, f()", "<linux/err.h>", "^rule 1 has no case"),
    ("1", "dmaengine.h", "<linux/err.h>", "^s.c: rule 1 is not from"),
    ("1", "client.rst, f()", "<loopdma/hw.h>", "^c.c includes"),
    ("1", "client.rst, f()", '"dut.h"', "^c.c includes"),
], ids=["good", "no_case", "no_rule", "origin", "include", "include_local"])
def test_gaps(number, origin, include, pattern):
    """It sees rules without cases, and cases without rules."""
    cases = conformance.read_cases(SOURCE.replace("@N@", number).replace("@FROM@", origin))
    problems = conformance.problems_of(conformance.read_rules(RULES, "rules.txt"), cases,
                                       {"c.c": f"#include {include}\n"})
    assert re.search(pattern, next(problems, ""))


def test_results():
    """What it reads of KTAP."""
    assert conformance.read_results(
        "    # Subtest: s\n    ok 1 a\n    not ok 2 b\n    ok 3 c # SKIP no DMA\n") == {
            "s.a": ("PASS", ""), "s.b": ("FAIL", ""), "s.c": ("SKIP", "no DMA")}
