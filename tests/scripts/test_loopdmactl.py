# SPDX-License-Identifier: GPL-2.0-only
"""loopdmactl, on a /sys that is made up."""

import json
import os
import re

import pytest

from helpers import SCRIPTS, call, fails
from lib import common

CTL = SCRIPTS / "loopdmactl"

COUNTERS = ("clock_ns", "transfers", "bytes", "errors_read", "errors_write", "errors_data",
            "errors_aborted", "errors_other", "terminated", "interrupts", "lost_irqs",
            "stalls", "recoveries", "channel_resets", "device_resets", "doorbells", "depth",
            "depth_ns", "busy_ns")


class Sys:
    """A /sys with a device whose channels all have the same counters."""

    def __init__(self, top):
        self.top = top
        self.env = {"LOOPDMACTL_SYS": str(top)}
        self.device = top / "bus/pci/drivers/loopdma/0000:00:02.0"
        self.debug = top / "kernel/debug/dmaengine/0000:00:02.0"

    def fill(self, channels, **values):
        lines = "".join(f"{name} {values.get(name, 0)}\n" for name in COUNTERS)
        for number in range(channels):
            (self.device / f"dma/dma0chan{number}").mkdir(parents=True, exist_ok=True)
            (self.debug / f"chan{number}").mkdir(parents=True, exist_ok=True)
            (self.debug / f"chan{number}" / "stats").write_text(lines, encoding="ascii")
        (self.debug / "stats").write_text(lines, encoding="ascii")
        return self

    def controls(self, *faults):
        """The files of the device's test controls, and of the kernel's faults."""
        for channel in self.debug.glob("chan*"):
            (channel / "inject").mkdir()
            for name in ("hold", "fail", "stuck", "lie"):
                (channel / "inject" / name).write_text("0\n", encoding="ascii")
        (self.debug / "inject").mkdir()
        (self.debug / "inject/raise").write_text("", encoding="ascii")
        for name in faults:
            (self.debug / name).mkdir()
            for file in ("probability", "times", "interval", "space", "verbose"):
                (self.debug / name / file).write_text("0\n", encoding="ascii")
        return self

    def call(self, *words):
        """What it prints, if it succeeds."""
        code, text = call([CTL, *words], self.env)
        assert code == 0, text
        return text

    def json(self, *words):
        return json.loads(self.call(*words, "--json"))

    def fails(self, words, pattern, status=3):
        fails([CTL, *words.split()], pattern, status, self.env)


@pytest.fixture
def sys(tmp_path):
    return Sys(tmp_path / "sys")


def test_absent(sys):
    """Without a driver, a device, counters."""
    sys.fails("list", "not loaded: run 'modprobe loopdma'")
    sys.device.parent.mkdir(parents=True)
    sys.fails("list", "bound to no device")
    (sys.device / "dma/dma0chan0").mkdir(parents=True)
    sys.fails("stats", "no debugfs: run 'mount")
    sys.debug.parent.mkdir(parents=True)
    sys.fails("stats", "this loopdma.ko has no counters")


def test_stats(sys):
    """What it makes of counters."""
    sys.fill(11, transfers=2**64 - 1, errors_read=1, errors_data=2)
    text = sys.call("stats")
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows[1:]] == [f"dma0chan{n}" for n in range(11)]
    assert (rows[1][1], rows[1][3]) == (str(2**64 - 1), "3")
    assert "\033" not in text
    for which in ("dma0chan10", "0000:00:02.0/10", "00:02.0/10"):
        found, = sys.json("stats", which)
        assert (found["transfers"], found["name"]) == (2**64 - 1, "dma0chan10")
    sys.fails("stats dma0chan11", "no device or channel 'dma0chan11'")


def test_version():
    """The version that it tells."""
    changes = (common.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d\S*)\]", changes, re.MULTILINE)[1]
    assert call([CTL, "--version"]) == (0, f"loopdmactl {newest}\n")


def test_lists(sys):
    """Who has a channel and how it is, as root and others are told."""
    def states():
        return {row["channel"]: (row["state"], row["client"]) for row in sys.json("list")}

    sys.fill(4)
    for number in range(3):
        channel = sys.top / f"class/dma/dma0chan{number}"
        channel.mkdir(parents=True)
        (channel / "in_use").write_text(f"{min(number, 1)}\n", encoding="ascii")
    (channel / "slave").symlink_to("../../devices/0000:00:03.0")
    config = sys.device / "config"
    config.write_bytes(b"\xf4\x1a\xf0\x10" * 16)
    wanted = {0: ("free", None), 1: (None, "unnamed"), 2: (None, "0000:00:03.0"),
              3: (None, None)}
    assert states() == wanted
    (sys.debug.parent / "summary").write_text(
        "dma0 (0000:00:02.0): number of channels: 4\n"
        " dma0chan1    | in-use, running, cookie 51, complete 51\n"
        " dma0chan2    | 0000:00:03.0:rx, dead, cookie 1, complete 1\n", encoding="ascii")
    wanted |= {1: ("running", "unnamed"), 2: ("dead", "0000:00:03.0:rx")}
    assert states() == wanted
    (sys.top / "module/dmatest").mkdir(parents=True)
    config.write_bytes(b"\xff" * 64)
    wanted = {number: ("gone", client) for number, (_, client) in wanted.items()}
    assert states() == wanted | {1: ("gone", "dmatest?")}


