# SPDX-License-Identifier: GPL-2.0-only
"""Measures the device and the driver, mostly in ratios, and writes them down.

Boots the stock kernel without an IOMMU, all guest memory touched beforehand,
with one CPU and with two, again for each run, and lets
tests/clients/bench/loopdma_bench.c measure; measures the host's own memcpy() in each
run, too, and looks who has the host's CPUs meanwhile.  Then counts the guest's
instructions, in a guest of its own.  Prints the figures and what follows from
them, and writes build/reports/bench.json and build/reports/bench.html.  What
each figure means is in Documentation/performance.rst.  Nothing here decides
whether a test passes.
"""

import dataclasses
import json
import platform
import re
import statistics
from pathlib import Path

from lib import (bench_conclusions, bench_report, bench_threads, common, guest, kernel, modules,
                 user)
from lib.common import Fail

KIB, MIB = 1 << 10, 1 << 20

# Name of a figure, what it should reach.
TARGETS = {
    "copy_1MiB_vs_host_memcpy": (">=", 0.9),
    "copy_1MiB_vs_guest_memcpy": (">=", 2.0),
    "copy_4KiB_qd32_vs_qd1": (">=", 2.0),
    "doorbells_per_issue": ("<=", 1.0),
    "mmio_reads_per_transfer": ("<=", 0.0),
    "irqs_per_transfer_4KiB_qd32": ("<=", 0.25),
    "irqs_per_transfer_4KiB_qd64": ("<=", 1 / 16),
    "cpu_time_1MiB_vs_guest_memcpy": ("<=", 0.01),
    "guest_progress_while_copying": (">=", 0.95),
    "two_channels_vs_one_1MiB": (">=", 1.6),
    "two_channels_vs_one_4MiB": (">=", 1.8),
    "two_channels_vs_one_16MiB": (">=", 1.8),
    "polled_vs_interrupt_64B": (">=", 1.5),
    "priority_p99_vs_idle_p99": ("<=", 3.0),
    "open_32_channels_ms": ("<=", 100.0),
    "open_32_channels_MiB": ("<=", 8.0),
    "instructions_per_4KiB_copy_qd64": ("<=", 1500.0),
    "cost_growth_100k_outstanding": ("<=", 1.1),
    "cost_growth_32_channels": ("<=", 1.1),
    "user_1MiB_vs_kernel": (">=", 0.9),
    "user_io_uring_4KiB_vs_kernel": (">=", 0.6),
    "user_io_uring_calls_per_copy": ("<=", 1 / 32),
}

# The host's own memcpy() by two threads against one: the limit of what two engines can
# make of it.  Nothing is to be reached, it is what this machine can do.
SCALED = {"1MiB": MIB, "4MiB": 4 * MIB, "16MiB": 16 * MIB}
HOST_LIMITS = [f"host_two_threads_vs_one_{name}" for name in SCALED]
FIGURES = [*TARGETS, *HOST_LIMITS]

# What goes on while it is looked who has the host's CPUs: channels, bytes, and does the
# guest's CPU count beside it?
LOADS = [(1, MIB, 0), (1, MIB, 1), *((2, size, 0) for size in SCALED.values())]

# Outstanding copies in pairs: what one more costs is the difference.
FEW, MANY = (10, 20), (50000, 100000)

# What a batch of copies costs the guest's CPU: until they are submitted, and from
# their interrupt on.
PHASES = ("prep", "submit", "issue", "complete")

