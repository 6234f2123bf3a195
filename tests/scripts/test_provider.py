# SPDX-License-Identifier: GPL-2.0-only
"""What is made of the log of a machine that runs the conformance suites."""

import pytest

from lib import provider
from lib.common import Fail
from lib.provider import Reader, Result

PASSED = """\
[    1.000000]     # a: begins suite.a, seed 7
[    1.100000]     ok 1 a
"""
SKIPPED = """\
[    1.000000]     # a: begins suite.a, seed 7
[    1.100000]     ok 1 a # SKIP no channel is free
"""
FAILED = """\
[    1.000000]     # a: begins suite.a, seed 7
[    1.000000]     # a: EXPECTATION FAILED at conform.c:12
[    1.000000] Expected 1 == x->calls, but
[    1.000000]     x->calls == 0 (0x0)
[    1.000000]     # a: EXPECTATION FAILED at conform.c:12
[    1.100000]     not ok 1 a
"""
PARAMETERS = """\
[    1.000000]         # a: begins suite.a, seed 7
[    1.000000]         ok 1 first
[    1.000000]         # a: begins suite.a, seed 8
[    1.000000]     # a: ASSERTION FAILED at x.c:1
[    1.000000]         not ok 2 second
[    1.000000]     not ok 1 a
"""
DIED = PASSED + """\
[    2.000000]     # b: begins suite.b, seed 7
[    2.100000] BUG: KASAN: slab-use-after-free in driver+0x1/0x2
"""


def test_verdicts():
    assert Reader(PASSED).results == {"suite.a": Result("PASS")}
    assert Reader(SKIPPED).results == {"suite.a": Result("SKIP", "no channel is free")}


def test_a_failure_is_explained_once():
    result = Reader(FAILED).results["suite.a"]
    assert result.status == "FAIL"
    assert result.lines == ["a: EXPECTATION FAILED at conform.c:12",
                            "Expected 1 == x->calls, but", "x->calls == 0 (0x0)"]


def test_parameters_are_one_case():
    result = Reader(PARAMETERS).results["suite.a"]
    assert result.status == "FAIL"
    assert result.lines == ["a: ASSERTION FAILED at x.c:1", "with second"]


def test_a_case_that_does_not_end():
    reader = Reader(DIED)
    assert list(reader.results) == ["suite.a"]
    assert reader.running == reader.disturbed == "suite.b"
    assert reader.said == ["BUG: KASAN: slab-use-after-free in driver+0x1/0x2"]
    assert not reader.ended
    assert Reader(PASSED + f"[    3.000000] {provider.END}\n").ended


def test_what_a_case_leaves_behind_is_its_failure():
    reader = Reader(PASSED + "[    1.200000] WARNING: at kernel/dma/debug.c:1\n")
    assert reader.disturbed == "suite.a"
    assert reader.results["suite.a"] == Result(
        "FAIL", lines=["WARNING: at kernel/dma/debug.c:1"])


def test_a_complaint_fails_a_case_that_says_it_passed():
    begins, ends = PASSED.splitlines(keepends=True)
    reader = Reader(begins + "[    1.050000] BUG: sleeping function called\n" + ends)
    assert reader.results["suite.a"].status == "FAIL"


def test_known(tmp_path):
    path = tmp_path / "known.txt"
    path.write_text("# comment\n\nsuite.a provider it does not\n", encoding="ascii")
    assert provider.read_known(path) == {"suite.a": ("provider", "it does not")}
    assert provider.read_known(tmp_path / "none.txt") == {}


@pytest.mark.parametrize("line", ["suite.a", "suite.a nobody it does not", "suite.a provider"])
def test_known_is_complete(tmp_path, line):
    path = tmp_path / "known.txt"
    path.write_text(line + "\n", encoding="ascii")
    with pytest.raises(Fail, match="known.txt:1: not"):
        provider.read_known(path)


@pytest.mark.parametrize("status, known, mended, expected", [
    ("PASS", "", (), "PASS"),
    ("SKIP", "", (), "SKIP"),
    ("FAIL", "", (), "FAIL"),
    ("FAIL", "suite.a provider why", (), "PASS"),
    ("PASS", "suite.a provider why", (), "FAIL"),
    ("PASS", "suite.a provider why", ("provider",), "PASS"),
    ("FAIL", "suite.a core why", ("provider",), "PASS"),
    ("FAIL", "suite.a provider sometimes: why", (), "PASS"),
    ("PASS", "suite.a provider sometimes: why", (), "PASS"),
    ("FAIL", "suite.a provider sometimes: why", ("provider",), "FAIL"),
])
def test_a_change_in_either_direction_fails(tmp_path, monkeypatch, status, known, mended,
                                            expected):
    monkeypatch.setattr(provider, "KNOWN", provider.common.ROOT / "build")
    monkeypatch.setattr(provider, "read_known", lambda path: {
        name: (judgement, why) for name, judgement, why in
        [known.split(None, 2)]} if known else {})
    cases = provider.judged("machine", {"suite.a": Result(status)}, mended)
    assert [case.status for case in cases] == [expected]


def test_table(tmp_path, monkeypatch):
    monkeypatch.setattr(provider.common, "REPORTS", tmp_path)
    monkeypatch.setattr(provider, "KNOWN", tmp_path)
    with pytest.raises(Fail, match="no provider was run"):
        provider.table()
    (tmp_path / "null.txt").write_text("one.b provider why\n", encoding="ascii")
    provider.keep("null", {"one.a": Result("PASS"), "one.b": Result("FAIL"),
                           "one.c": Result("FAIL"), "two.a": Result("SKIP", "why")})
    assert [" ".join(line.split()) for line in provider.table()[3:]] == [
        "Suite ``null``", "======= =============", "``one`` 1 / 2 (1) / 0",
        "``two`` 0 / 0 (0) / 1", "all 1 / 2 (1) / 1", "======= ============="]


def test_what_patches_mend(tmp_path):
    path = tmp_path / "a.patch"
    path.write_text("+++ b/drivers/dma/virt-dma.h\n", encoding="ascii")
    assert provider.mended("raspi3b", [path]) == {"core"}
    assert provider.mended("null", [path]) == {"core"}
    path.write_text("+++ b/drivers/dma/bcm2835-dma.c\n", encoding="ascii")
    assert provider.mended("raspi3b", [path]) == {"provider"}
    assert provider.mended("raspi3b", []) == set()


def test_what_is_known_and_no_case_fails(monkeypatch):
    monkeypatch.setattr(provider, "KNOWN", provider.common.ROOT / "build")
    monkeypatch.setattr(provider, "read_known", lambda path: {"suite.b": ("core", "why")})
    assert [case.status for case in provider.judged("machine", {})] == ["FAIL"]


def test_a_machine_that_is_not_there():
    with pytest.raises(Fail, match="no machine 'vax': give loopdma, null, lies, xlnx-zcu102"):
        provider.target_of("vax")


def test_ktap_tells_what_is_skipped_as_a_whole():
    text = provider.ktap({"one.a": Result("SKIP", "why"), "two.a": Result("PASS"),
                          "two.b": Result("FAIL", lines=["said"])})
    assert "ok 1 one # SKIP\n" in text
    assert "not ok 2 two\n" in text
    assert "    # said\n    not ok 2 b\n" in text