def test_rates(sys, programs, tmp_path):
    """Rates, also where a counter wraps."""
    sys.fill(1, clock_ns=10**9, bytes=2**64 - 2**20, depth_ns=2**64 - 2**20)
    after = Sys(tmp_path / "after").fill(
        1, clock_ns=3 * 10**9, transfers=8, errors_read=1, busy_ns=10**9, bytes=2 * 10**6,
        depth_ns=4 * 10**9)
    # Time passes.
    programs.write("sleep", f"/bin/cp -r {after.top}/kernel {sys.top}\n")
    sys.env["PATH"] = f"{programs.directory}:{os.environ['PATH']}"
    row = sys.json("top", "-n", "1")[0]
    wanted = {"mb_s": 1.5, "ops_s": 4, "busy_percent": 50.0, "mean_depth": 2.0,
              "latency_us": 444561.0, "errors": 1, "transfers": 8}
    assert {name: row[name] for name in wanted} == wanted


# --- faults -------------------------------------------------------------------

def test_no_controls(sys):
    """A device that has no test controls."""
    sys.fill(2)
    sys.fails("inject", "has no test controls: boot the guest with '-device loopdma,"
              "test-controls=on'")


@pytest.mark.parametrize("words, pattern, status", [
    ("dma0chan0 hold 010", "'010' is nothing for 'hold'", 2),
    ("dma0chan0 hold ++1", "is nothing for 'hold'", 2),
    ("0000:00:02.0 fail_prep x", "'x' is nothing for 'fail_prep'", 2),
    ("0000:00:02.0 lose_irq 1", "needs CONFIG_FAULT_INJECTION_DEBUG_FS", 3),
    ("dma0chan0 early 1", "has no 'early'", 3),
    ("dma0chan7 hold 1", "no device or channel 'dma0chan7'", 3)])
def test_inject_refused(sys, words, pattern, status):
    """What cannot be injected."""
    sys.fill(2).controls("fail_prep")
    sys.fails(f"inject {words}", pattern, status)


@pytest.mark.parametrize("words, said", [
    ("dma0chan0 frob 1", "no control 'frob', it is one of fail "),
    ("dma0chan0 hold", "no value for 'hold'"),
    ("dma0chan0 raise 1", "'raise' is a device's"),
    ("00:02.0 hold 1", "'hold' is a channel's"),
    ("--reset", "--reset wants"),
    ("--json dma0chan0 hold 1", "--json is for the list")])
def test_inject_misused(sys, words, said):
    """What is no such command."""
    sys.fill(2).controls("fail_prep")
    code, text = call([CTL, "inject", *words.split()], sys.env)
    assert code == 2
    assert said in text


def test_injects(sys):
    """What it writes to inject a fault, lists, and takes back."""
    sys.fill(2).controls("fail_prep")
    for words, name, value in [
            ("dma0chan0 hold 1", "chan0/inject/hold", "1"),
            ("00:02.0/1 fail write:3", "chan1/inject/fail", str(7 << 16 | 3)),
            ("dma0chan1 stuck reset", "chan1/inject/stuck", "3"),
            ("dma0chan1 lie 0xFF", "chan1/inject/lie", "0xFF"),
            ("00:02.0 raise 2", "inject/raise", "2"),
            ("00:02.0 fail_prep 0", "fail_prep/probability", "0"),
            ("00:02.0 fail_prep 5", "fail_prep/times", "5")]:
        assert sys.call("inject", *words.split()) == ""
        assert (sys.debug / name).read_text(encoding="ascii").strip() == value, words
    (sys.debug / "chan1/inject/lie").write_text("255\n", encoding="ascii")
    found = {(row["name"], row["control"]): row["value"] for row in sys.json("inject")}
    wanted = {("dma0chan0", "hold"): 1, ("dma0chan1", "fail"): "write:3",
              ("dma0chan1", "stuck"): "reset", ("dma0chan1", "lie"): 255,
              ("0000:00:02.0", "fail_prep"): 5, ("dma0chan0", "lie"): 0}
    assert len(found) == 10
    assert {key: found[key] for key in wanted} == wanted
    for words, left in (("dma0chan1", ["hold", "fail_prep"]), ("00:02.0", [])):
        assert sys.call("inject", "--reset", words) == ""
        assert [row["control"] for row in sys.json("inject")
                if row["control"] != "raise" and row["value"] != 0] == left
