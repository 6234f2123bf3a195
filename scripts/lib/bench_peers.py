# SPDX-License-Identifier: GPL-2.0-only
"""Measures loopdma beside the fastest of the DMA engines that QEMU has without it.

That is ZDMA, of the machine xlnx-zcu102, with the driver zynqmp_dma.  A guest with
that and a guest with loopdma are booted in turns, with one CPU and with two.  In both
the kernel's own dmatest, built from the same source, measures a channel with one
transfer in flight; what loopdma makes of a queue is measured by
tests/clients/bench/loopdma_bench.c.  Then the instructions are counted that a copy costs a
CPU, with each provider that a machine of machines.py has, by tests/clients/cost/.  Prints
tables and writes build/reports/bench-peers.json.
What each figure means is in Documentation/performance.rst.  Nothing here decides
whether a test passes.
"""

import dataclasses
import json
import os
import platform
import re
import statistics
import time
from pathlib import Path

from lib import bench, common, guest, kernel, machines, modules
from lib.common import Fail

PROGRAM = common.ROOT / "tests" / "guest" / "peers.c"

PEER = "Xilinx ZDMA, coherent channel (zynqmp_dma on xlnx-zcu102)"

CPUS = (1, 2)
SMALL, PAGE = 64, 4096

# Copies of loopdma in flight; loopdma_bench must report a rate for it.
DEPTH = 64

# How long dmatest runs for a rate, ms, or longer.
WINDOW = 500

# Name of a figure, what it should reach.
OPS = f"ops_4KiB_qd{DEPTH}_vs_best_peer"
OPS_ANY = f"ops_4KiB_qd{DEPTH}_vs_best_peer_of_any"
ROUND_TRIP = "round_trip_64B_vs_best_peer"
TARGETS = {OPS: 5.0, OPS_ANY: 5.0, ROUND_TRIP: 1.0}

# The same copy by the same CPU takes as long each time: more than this between the
# fastest and the slowest, and something else took part of the machine.
QUIET = 1.15

# Host CPUs that others may use meanwhile.  A copy has a CPU for itself as long as there
# is a free one; virtual CPUs that wake each other up need all of theirs at once.
OTHERS = 0.15


# --- guests -------------------------------------------------------------------

@dataclasses.dataclass
class Peer(machines.Guest):
    """A guest of the peer's machine; its only program is its first process."""

    def own_files(self):
        return {}


def guests():
    """A guest of the peer and one of ours, to be given a number of CPUs."""
    common.qemu()
    newest, _ = kernel.source()
    kdir = kernel.kdir(newest)
    files = guest.module_files(modules.build(kdir)[0])
    files["dmatest.ko"] = modules.build_dmatest(kdir, kernel.dmatest(newest))
    files["peers"] = common.program(PROGRAM, "-static")
    measure = f"dma0chan0 {WINDOW}"
    machine = machines.ZCU102
    directory = machine.kernel_directory()
    peer = Peer(kernel=machine.kernel_image(directory), machine=machine,
                name="bench-peers-peer", job="", append=f"oops=panic -- {measure}",
                prealloc=True, files={
                    "init": common.program(PROGRAM, "-static", compiler=machine.compiler)})
    ours = guest.Guest(
        kernel=kernel.image(newest), name="bench-peers-ours", files=files,
        # As is the peer, for which there is no other way.
        emulated=True, prealloc=True, iommu="off",
        # As for bench.py, and without XOR and PQ, for which dmatest would start
        # threads that run beside the one that copies.
        device="engines=1,x-caps-mask=0x60",
        job=f"set -e\ninsmod /loopdma.ko\ninsmod /dmatest.ko\n/peers {measure}\n"
            "rmmod dmatest\n" + bench.load("figures", engines=1))
    return newest, peer, ours


# --- figures ------------------------------------------------------------------

def parse(lines):
    """What peers.c printed: {"memcpy": ns of a copy, size: transfers per second}."""
    found = {}
    for line in lines:
        if match := re.fullmatch(r"memcpy size=\d+ ns=([\d.]+)", line):
            found["memcpy"] = float(match[1])
        elif match := re.fullmatch(r"dmatest size=(\d+) tests=\d+ rate=([\d.]+)", line):
            found[int(match[1])] = float(match[2])
    lacking = [str(key) for key in ("memcpy", SMALL, PAGE) if not found.get(key)]
    if lacking:
        raise Fail(f"a guest did not report {', '.join(lacking)}; "
                   "see build/logs/bench-peers-*.out")
    return found