# One device for each number of engines.  An engine that has nothing to do sleeps,
# so a device that is not measured takes nothing from the one that is.
CHANNELS, ENGINES = 32, (1, 2, 3, 4)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured."""
    runs: int
    window_ms: int
    samples: int
    windows: int = 3        # for what figures are made from
    engines: tuple = ENGINES
    look_ms: int = 500      # at who has the host's CPUs


FULL = Plan(runs=5, window_ms=60, samples=10000)
# A look at whether anything has changed much.
QUICK = Plan(runs=2, window_ms=20, samples=1000, windows=1, engines=(1, 2), look_ms=200)


@dataclasses.dataclass(frozen=True)
class Side:
    """What is measured: a device, and the modules for its guest."""
    name: str
    commit: str
    qemu: Path
    files: dict


# --- what the module reports --------------------------------------------------

def parse(log):
    """The measurements in a kernel log: a dictionary for each."""
    found = []
    for line in log.splitlines():
        match = re.search(r"loopdma_bench: (mode=.*)", line)
        if not match:
            continue
        try:
            fields = dict(word.split("=", 1) for word in match[1].split())
            found.append({name: value if name in ("mode", "kind") else int(value)
                          for name, value in fields.items()})
        except ValueError:
            raise Fail(f"the guest reported what is no measurement: {match[1]}") from None
    return found


def pick(records, **wanted):
    """The one measurement that has these fields."""
    found = [record for record in records
             if all(record.get(name) == value for name, value in wanted.items())]
    if len(found) != 1:
        what = " ".join(f"{name}={value}" for name, value in wanted.items())
        raise Fail(f"the guest reported {len(found)} measurements of {what}; "
                   "see build/logs/bench.log")
    return found[0]


def each(fields, name):
    """Of a stream: so many for each copy."""
    return fields[name] / fields["copies"]


def total(cost):
    """Of a batch: what it cost the CPU, all in all."""
    return sum(cost[phase] for phase in PHASES)


def slope(records, pair, run):
    """What one more copy costs while there are so many."""
    few, many = (pick(records, mode="outstanding", kind="cost", run=run, depth=depth)
                 for depth in pair)
    return (total(many) - total(few)) / (many["depth"] - few["depth"])


# --- figures ------------------------------------------------------------------

def figures_of(records, host):
    """The figures of one run in a guest.

    `host` has by size the ns of the host's memcpy by one thread, and by two.
    """
    def dma(size, depth):
        return pick(records, mode="figures", kind="dma", size=size, depth=depth)

    def scaled(size):
        one, two = (each(pick(records, mode="scale", kind="dma", size=size,
                              channels=channels), "ns") for channels in (1, 2))
        return one / two

    def latency(mode, **wanted):
        return pick(records, mode=mode, kind="latency", **wanted)

    big, deep, deeper, single = (dma(MIB, 8), dma(4 * KIB, 32), dma(4 * KIB, 64),
                                 dma(4 * KIB, 1))
    # The guest's own copy is judged where it is fastest: at 1 MiB an emulated
    # CPU spends its time elsewhere, and a ratio to that would flatter.
    guest_mib_ns = pick(records, mode="figures", kind="memcpy",
                        size=64 * KIB)["ns"] * (MIB // (64 * KIB))
    opened = pick(records, mode="open", kind="open")
    return {
        **user_figures(records, big, deeper),
        "copy_1MiB_vs_host_memcpy": host[MIB][0] / each(big, "ns"),
        "copy_1MiB_vs_guest_memcpy": guest_mib_ns / each(big, "ns"),
        "copy_4KiB_qd32_vs_qd1": each(single, "ns") / each(deep, "ns"),
        "doorbells_per_issue": max(fields["doorbells"] / fields["issues"]
                                   for fields in (big, deep, deeper, single)),
        "mmio_reads_per_transfer": max(each(fields, "reads")
                                       for fields in (big, deep, deeper, single)),
        "irqs_per_transfer_4KiB_qd32": each(deep, "irqs"),
        "irqs_per_transfer_4KiB_qd64": each(deeper, "irqs"),
        "cpu_time_1MiB_vs_guest_memcpy": each(big, "busy_ns") / guest_mib_ns,
        "guest_progress_while_copying":
            pick(records, mode="figures", kind="progress")["permille"] / 1000,
        **{f"two_channels_vs_one_{name}": scaled(size) for name, size in SCALED.items()},
        "polled_vs_interrupt_64B": each(latency("latency", size=64, poll=0), "ns") /
            each(latency("latency", size=64, poll=1), "ns"),
        "priority_p99_vs_idle_p99":
            latency("priority", size=64 * KIB, load=1, **{"class": 3})["p99_ns"] /
            latency("priority", size=64 * KIB, load=0)["p99_ns"],
        "open_32_channels_ms": opened["ns"] / 1e6,
        "open_32_channels_MiB": opened["bytes"] / MIB,
        **{f"host_two_threads_vs_one_{name}": host[size][0] / host[size][1]
           for name, size in SCALED.items()},
    }


def user_figures(records, big, deeper):
    """Of user programs, beside the kernel's client; none of a commit without dmaengine_user."""
    if not any(record.get("mode") == "user" for record in records):
        return {}
    ring, uring = (pick(records, mode="user", kind=kind) for kind in ("ring", "io_uring"))
    return {
        "user_1MiB_vs_kernel": each(big, "ns") / each(ring, "ns"),
        "user_io_uring_4KiB_vs_kernel": each(deeper, "ns") / each(uring, "ns"),
        "user_io_uring_calls_per_copy": each(uring, "calls"),
    }


