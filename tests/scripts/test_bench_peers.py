# SPDX-License-Identifier: GPL-2.0-only
"""The comparison with the fastest DMA engine that QEMU has without the device."""

import sys

import pytest

from helpers import SCRIPTS, fails
from lib import bench_peers, common

LINES = ["memcpy size=65536 ns=13804.1", "dmatest size=64 tests=47136 rate=94271.23", "",
         "dmatest size=4096 tests=40162 rate=80322.50"]


def test_without_qemu(programs):
    """Without the peer's QEMU."""
    fails([sys.executable, SCRIPTS / "bench.py", "--peers"],
          "qemu-system-aarch64 is missing: run 'scripts/deps.sh peers'", env=programs.env())


def test_parsed():
    """What its guests report."""
    assert bench_peers.parse(LINES) == {"memcpy": 13804.1, 64: 94271.23, 4096: 80322.5}


@pytest.mark.parametrize("lacking", [0, 1, 3])
def test_lacking(lacking):
    """A guest that does not report all."""
    with pytest.raises(common.Fail):
        bench_peers.parse(LINES[:lacking] + LINES[lacking + 1:])


def test_deep_rate():
    """3000 copies in 6 ms."""
    line = "loopdma_bench: mode=figures kind=dma size=4096 depth={} copies=3000 ns=6000000"
    assert bench_peers.deep_rate(line.format(bench_peers.DEPTH)) == 500e3
    with pytest.raises(common.Fail, match="reported 0 measurements of kind=dma size=4096"):
        bench_peers.deep_rate(line.format(bench_peers.DEPTH + 1))


def test_figures():
    """The figures, and whether the machine was quiet."""
    # Round trips of 8 us, of the peer 10 us and 4 us; six times the peer's rate with
    # one CPU, ten times that with two.
    ours = {"memcpy": 20e3, 64: 125e3, 4096: 160e3, "deep": 480e3, "others": 0.0}
    runs = [{1: {"peer": {"memcpy": peer_ns, 64: 100e3, 4096: 80e3, "others": 0.1},
                 "ours": ours},
             2: {"peer": {"memcpy": 10e3, 64: 250e3, 4096: 48e3, "others": others},
                 "ours": ours}}
            for peer_ns, others in ((10e3, 0.0), (12e3, 0.9), (11e3, 0.1))]
    wanted = {f"{bench_peers.OPS}_1cpu": 6.0, f"{bench_peers.OPS_ANY}_1cpu": 6.0,
              f"{bench_peers.ROUND_TRIP}_1cpu": 1.25, f"{bench_peers.OPS}_2cpu": 10.0,
              f"{bench_peers.OPS_ANY}_2cpu": 6.0, f"{bench_peers.ROUND_TRIP}_2cpu": 0.5}
    assert bench_peers.figures_of(runs[0]) == wanted
    report = bench_peers.report_of(runs)
    assert {name: figure["value"] for name, figure in report["figures"].items()} == wanted
    controls = [report["control"][cpus][who]
                for cpus in ("1cpu", "2cpu") for who in ("peer", "ours")]
    assert controls == [{"memcpy": 1.2, "others": 0.1}, {"memcpy": 1.0, "others": 0.0},
                        {"memcpy": 1.0, "others": 0.9}, {"memcpy": 1.0, "others": 0.0}]
    assert [bench_peers.quiet(values) for values in controls] == [False, True, False, True]
    assert report["rates"]["2cpu"]["round trip of 64 B, us: loopdma"] == {
        "value": 8.0, "min": 8.0, "max": 8.0, "runs": 3}