def deep_rate(log):
    """Copies of PAGE bytes per second at depth DEPTH, of loopdma_bench's report."""
    fields = bench.pick(bench.parse(log), kind="dma", size=PAGE, depth=DEPTH)
    return fields["copies"] * 1e9 / fields["ns"]


def figures_of(run):
    """The figures of one repetition; above 1 loopdma is the faster."""
    figures = {}
    for cpus, both in run.items():
        peer, ours = both["peer"], both["ours"]
        figures |= {
            f"{OPS}_{cpus}cpu": ours["deep"] / peer[PAGE],
            # A second CPU makes dmatest slower, which waits for a thread to be woken
            # on the other one.  The peer by itself need not be.
            f"{OPS_ANY}_{cpus}cpu":
                ours["deep"] / max(other["peer"][PAGE] for other in run.values()),
            # Times of one round trip, the peer's by ours, so rates the other way.
            f"{ROUND_TRIP}_{cpus}cpu": ours[SMALL] / peer[SMALL],
        }
    return figures


def control(runs, who):
    """What tells whether the machine was disturbed, the worst of all repetitions."""
    times = [run[who]["memcpy"] for run in runs]
    return {"memcpy": round(max(times) / min(times), 3),
            "others": round(max(run[who]["others"] for run in runs), 3)}


def quiet(values):
    return values["memcpy"] <= QUIET and values["others"] <= OTHERS


# --- measuring ----------------------------------------------------------------

def cpu_seconds():
    """CPU time of the host, all of it, and what of that was ours; of ended children."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy, sum(os.times()[:4])


def boot(which, cpus):
    """A guest's outcome, and how many CPUs of the host others used meanwhile."""
    start, before = time.monotonic(), cpu_seconds()
    outcome = guest.run(dataclasses.replace(which, smp=cpus))
    if not outcome.ok:
        raise Fail(outcome.told)
    busy, own = (now - then for now, then in zip(cpu_seconds(), before))
    # Counted in ticks, so they may seem to have used less than nothing.
    return outcome, max(0.0, busy - own) / (time.monotonic() - start)


def measure(peer, ours, count):
    """Repetitions, the guests in turns so that what changes on the host hits all.

    A list of {number of CPUs: {"peer" and "ours": what was reported}}.
    """
    runs = []
    for number in range(count):
        run = {}
        for cpus in CPUS:
            what = f"repetition {number + 1} of {count}, {cpus} CPU{'s' * (cpus > 1)}"
            with common.step(f"{what}, peer"):
                outcome, others = boot(peer, cpus)
                run[cpus] = {"peer": parse(outcome.lines) | {"others": others}}
            with common.step(f"{what}, loopdma"):
                outcome, others = boot(ours, cpus)
                run[cpus]["ours"] = parse(outcome.lines) | {
                    "others": others, "deep": deep_rate(outcome.log)}
        runs.append(run)
    return runs


def rows(runs):
    """Absolute figures of a number of CPUs: {title: a value for each repetition}."""
    return {
        "round trip of 64 B, us: peer": [1e6 / run["peer"][SMALL] for run in runs],
        "round trip of 64 B, us: loopdma": [1e6 / run["ours"][SMALL] for run in runs],
        "4 KiB, thousand/s: peer": [run["peer"][PAGE] / 1e3 for run in runs],
        "4 KiB, thousand/s: loopdma, depth 1": [run["ours"][PAGE] / 1e3 for run in runs],
        f"4 KiB, thousand/s: loopdma, depth {DEPTH}":
            [run["ours"]["deep"] / 1e3 for run in runs],
    }


def report_of(measured):
    """The report of a list of repetitions."""
    each = [figures_of(run) for run in measured]
    figures = {name: bench.summary([run[name] for run in each]) for name in each[0]}
    rates, controls = {}, {}
    for cpus in measured[0]:
        runs = [run[cpus] for run in measured]
        rates[f"{cpus}cpu"] = {title: bench.summary(values)
                               for title, values in rows(runs).items()}
        controls[f"{cpus}cpu"] = {who: control(runs, who) for who in ("peer", "ours")}
    return {"figures": figures, "rates": rates, "control": controls}


def table(report):
    for cpus in report["rates"]:
        print(f"\n{cpus.removesuffix('cpu')} guest CPU(s)"
              f"{'':32} {'median':>9} {'min':>9} {'max':>9}   target")
        lines = [(title, values, "") for title, values in report["rates"][cpus].items()]
        for name, bound in TARGETS.items():
            values = report["figures"][f"{name}_{cpus}"]
            missed = "" if values["value"] >= bound else "  (not reached)"
            lines.append((name, values, f"   >= {bound:g}{missed}"))
        for title, values, note in lines:
            print(f"  {title:44} {values['value']:9.3f} {values['min']:9.3f} "
                  f"{values['max']:9.3f}{note}")
        for who, values in report["control"][cpus].items():
            print(f"  control, {who}: memcpy of 64 KiB max/min {values['memcpy']:.2f}, "
                  f"others used up to {values['others']:.2f} CPUs: "
                  f"{'quiet' if quiet(values) else 'DISTURBED, do not quote this run'}")