def exact_figures_of(records, run):
    """The figures of one repetition in the guest that counts instructions."""
    def cost(channels):
        found = pick(records, mode="cost", kind="cost", run=run, size=4 * KIB,
                     depth=64 * channels, channels=channels)
        return total(found) / found["depth"]

    return {
        "instructions_per_4KiB_copy_qd64": cost(1),
        "cost_growth_100k_outstanding":
            slope(records, MANY, run) / slope(records, FEW, run),
        "cost_growth_32_channels": cost(CHANNELS) / cost(1),
    }


def limits_of(records):
    """Why something could not be measured as it is defined, in a sentence each."""
    found = pick(records, mode="outstanding", kind="cost", run=0, depth=MANY[1])
    if found["channels"] == 1:
        return []
    return [f"cost_growth_100k_outstanding: {found['depth']} copies took "
            f"{found['channels']} channels, because one has no more than "
            f"{found['first']} (loopdma.ring_size, here 65536, is also the size of "
            "a channel's pool)"]


def summary(values):
    return {"value": round(statistics.median(values), 4),
            "min": round(min(values), 4), "max": round(max(values), 4),
            "runs": len(values)}


def summaries(runs):
    """One summary for each figure, of those of all runs."""
    return {name: summary([run[name] for run in runs]) for name in FIGURES
            if name in runs[0]}


def ratio(now, base):
    """How many times the base a value is; None if that says nothing."""
    if now == base:
        return 1.0
    return now / base if base else None


def ratios(runs, base_runs):
    """Summaries of figure / the base's, run by run, as they were measured in turn."""
    found = {}
    for name in (name for name in TARGETS if name in runs[0] and name in base_runs[0]):
        values = [ratio(now[name], base[name]) for now, base in zip(runs, base_runs)]
        if None not in values:
            found[name] = summary(values)
    return found


def reached(name, value):
    if name not in TARGETS:
        return True
    sign, bound = TARGETS[name]
    return value >= bound if sign == ">=" else value <= bound


def in_ns(records):
    """What was measured by the cycle counter, in nanoseconds."""
    clock = pick(records, mode="cost", kind="clock")
    return [{**record, **{phase: record[phase] * clock["ns"] / clock["cycles"]
                          for phase in PHASES}}
            for record in records if record["kind"] == "cost"]


def cost_rows(records):
    """Cost of each copy: median by phase, and the range of the whole."""
    found = {}
    for record in records:
        if record["kind"] == "cost":
            key = record["size"], record["depth"], record["channels"]
            found.setdefault(key, []).append(record)
    rows = []
    for (size, depth, channels), costs in found.items():
        wholes = [total(cost) / depth for cost in costs]
        rows.append({"size": size, "outstanding": depth, "channels": channels,
                     **{phase: round(statistics.median(
                         cost[phase] for cost in costs) / depth, 2)
                        for phase in PHASES},
                     "total": round(statistics.median(wholes), 2),
                     "min": round(min(wholes), 2), "max": round(max(wholes), 2),
                     "runs": len(wholes)})
    return rows


# --- running ------------------------------------------------------------------

def host_memcpy(program, plan):
    """Nanoseconds of one copy on the host, by one thread and by two, by size."""
    return {4 ** n * 64: tuple(map(float, common.run(
        [program, 4 ** n * 64, 2 * plan.window_ms]).split())) for n in range(10)}


def load(mode, **parameters):
    words = [f"{name}={value}" for name, value in parameters.items()]
    return f"insmod /loopdma_bench.ko mode={mode} {' '.join(words)}\nrmmod loopdma_bench\n"


