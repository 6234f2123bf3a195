# SPDX-License-Identifier: GPL-2.0-only
"""What is made of a suite for the kernel's tree."""

import pytest

from lib import conformance, series
from lib.common import Fail

OLDER = """\
#include <linux/err.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
new();
#endif
#ifdef CONFIG_PM
old();
#endif
"""
NEWEST = """\
#include <linux/err.h>

new();
#ifdef CONFIG_PM
old();
#endif
"""


def test_of_newest():
    assert series.of_newest(OLDER) == NEWEST


def test_another_guard_is_told():
    with pytest.raises(Fail, match="does not know"):
        series.of_newest("#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)\n#endif\n")


def test_about():
    assert series.about("/* SPDX */\n/*\n * dmaengine conformance: one thing, and\n"
                        " * another.\n * More.\n */\n") == ("one thing, and another", "More.")


def test_each_suite_says_what_it_is_about():
    for path in conformance.SUITES.glob("*.c"):
        assert series.about(path.read_text(encoding="utf-8"))[0]


def test_directory_must_be_new(tmp_path, monkeypatch):
    monkeypatch.setattr(series.kernel, "source", lambda: (None, tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(Fail, match="is not empty"):
        series.write(tmp_path, ("A", "a@b"))