# --- instructions -------------------------------------------------------------

COST = "dmaengine_cost"


def cost_of(outcome, depth):
    """Instructions for each copy that a guest reports, the median of its rounds."""
    found = [int(ns) for ns in re.findall(
        rf"{COST}: provider=\S+ depth={depth} size={PAGE} ns=(\d+)", outcome.log)]
    if not found:
        raise Fail(f"no instructions were counted: {outcome.told or 'nothing was reported'}")
    # The first ones translate.
    return round(statistics.median(found[len(found) // 2:]) / depth, 1)


def cost_job(provider):
    return "".join(f"insmod /{COST}.ko provider={provider} depth={depth} || exit\nrmmod {COST}\n"
                   for depth in (1, DEPTH))


# 1 ns each; idle time is skipped.
ICOUNT = "shift=0,sleep=off"


def cost_guest(machine):
    """A guest of a machine that counts what its provider costs."""
    directory = machine.kernel_directory()
    clients = common.ROOT / "tests" / "clients"
    place, _ = modules.build(directory, f"-{machine.name}-cost", machine.make, wanted={
        Path("cost/Makefile"): f"obj-m := {COST}.o\n".encode(),
        Path(f"cost/{COST}.c"): (clients / "cost" / f"{COST}.c").read_bytes(),
        Path("lib/client.h"): (clients / "lib" / "client.h").read_bytes(),
        Path("Makefile"): b"obj-m := cost/\n"})
    return machines.Guest(
        kernel=machine.kernel_image(directory), machine=machine, mem=machine.mem, smp=1,
        name=f"bench-cost-{machine.name}", files={f"{COST}.ko": place / f"{COST}.ko"},
        job=cost_job(machine.provider), icount=ICOUNT)


def our_cost_guest():
    newest, _ = kernel.source()
    files = guest.module_files(modules.build(kernel.kdir(newest))[0])
    return guest.Guest(
        kernel=kernel.image(newest), name="bench-cost-loopdma", smp=1, iommu="off",
        files={name: files[name] for name in ("loopdma.ko", f"{COST}.ko")}, icount=ICOUNT,
        device="sync=on", job="insmod /loopdma.ko\n" + cost_job("loopdma"))


def instructions():
    """{provider: {depth: instructions}} of a copy, from prep to callback."""
    guests = {"loopdma": our_cost_guest} | {
        machine.provider: lambda machine=machine: cost_guest(machine)
        for machine in machines.MACHINES.values()}
    found = {}
    for provider, make in guests.items():
        with common.step(f"counting the instructions of {provider}"):
            try:
                outcome = guest.run(make())
                found[provider] = {depth: cost_of(outcome, depth) for depth in (1, DEPTH)}
            except Fail as e:
                # A provider may not do what the others do; that is no figure.
                common.say(f"  {provider}: {e}")
    return found


def instructions_table(found):
    print(f"\ninstructions of a copy of 4 KiB{'':14} {'depth 1':>9} {f'depth {DEPTH}':>9}")
    for provider, costs in found.items():
        print(f"  {provider:44} {costs[1]:9.1f} {costs[DEPTH]:9.1f}")


def version(program):
    return common.run([program, "--version"]).splitlines()[0]


def run(runs):
    """Measures both in turns, so many times for each number of CPUs."""
    machines.ZCU102.check_tools()
    newest, peer, ours = guests()
    measured = measure(peer, ours, runs)
    report = report_of(measured) | {
        "raw": measured,
        "instructions": instructions(),
        "peer": PEER,
        "qemu": {"peer": version(machines.ZCU102.qemu), "ours": version(common.qemu())},
        "kernel": newest.version,
        "accelerator": "tcg",
        "host": platform.release(),
    }
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(common.REPORTS / "bench-peers.json",
                            json.dumps(report, indent=1) + "\n")
    print(f"peer: {PEER}\n      {report['qemu']['peer']}\n"
          f"ours: {report['qemu']['ours']}\nkernel of both: {newest.version}")
    table(report)
    instructions_table(report["instructions"])
    common.say("written: build/reports/bench-peers.json")
