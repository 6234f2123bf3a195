# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark: the figures of what a guest has measured, and what follows from them."""

import re
import sys

import pytest

from helpers import SCRIPTS, call, fails
from lib import bench, bench_conclusions, bench_report, bench_threads, common

BENCH_PY = SCRIPTS / "bench.py"

BENCH = """\
[    2.0] loopdma: module verification failed
[    2.1] loopdma_bench: mode=figures kind=memcpy size=65536 ns=10000
[    2.2] loopdma_bench: mode=figures kind=dma size=1048576 depth=8 channels=1 engines=1 \
copies=100 issues=93 ns=4000000 busy_ns=160000 doorbells=93 irqs=30 reads=0
[    2.3] loopdma_bench: mode=figures kind=dma size=4096 depth=64 channels=1 engines=1 \
copies=1000 issues=937 ns=2000000 busy_ns=1500000 doorbells=937 irqs=20 reads=0
[    2.4] loopdma_bench: mode=figures kind=dma size=4096 depth=32 channels=1 engines=1 \
copies=1000 issues=969 ns=2500000 busy_ns=1500000 doorbells=969 irqs=50 reads=0
[    2.5] loopdma_bench: mode=figures kind=dma size=4096 depth=1 channels=1 engines=1 \
copies=100 issues=50 ns=1000000 busy_ns=500000 doorbells=100 irqs=90 reads=25
[    2.6] loopdma_bench: mode=figures kind=progress permille=875
[    2.7] loopdma_bench: mode=latency kind=latency size=64 poll=0 load=0 class=0 copies=10 \
ns=300000 p50_ns=20000 p99_ns=30000 p999_ns=40000
[    2.8] loopdma_bench: mode=latency kind=latency size=64 poll=1 load=0 class=0 copies=20 \
ns=120000 p50_ns=5000 p99_ns=6000 p999_ns=7000
[    2.9] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=0 class=0 \
copies=10 ns=300000 p50_ns=20000 p99_ns=40000 p999_ns=50000
[    3.0] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=1 class=0 \
copies=10 ns=900000 p50_ns=20000 p99_ns=500000 p999_ns=600000
[    3.1] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=1 class=3 \
copies=10 ns=400000 p50_ns=20000 p99_ns=100000 p999_ns=500000
[    3.1] loopdma_bench: mode=priority kind=latency size=65536 poll=0 load=0 class=0 \
copies=10 ns=300000 p50_ns=20000 p99_ns=80000 p999_ns=90000
[    3.1] loopdma_bench: mode=priority kind=latency size=65536 poll=0 load=1 class=3 \
copies=10 ns=300000 p50_ns=20000 p99_ns=40000 p999_ns=50000
[    3.2] loopdma_bench: mode=open kind=open channels=32 ns=1500000 bytes=6291456
[    3.3] loopdma_bench: mode=scale kind=dma size=1048576 depth=8 channels=1 engines=2 \
copies=100 issues=93 ns=4000000 busy_ns=1 doorbells=93 irqs=30 reads=0
[    3.4] loopdma_bench: mode=scale kind=dma size=1048576 depth=8 channels=2 engines=2 \
copies=300 issues=286 ns=6000000 busy_ns=1 doorbells=286 irqs=60 reads=0
[    3.5] loopdma_bench: mode=scale kind=dma size=4194304 depth=4 channels=1 engines=2 \
copies=10 issues=7 ns=3000000 busy_ns=1 doorbells=7 irqs=10 reads=0
[    3.6] loopdma_bench: mode=scale kind=dma size=4194304 depth=4 channels=2 engines=2 \
copies=20 issues=12 ns=4000000 busy_ns=1 doorbells=12 irqs=20 reads=0
[    3.7] loopdma_bench: mode=scale kind=dma size=16777216 depth=4 channels=1 engines=2 \
copies=10 issues=7 ns=8000000 busy_ns=1 doorbells=7 irqs=10 reads=0
[    3.8] loopdma_bench: mode=scale kind=dma size=16777216 depth=4 channels=2 engines=2 \
copies=10 issues=2 ns=8000000 busy_ns=1 doorbells=2 irqs=10 reads=0
"""

# Nanoseconds of the host's memcpy by size: one thread, two threads.
BENCH_HOST = {1 << 20: (30000, 20000), 4 << 20: (200000, 100000), 16 << 20: (900000, 800000)}