def watched(plan, channels, size, spin):
    """Copies that go on while it is looked who has the host's CPUs."""
    return (f"insmod /loopdma_bench.ko mode=busy engines={channels} "
            f"busy_channels={channels} busy_bytes={size} busy_spin={spin}\n"
            # Not what it takes to begin.
            f"sleep 0.1\necho %% look {channels} {size} {spin}\n"
            f"sleep {plan.look_ms / 1000}\necho %% look\nrmmod loopdma_bench\n")


def by_user(plan):
    """Copies by a program.  Its first device is the one with an engine, as that of "figures"."""
    return ("if [ -e /dmaengine_user.ko ]; then\ninsmod /dmaengine_user.ko\n"
            # With as little memory as a guest has, the kernel gives none by itself.
            "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled\n"
            "echo dma0chan0 >/sys/class/dmaengine_user/offer\n"
            f"/user-bench dma0chan0 {plan.window_ms} {plan.windows} >/dev/kmsg\n"
            "rmmod dmaengine_user\nfi\n")


def restart(ring_size):
    return f"rmmod loopdma\ninsmod /loopdma.ko ring_size={ring_size}\n"


def job(plan, cpus):
    """What a guest does in a run."""
    what = {"window_ms": plan.window_ms, "samples": plan.samples}
    text = "set -e\ninsmod /loopdma.ko\n"
    text += load("figures", engines=1, windows=plan.windows, **what)
    text += by_user(plan)
    for mode in ("sizes", "latency", "priority", "open"):
        text += load(mode, engines=1, **what)
    for engines in plan.engines:
        text += load("channels", engines=engines, windows=plan.windows, **what)
    text += load("scale", engines=2, windows=plan.windows, **what)
    # With another CPU, which handles an interrupt is not the module's to say.
    if cpus == 1:
        text += "".join(watched(plan, *busy) for busy in LOADS)
        text += load("cost", engines=1)
    text += restart(2048) + load("depths", engines=1, **what)
    if cpus == 1:
        text += restart(65536) + load("outstanding", engines=1)
    return text


def exact_job(plan):
    return ("set -e\ninsmod /loopdma.ko\n" + load("cost", runs=plan.runs, exact=1) +
            restart(65536) + load("outstanding", runs=plan.runs, exact=1))


def run_guest(side, machine):
    watch = bench_threads.Watch()
    outcome = guest.run(machine, on_line=watch.on_line)
    # BusyBox's insmod tries another system call when one has failed, and says only
    # that the last did.
    said = re.findall(r"loopdma_bench: (\w+ failed: .*)", outcome.log)[:1]
    if said or not outcome.ok:
        raise Fail(f"{side.name} ({side.commit}): " +
                   ", ".join([*said, *filter(None, [outcome.told])]))
    return parse(outcome.log) + watch.records


def measure(cell, side, plan, cpus):
    """One run in a guest."""
    first, *more = (f"engines={n},channels={CHANNELS if n == 1 else 16}"
                    for n in ENGINES)
    return run_guest(side, guest.Guest(
        kernel=kernel.image(cell), name="bench", smp=cpus,
        files=side.files | {"user-bench": user.bench()},
        qemu=side.qemu, prealloc=True, iommu="off", device=first,
        more_devices=tuple(more), job=job(plan, cpus)))


def measure_exactly(cell, side, plan):
    """The instructions of a guest.  Without engines nothing depends on the host."""
    return run_guest(side, guest.Guest(
        kernel=kernel.image(cell), name="bench-instructions", files=side.files, smp=1,
        # 1 ns each.  Idle time is skipped: it would be as long as a real guest's.
        qemu=side.qemu, icount="shift=0,sleep=off", iommu="off",
        device=f"channels={CHANNELS},sync=on", job=exact_job(plan)))


def git(*words):
    return common.run(["git", *words], cwd=common.ROOT).strip()


def head():
    """The commit that is checked out; of an archive, nobody knows."""
    try:
        changed = " and changes" if git("status", "--porcelain", "-uno") else ""
        return git("rev-parse", "--short=12", "HEAD") + changed
    except Fail:
        return "unknown"


def resolve(base):
    """The full name of a commit."""
    git("rev-parse", "--git-dir")
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options",
                   f"{base}^{{commit}}")
    except Fail:
        raise Fail(f"there is no commit '{base}' here: give one that git log "
                   "shows") from None


