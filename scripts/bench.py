#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures the device and the driver, in ratios, and writes them down.

Boots the stock kernel with one CPU and no IOMMU, all guest memory touched
beforehand, and lets tests/bench/loopdma_bench.c measure copies on one channel;
measures the host's own memcpy() before and after.  Prints a table and writes
build/reports/bench.json.  What each figure means is in
Documentation/performance.rst.  Nothing here decides whether a test passes.
"""

import argparse
import json
import platform
import re
import statistics

import common
import guest
import kernel
import modules
from common import Fail

KIB, MIB = 1 << 10, 1 << 20

# Name of a figure, how to print it, what it should reach.
TARGETS = {
    "copy_1MiB_vs_host_memcpy": (">=", 0.5),
    "copy_1MiB_vs_guest_memcpy": (">=", 2.0),
    "copy_4KiB_qd32_vs_qd1": (">=", 2.0),
    "doorbells_per_issue": ("<=", 1.0),
    "mmio_reads_per_transfer": ("<=", 0.0),
    "irqs_per_transfer_4KiB_qd32": ("<=", 0.25),
    "cpu_time_1MiB_vs_guest_memcpy": ("<=", 0.05),
    "guest_progress_while_copying": (">=", 0.8),
}


def build_host_memcpy():
    source = common.ROOT / "tests" / "bench" / "hostmemcpy.c"
    program = common.BUILD / "bench" / "hostmemcpy"
    program.parent.mkdir(parents=True, exist_ok=True)
    common.run(["cc", "-O2", "-Wall", "-o", program, source],
               what="compiler")
    return program


def host_memcpy(program, size):
    """Nanoseconds of one copy on the host."""
    return float(common.run([program, size, 100]))


def parse(log, runs):
    """The module's reports: {run: {(kind, size, depth): fields}}."""
    found = {}
    for line in log.splitlines():
        match = re.search(r"loopdma_bench: (run=.*)", line)
        if not match:
            continue
        fields = dict(word.split("=", 1) for word in match[1].split())
        kind = fields.pop("kind")
        numbers = {name: int(value) for name, value in fields.items()}
        key = (kind, numbers.get("size"), numbers.get("depth"))
        found.setdefault(numbers.pop("run"), {})[key] = numbers
    if sorted(found) != list(range(runs)):
        raise Fail("the guest reported runs "
                   f"{sorted(found)} instead of 0 to {runs - 1}; "
                   "see build/logs/bench.log")
    return [found[run] for run in range(runs)]


def priorities(log):
    """Latency of a copy of 4 KiB: {what else there is: (p50, p99) in ns}."""
    what = {("0", "0"): "alone", ("1", "0"): "beside a load of its class",
            ("1", "3"): "beside a load of a lower class"}
    found = {what[load, class_]: (int(p50), int(p99)) for load, class_, p50, p99 in
             re.findall(r"kind=priority load=(\d) class=(\d) p50_ns=(\d+) p99_ns=(\d+)", log)}
    if len(found) != len(what):
        raise Fail("the guest did not report all of the latencies; see build/logs/bench.log")
    return found