BENCH_FIGURES = {
    "copy_1MiB_vs_host_memcpy": 0.75, "copy_1MiB_vs_guest_memcpy": 4,
    "copy_4KiB_qd32_vs_qd1": 4, "doorbells_per_issue": 2, "mmio_reads_per_transfer": 0.25,
    "irqs_per_transfer_4KiB_qd32": 0.05, "irqs_per_transfer_4KiB_qd64": 0.02,
    "cpu_time_1MiB_vs_guest_memcpy": 0.01, "guest_progress_while_copying": 0.875,
    "two_channels_vs_one_1MiB": 2, "two_channels_vs_one_4MiB": 1.5,
    "two_channels_vs_one_16MiB": 1, "host_two_threads_vs_one_1MiB": 1.5,
    "host_two_threads_vs_one_4MiB": 2, "host_two_threads_vs_one_16MiB": 1.125,
    "polled_vs_interrupt_64B": 5,
    "priority_p99_vs_idle_p99": 0.5,
    "open_32_channels_ms": 1.5, "open_32_channels_MiB": 6,
}

BENCH_COSTS = """\
loopdma_bench: mode=cost kind=cost run=0 size=4096 depth=64 channels=1 first=64 prep=6400 \
submit=3200 issue=640 complete=12800
loopdma_bench: mode=cost kind=cost run=0 size=4096 depth=2048 channels=32 first=64 \
prep=204800 submit=102400 issue=40960 complete=409600
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=10 channels=1 first=10 \
prep=100 submit=100 issue=100 complete=700
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=20 channels=1 first=20 \
prep=200 submit=200 issue=200 complete=900
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=50000 channels=1 first=50000 \
prep=1 submit=1 issue=1 complete=999997
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=100000 channels={} first={} \
prep=1 submit=1 issue=1 complete=3999997
"""


# --- figures ------------------------------------------------------------------

def test_figures():
    """The figures of what a guest has measured."""
    assert bench.figures_of(bench.parse(BENCH), BENCH_HOST) == pytest.approx(BENCH_FIGURES)


@pytest.mark.parametrize("text, pattern", [
    (BENCH + BENCH.splitlines()[1], "reported 2 measurements of mode=figures kind=memcpy"),
    (BENCH.replace("poll=1", "poll=0", 1), "reported [02] measurements of mode=latency"),
    (BENCH.replace("ns=10000", "ns=1o000"),
     "what is no measurement: mode=figures kind=memcpy"),
    (BENCH.replace("ns=10000", "ns"), "what is no measurement")],
    ids=["twice", "lacking", "no_number", "no_value"])
def test_figures_wrong(text, pattern):
    """Measurements that are missing, there twice, or none."""
    with pytest.raises(common.Fail, match=pattern):
        bench.figures_of(bench.parse(text), BENCH_HOST)


@pytest.mark.parametrize("channels, first, limits", [
    (1, 100000, []), (2, 65536, ["no more than 65536"])], ids=["one", "limited"])
def test_costs(channels, first, limits):
    """The figures of counted instructions, and what limits them."""
    records = bench.parse(BENCH_COSTS.format(channels, first))
    assert bench.exact_figures_of(records, 0) == {
        "instructions_per_4KiB_copy_qd64": 360, "cost_growth_100k_outstanding": 60 / 50,
        "cost_growth_32_channels": 370 / 360}
    said = bench.limits_of(records)
    assert len(said) == len(limits)
    assert all(one in line for one, line in zip(limits, said))


def test_cost_rows():
    """Costs of several runs, as instructions and as ns."""
    records = bench.parse(BENCH_COSTS.format(1, 100000) + BENCH_COSTS.format(1, 100000)
                          .replace("run=0", "run=1").replace("submit=3200", "submit=3264"))
    wanted = {"size": 4096, "outstanding": 64, "channels": 1, "prep": 100, "submit": 50.5,
              "issue": 10, "complete": 200, "total": 360.5, "min": 360, "max": 361, "runs": 2}
    assert bench.cost_rows(records)[0] == wanted
    clock = bench.parse("loopdma_bench: mode=cost kind=clock cycles=5000 ns=2000\n")
    assert bench.cost_rows(bench.in_ns([*records, *clock]))[0] == wanted | {
        "prep": 40, "submit": 20.2, "issue": 4, "complete": 80, "total": 144.2, "min": 144,
        "max": 144.4}


