# SPDX-License-Identifier: GPL-2.0-only
"""The fuzzer: its arguments, and what is read of its log."""

import sys

import pytest

import fuzz
from helpers import fails
from lib import common


@pytest.mark.parametrize("arguments, pattern, status", [
    (["--time", "soon"], "'soon' is no time: give 90, 90s, 10m or 2h", 2),
    (["--targets", "all"], "no target 'all': choose from sync", 2),
    (["--targets", "sync", "--reproduce", "/nonexistent"], "no input /nonexistent: give a file",
     1)], ids=["time", "target", "input"])
def test_arguments(arguments, pattern, status):
    """A time, a target and an input that are none."""
    fails([sys.executable, common.ROOT / "tests/fuzz/fuzz.py", *arguments], pattern, status)


def test_logs(tmp_path):
    """What is read of one that ended early, and of one that ended well."""
    log = tmp_path / "log"
    log.write_text("INFO: Loaded 1 modules   (100 inline 8-bit counters): 100 [0x1)\n"
                   "#12\tNEW    cov: 34 ft: 56 corp: 7/80b lim: 4 exec/s: 9 rss: 1Mb\n"
                   "a.c:1: runtime error: shift\nSUMMARY: libFuzzer: deadly signal\n",
                   encoding="utf-8")
    assert fuzz.statistics("sync", log) == fuzz.Result("sync", 12, 9, 34, 100, 7)
    assert fuzz.reason_in(log) == "a.c:1: runtime error: shift"
    with open(log, "a", encoding="utf-8") as f:
        f.write("stat::number_of_executed_units: 15\nstat::average_exec_per_sec:     3\n")
    assert fuzz.statistics("sync", log) == fuzz.Result("sync", 15, 3, 34, 100, 7)
