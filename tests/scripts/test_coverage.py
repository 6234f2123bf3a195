# SPDX-License-Identifier: GPL-2.0-only
"""Coverage: what is not reached needs a reason, and a reason something not reached."""

import re
import sys

import pytest

import coverage
from helpers import fails
from lib import common

SOURCE = """\
struct s {
	int (*member)(void);
};

static int one(struct s *s,
	       int b)
{
	if (b)
		return -EIO;
	return 0;
}

int two(void)
{
	return -EIO;
}
"""

ENTRIES = """\
# comment

File: a.c
In: one()
Line: return -EIO;
{}: It takes a
  miracle.
"""


@pytest.mark.parametrize("missed, text, pattern", [
    ([], "", "^$"),
    ([], "# comment\n", "^$"),
    ([9], ENTRIES.format("Why"), "^$"),
    ([9], ENTRIES.format("Seldom"), "^$"),
    ([], ENTRIES.format("Seldom"), "^$"),
    ([9], "", "^a.c:9: 'return -EIO;' in one\\(\\) is not reached: add"),
    ([9, 15], ENTRIES.format("Why"), "^a.c:15: .* in two\\(\\) is not reached"),
    ([], ENTRIES.format("Why"), "'return -EIO;' in one\\(\\) of a.c is reached"),
    ([9], ENTRIES.format("Why").replace("-EIO", "-EIO2"), "^a.c:9: "),
    ([], ENTRIES.format("Seldom").replace("one", "three"), "is reached, or gone"),
    ([], ENTRIES.format("Because"), "not an entry with .*: 'File: a.c'"),
    ([], ENTRIES.format("Why") + "Seldom: No.\n", "not an entry with"),
    ([], ENTRIES.format("Why").replace("In: one()\n", ""), "not an entry"),
], ids=["all", "comment", "why", "seldom", "seldom_reached", "no_entry", "one_entry",
        "reached", "changed", "gone", "keyword", "both", "no_function"])
def test_judged(missed, text, pattern):
    """Each line that is missed, and each entry."""
    files = [{"file": "a.c", "lines": [
        {"line_number": number, "count": 0 if number in missed else 2}
        for number in (8, 9, 10, 15)], "functions": [
        {"name": "two", "lineno": 13}, {"name": "one", "lineno": 5}]}]
    try:
        entries = coverage.read_entries(text, "unreached.txt")
        pairs, stale = coverage.explained(
            coverage.lines_of(files, {"a.c": SOURCE.splitlines()}), entries)
        full = {f"{kind}_percent": 100 for kind in coverage.GOALS}
        said = next(coverage.problems_of(full, pairs, stale), "")
    except common.Fail as e:
        said = str(e)
    assert re.search(pattern, said)


def test_too_little():
    """Fewer than are wanted."""
    low = {"line_percent": 100, "function_percent": 100, "branch_percent": 84.9}
    said, = coverage.problems_of(low, [], [])
    assert "84.9 % of branches" in said


def test_counts():
    """The counts that a guest prints."""
    assert coverage.counts_in(["a", "%% gcda x.gcda", "AAEC", "Aw==", "", "%% gcda y.gcda",
                               "AA=="]) == (["a"], {"x.gcda": bytes(range(4)),
                                                    "y.gcda": b"\0"})
    with pytest.raises(common.Fail, match="are damaged"):
        coverage.counts_in(["%% gcda x.gcda", "AAE"])


def test_without_gcovr(programs):
    """Without the program that makes the report."""
    fails([sys.executable, common.ROOT / "tests/coverage/coverage.py"],
          "gcovr is missing: run 'scripts/deps.sh coverage'", env=programs.env())