def test_ratios():
    """Figures compared with those of another commit."""
    def runs(*values):
        return [{"open_32_channels_ms": value, "mmio_reads_per_transfer": 0}
                for value in values]

    now, base = runs(2, 6, 9), runs(1, 2, 9)
    # Run by run: the ratio of the medians would be 3.
    assert bench.ratios(now, base) == {
        "open_32_channels_ms": {"value": 2, "min": 1, "max": 3, "runs": 3},
        "mmio_reads_per_transfer": {"value": 1, "min": 1, "max": 1, "runs": 3}}
    # Something cannot be compared with nothing.
    now[1]["mmio_reads_per_transfer"] = 4
    assert "mmio_reads_per_transfer" not in bench.ratios(now, base)


@pytest.mark.parametrize("name, value, good", [
    ("copy_1MiB_vs_host_memcpy", 0.9, True), ("copy_1MiB_vs_host_memcpy", 0.89, False),
    ("doorbells_per_issue", 1, True), ("doorbells_per_issue", 1.01, False)])
def test_reached(name, value, good):
    """Targets are met or missed."""
    assert bench.reached(name, value) == good


# --- the report ---------------------------------------------------------------

def test_points():
    """What the plots show."""
    runs = [{"cpus": 1, "run": run, "records": bench.parse(text)} for run, text in enumerate(
        (BENCH, BENCH.replace("copies=1000 issues=937 ns=2000000",
                              "copies=1000 issues=937 ns=1000000")))]
    assert bench_report.series(
        runs, bench_report.by("depth", bench_report.operations),
        bench_report.of_mode("figures", size=4096)) == [
            (1, 100000, 100000, 100000), (32, 400000, 400000, 400000),
            (64, 750000, 500000, 1000000)]
    rows = dict(bench_report.latency_rows(runs))
    assert rows["64 B, polled"] == [5, 6, 7]
    assert rows["4 KiB, with load, class 3"] == [20, 100, 500]
    assert len(rows) == 7


def test_table():
    """What stands in a table of the report."""
    text = bench_report.table(["<a>"], [["&"], [1]])
    assert "&lt;a&gt;" in text
    assert "<tr><td>&amp;" in text
    assert "<tr><td>1" in text


def test_bad_gnuplot(programs, monkeypatch):
    """A gnuplot that does not draw."""
    programs.link("sh").write("gnuplot", "echo 'line 0: no terminal' >&2; exit 1\n")
    monkeypatch.setenv("PATH", str(programs.directory))
    with pytest.raises(common.Fail, match="^gnuplot failed: line 0: no terminal$"):
        bench_report.gnuplot("plot x\n")


# --- who has the host's CPUs --------------------------------------------------

def test_threads():
    """Who has the host's CPUs while a guest copies."""
    assert [bench_threads.thread_kind(name) for name in (
        "CPU 0/TCG", "loopdma-1", "loopdma-irq", "qemu-system-x86", "call_rcu")] == [
            "vcpu", "engine", "messenger", "main", "other"]
    first = 10.0, {"1": ("engine", 1.0, 0.5), "2": ("engine", 2.0, 0.5),
                   "3": ("vcpu", 1.0, 0.0)}, 7.0, 1.0
    last = 12.0, {"1": ("engine", 2.0, 0.75), "2": ("engine", 3.5, 0.5),
                  "3": ("vcpu", 1.5, 0.5), "4": ("other", 9.0, 9.0)}, 11.0, 1.5
    found = bench_threads.between(first, last)
    engine = {"run": 1.25, "wait": 0.125}
    assert found == {"threads": {"engine": engine, "vcpu": {"run": 0.25, "wait": 0.25}},
                     "stolen": 0.25, "others": 0.5}
    record = {"mode": "busy", "kind": "threads", "channels": 2, "size": 1 << 20, "spin": 0}
    row, = bench_threads.summaries([{"cpus": 1, "records": [record | found]}])
    assert (row["channels"], row["spin"], row["engine"], row["main"], row["others"]) == (
        2, 0, engine, {"run": 0, "wait": 0}, 0.5)