def checkout(commit):
    """A tree with another commit, below build/."""
    tree = common.BUILD / "base" / commit[:12]
    if not (tree / ".git").exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        # --force: 'make clean' takes a tree away without telling git.
        git("worktree", "add", "--force", "--force", "--detach", str(tree), commit)
    return tree


def this_side(kdir):
    return Side("this", head(), common.qemu(),
                guest.module_files(modules.build(kdir)[0]))


def base_side(kdir, commit):
    """Driver and device of another commit, with the clients from here."""
    tree = checkout(commit)
    common.say(f"base: {common.relative(tree)}")
    qemu = common.build_qemu(tree)
    wanted = modules.sources() | {
        name: (tree / name).read_bytes()
        for name in modules.source_files(tree, ("include", "drivers"))}
    try:
        built = modules.build(kdir, "-base", wanted=wanted)[0]
    except Fail as e:
        raise Fail(f"what measures is of today, and may not fit the driver of "
                   f"{commit[:12]}: {e}") from None
    return Side("base", commit[:12], Path(qemu), guest.module_files(built))


def measure_all(cell, sides, plan):
    """Everything: records by side, CPUs and run; and the host's memcpy by run."""
    program = common.program(common.ROOT / "tests" / "clients" / "bench" / "hostmemcpy.c", "-pthread")
    found = {(side.name, cpus): [] for side in sides for cpus in (1, 2)}
    host = []
    for run in range(plan.runs):
        with common.step(f"run {run + 1} of {plan.runs}: host"):
            host.append(host_memcpy(program, plan))
        for cpus in (1, 2):
            for side in sides:
                what = f"guest with {cpus} CPU{'s' if cpus > 1 else ''}"
                if len(sides) > 1:
                    what += f", {side.name}"
                with common.step(f"run {run + 1} of {plan.runs}: {what}"):
                    found[side.name, cpus].append(measure(cell, side, plan, cpus))
    return found, host


def count_all(cell, sides, plan):
    found = {}
    for side in sides:
        with common.step("instructions" + (f", {side.name}" if len(sides) > 1 else "")):
            found[side.name] = measure_exactly(cell, side, plan)
    return found


# --- what is told -------------------------------------------------------------

def figures_table(report):
    two, compared = report.get("figures_2_cpus", {}), report.get("base", {}).get("ratios")
    print(f"{'figure':34} {'median':>9} {'min':>9} {'max':>9} {'2 CPUs':>9}"
          f"{'   / base  [min .. max]   ' if compared else ''}   target")
    for name, figure in report["figures"].items():
        other = f"{two[name]['value']:9.3f}" if name in two else f"{'':9}"
        line = (f"{name:34} {figure['value']:9.3f} {figure['min']:9.3f} "
                f"{figure['max']:9.3f} {other}")
        if compared:
            r = compared.get(name)
            line += f" {r['value']:8.3f}  [{r['min']:.3f} .. {r['max']:.3f}]".ljust(27) \
                if r else " " * 27
        target = report["targets"].get(name)
        print(line + (f"   {target}" if target else "   (what the host can do)") +
              ("" if reached(name, figure["value"]) else "  (not reached)"))
    for limit in report["limits"]:
        print(f"note: {limit}")


def conclusions_list(report):
    print(bench_conclusions.headline(report))
    for found in report["conclusions"]:
        if not found["holds"]:
            print(f"does not hold: {found['claim']}: {found['figure']}: {found['why']}")
    for warning in bench_conclusions.warnings(report):
        print(f"note: {warning}")


def instructions_table(rows, base_rows=None):
    print("instructions of the guest for each copy:\n"
          f"{'bytes':>8} {'outstanding':>11} {'channels':>8} {'prep':>8} {'submit':>8} "
          f"{'issue':>8} {'complete':>8} {'total':>9} {'min':>9} {'max':>9}"
          f"{'   / base' if base_rows else ''}")
    base = {(row["size"], row["outstanding"], row["channels"]): row["total"]
            for row in base_rows or []}
    for row in rows:
        line = (f"{row['size']:8} {row['outstanding']:11} {row['channels']:8} "
                f"{row['prep']:8.1f} {row['submit']:8.1f} {row['issue']:8.1f} "
                f"{row['complete']:8.1f} {row['total']:9.1f} {row['min']:9.1f} "
                f"{row['max']:9.1f}")
        before = base.get((row["size"], row["outstanding"], row["channels"]))
        print(line + (f" {row['total'] / before:8.4f}" if before else ""))