def figures_of(run, host_ns):
    """The figures of one run; host_ns is the host's time for 1 MiB."""
    big = run["dma", MIB, 8]
    deep = run["dma", 4 * KIB, 32]
    single = run["dma", 4 * KIB, 1]
    # The guest's own copy is judged where it is fastest: at 1 MiB an emulated
    # CPU spends its time elsewhere, and a ratio to that would flatter.
    guest_mib_ns = run["memcpy", 64 * KIB, None]["ns"] * (MIB // (64 * KIB))

    def per(fields, name):
        return fields[name] / fields["copies"]

    return {
        "copy_1MiB_vs_host_memcpy": host_ns / per(big, "ns"),
        "copy_1MiB_vs_guest_memcpy": guest_mib_ns / per(big, "ns"),
        "copy_4KiB_qd32_vs_qd1": per(single, "ns") / per(deep, "ns"),
        "doorbells_per_issue": deep["doorbells"] / deep["issues"],
        "mmio_reads_per_transfer":
            max(per(fields, "reads") for fields in (big, deep, single)),
        "irqs_per_transfer_4KiB_qd32": per(deep, "irqs"),
        "cpu_time_1MiB_vs_guest_memcpy": per(big, "busy_ns") / guest_mib_ns,
        "guest_progress_while_copying":
            run["progress", None, None]["permille"] / 1000,
    }


def measure(cell, runs):
    program = build_host_memcpy()
    image, kdir = kernel.image(cell), kernel.kdir(cell)
    built = guest.module_files(modules.build(kdir)[0])
    half = (runs + 1) // 2

    with common.step("host memcpy, before"):
        host = [host_memcpy(program, MIB) for _ in range(half)]
    with common.step(f"guest, {runs} runs"):
        outcome = guest.run(guest.Guest(
            kernel=image, name="bench", files=built, smp=1, prealloc=True,
            # One channel keeps one engine busy; what a second one spends on
            # looking for work it would take from the guest's CPU.
            iommu="off", device="engines=1",
            job="insmod /loopdma.ko && "
                f"insmod /loopdma_bench.ko mode=figures runs={runs} && "
                "rmmod loopdma_bench && insmod /loopdma_bench.ko mode=priority"))
    if not outcome.ok:
        raise Fail(outcome.reason)
    with common.step("host memcpy, after"):
        host += [host_memcpy(program, MIB) for _ in range(runs - half)]
    return parse(outcome.log, runs), priorities(outcome.log), host


def summary(values):
    return {"value": round(statistics.median(values), 4),
            "min": round(min(values), 4), "max": round(max(values), 4),
            "runs": len(values)}


def table(figures, raw):
    print(f"{'figure':34} {'median':>9} {'min':>9} {'max':>9}   target")
    for name, figure in figures.items():
        sign, bound = TARGETS[name]
        value = figure["value"]
        reached = value >= bound if sign == ">=" else value <= bound
        print(f"{name:34} {figure['value']:9.3f} {figure['min']:9.3f} "
              f"{figure['max']:9.3f}   {sign} {bound:g}"
              f"{'' if reached else '  (not reached)'}")
    print("\nmedians: " + ", ".join(f"{name} {value:,.0f}"
                                    for name, value in raw.items()))


def rates(runs, host):
    """Absolute medians: this machine, this day, for orientation."""
    def median(function):
        return statistics.median(function(run) for run in runs)

    return {
        "host memcpy 1 MiB MB/s": MIB * 1000 / statistics.median(host),
        "guest memcpy 64 KiB MB/s":
            median(lambda r: 64 * KIB * 1000 / r["memcpy", 64 * KIB, None]["ns"]),
        "guest memcpy 1 MiB MB/s":
            median(lambda r: MIB * 1000 / r["memcpy", MIB, None]["ns"]),
        "DMA 1 MiB MB/s": median(
            lambda r: MIB * 1000 * r["dma", MIB, 8]["copies"] /
            r["dma", MIB, 8]["ns"]),
        "DMA 4 KiB depth 32 copies/s": median(
            lambda r: r["dma", 4 * KIB, 32]["copies"] * 1e9 /
            r["dma", 4 * KIB, 32]["ns"]),
        "DMA 4 KiB depth 1 copies/s": median(
            lambda r: r["dma", 4 * KIB, 1]["copies"] * 1e9 /
            r["dma", 4 * KIB, 1]["ns"]),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", metavar="NAME",
                        help="stock kernel, as listed by kernel.py list "
                        "(default: the release's own)")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error("--runs must be 1 or more")

    cell = kernel.cell(args.cell) if args.cell else kernel.cells()[0]
    runs, latencies, host = measure(cell, args.runs)
    host_ns = statistics.median(host)
    each = [figures_of(run, host_ns) for run in runs]
    figures = {name: summary([run[name] for run in each]) for name in TARGETS}
    raw = rates(runs, host)
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    report = {
        "figures": figures,
        "rates": {name: round(value) for name, value in raw.items()},
        "raw": [{" ".join(str(part) for part in key if part is not None): fields
                 for key, fields in run.items()} for run in runs],
        "latency_4KiB_ns": {what: {"p50": p50, "p99": p99}
                            for what, (p50, p99) in latencies.items()},
        "host_memcpy_1MiB_ns": host,
        "accelerator": guest.accelerator(),
        "host": platform.release(),
    }
    common.write_atomically(common.REPORTS / "bench.json",
                            json.dumps(report, indent=1) + "\n")
    table(figures, raw)
    print("\ncopy of 4 KiB, us:" + "".join(
        f"\n  {what:32} median {p50 / 1000:8.1f}   p99 {p99 / 1000:8.1f}"
        for what, (p50, p99) in latencies.items()))
    common.say("written: build/reports/bench.json")
    return 0


if __name__ == "__main__":
    common.main(main)