def test_no_threads():
    """A process that has no guest."""
    # In a process of its own: the guests of other tests are not its children.
    assert call([sys.executable, "-c", "from lib import bench_threads\n"
                 "_, seen, worked, _ = bench_threads.look()\n"
                 "assert not seen and worked > 0, seen"]) == (0, "")


# --- conclusions --------------------------------------------------------------

def report_of(two, host, engine, guest=0.2, others=0.0):
    """A report of nothing but two channels of 1 MiB."""
    def figure(value):
        return {"value": value, "min": value, "max": value, "runs": 5}

    idle = {"run": 0.0, "wait": 0.0}
    return {"figures": {"two_channels_vs_one_1MiB": figure(two),
                        "host_two_threads_vs_one_1MiB": figure(host)},
            "targets": {"two_channels_vs_one_1MiB": ">= 1.6"}, "host_cpus": 2,
            "threads": [{"channels": 2, "size": 1 << 20, "spin": 0,
                         "engine": {"run": engine[0], "wait": engine[1]},
                         "vcpu": {"run": guest, "wait": 0.0}, "messenger": idle,
                         "main": idle, "other": idle, "others": others, "stolen": 0.0}]}


def test_claims():
    """There is a claim for each target."""
    assert set(bench.TARGETS) == set(bench_conclusions.CLAIMS)


@pytest.mark.parametrize("arguments, good, pattern", [
    ((1.7, 1.9, (1.9, 0.05)), True, "engines copied 95 % of the time"),
    ((1.1, 1.2, (1.9, 0.05)), False, "^the host cannot: .* by two threads makes "
     r"1.20 \[1.20..1.20\] of that by one, which is the limit, .* 92 % of that"),
    ((1.3, 1.9, (1.4, 0.4)), False, "waited for a CPU 20 % of the time: the 2 CPUs "
     r"of the host are shared with the guest's CPU \(0.20\); and the engines had "
     "nothing to do 10 %"),
    ((1.3, 1.9, (1.2, 0.1), 0.9), False, "^the engines had nothing to do 35 % of the "
     r"time: the guest's CPU \(0.90 of a CPU"),
    # A host that does not scale is not to blame for what is lost elsewhere.
    ((0.5, 1.5, (0.8, 1.0)), False, "^the engines waited for a CPU 50 %")],
    ids=["good", "host", "shared", "guest", "elsewhere"])
def test_conclusions(arguments, good, pattern):
    """What follows from figures, and why."""
    found, = bench_conclusions.conclusions(report_of(*arguments))
    assert found["holds"] == good
    assert re.search(pattern, found["why"])


def test_warnings():
    """A machine that is not quiet."""
    said, = bench_conclusions.warnings(report_of(1.7, 1.9, (1.9, 0.05), others=0.4))
    assert "not quiet: other programs had up to 0.40" in said
    assert not bench_conclusions.warnings(report_of(1.7, 1.9, (1.9, 0.05)))


def test_blind():
    """With nobody to look at the threads."""
    report = report_of(1.7, 1.9, (1.9, 0.05))
    report["threads"] = []
    for nothing in (report, report_of(1.7, 1.9, (0.0, 0.0))):
        found, = bench_conclusions.conclusions(nothing)
        assert found["why"] == \
            "the host's own memcpy by two threads makes 1.90 [1.90..1.90] of that by one"


# --- arguments ----------------------------------------------------------------

@pytest.mark.parametrize("arguments, pattern, status", [
    (["--runs", "0"], "--runs must be 1 or more", 2),
    (["--quick", "--instructions"], "not allowed with", 2),
    (["--instructions", "--cell", "2.4"], "no stock kernel '2.4'.*choose one of", 1)],
    ids=["runs", "both", "kernel"])
def test_arguments(arguments, pattern, status):
    """A benchmark of what there is not."""
    fails([BENCH_PY, *arguments], pattern, status)


@pytest.mark.parametrize("commit", ["frobnicate", "HEAD:Makefile"])
def test_base_unknown(commit):
    """A comparison with a commit that does not exist."""
    if not (common.ROOT / ".git").exists():
        pytest.skip("this is no checkout of git")
    fails([BENCH_PY, "--instructions", "--base", commit],
          f"there is no commit '{commit}' here: give one")


def test_without_gnuplot(programs):
    """Without the program that draws."""
    fails([sys.executable, BENCH_PY], "gnuplot is missing: run 'scripts/deps.sh bench'",
          env=programs.env())