def cpu_model():
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def qemu_version(program):
    """As QEMU says it: "10.2.2 (Debian 1:10.2.2+ds-1)"."""
    found = re.search(r"version (.+)", common.run([program, "--version"]))
    return found[1].strip() if found else "of unknown version"


def report_of(sides, plan, found, host, counts):
    """What bench.json holds."""
    def runs_of(name, cpus):
        return [figures_of(records, ns) for records, ns in zip(found[name, cpus], host)]

    def exact_of(name):
        return [exact_figures_of(counts[name], run) for run in range(plan.runs)]

    report = {
        "figures": summaries(runs_of("this", 1)) | summaries(exact_of("this")),
        "figures_2_cpus": summaries(runs_of("this", 2)),
        "targets": {name: f"{sign} {bound:g}" for name, (sign, bound) in TARGETS.items()},
        "limits": limits_of(counts["this"]),
        "instructions": cost_rows(counts["this"]),
        "cost_ns": cost_rows([record for records in found["this", 1]
                              for record in in_ns(records)]),
        "commit": sides[0].commit,
        "accelerator": guest.accelerator(),
        "host": platform.release(),
        "host_cpus": common.jobs(),
        "host_cpu_model": cpu_model(),
        "qemu": qemu_version(sides[0].qemu),
        "host_memcpy_ns": [{size: one for size, (one, _) in run.items()} for run in host],
        "host_memcpy_two_threads_ns": [{size: two for size, (_, two) in run.items()}
                                       for run in host],
        "raw": [{"cpus": cpus, "run": run, "records": records} for cpus in (1, 2)
                for run, records in enumerate(found["this", cpus])],
        "raw_instructions": counts["this"],
    }
    if len(sides) > 1:
        report["base"] = {
            "commit": sides[1].commit,
            "figures": summaries(runs_of("base", 1)) | summaries(exact_of("base")),
            "ratios": ratios(runs_of("this", 1), runs_of("base", 1)) |
                ratios(exact_of("this"), exact_of("base")),
            "instructions": cost_rows(counts["base"]),
            "raw": [{"cpus": cpus, "run": run, "records": records} for cpus in (1, 2)
                    for run, records in enumerate(found["base", cpus])],
            "raw_instructions": counts["base"],
        }
    report["threads"] = bench_threads.summaries(report["raw"])
    report["conclusions"] = bench_conclusions.conclusions(report)
    return report


def write(name, text):
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(common.REPORTS / name, text)
    common.say(f"written: build/reports/{name}")


def instructions_only(cell, sides, plan):
    counts = count_all(cell, sides, plan)
    rows = {name: cost_rows(records) for name, records in counts.items()}
    instructions_table(rows["this"], rows.get("base"))
    for limit in limits_of(counts["this"]):
        print(f"note: {limit}")
    write("bench-instructions.json", json.dumps(
        {side.name: {"commit": side.commit, "instructions": rows[side.name],
                     "raw": counts[side.name]} for side in sides}, indent=1) + "\n")


def run(plan, base, name, instructions):
    """Measures on a stock kernel, or the first of them, beside another commit if given."""
    if not instructions:
        # Not after minutes of measuring.
        bench_report.check_tools()
    base = resolve(base) if base else None
    cell = kernel.cell(name) if name else kernel.cells()[0]
    kdir = kernel.kdir(cell)
    # The base first: what is built last is what the cache has for the next.
    sides = [base_side(kdir, base)] if base else []
    sides.insert(0, this_side(kdir))
    if instructions:
        instructions_only(cell, sides, plan)
        return
    found, host = measure_all(cell, sides, plan)
    report = report_of(sides, plan, found, host, count_all(cell, sides, plan))
    report["kernel"] = cell.kver
    figures_table(report)
    instructions_table(report["instructions"], report.get("base", {}).get("instructions"))
    conclusions_list(report)
    write("bench.json", json.dumps(report, indent=1) + "\n")
    write("bench.html", bench_report.page(report))
