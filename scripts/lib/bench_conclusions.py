# SPDX-License-Identifier: GPL-2.0-only
"""What follows from the figures of a benchmark, in words.

Nothing here is known beforehand but what each figure is to show, and what may bind
it: which of these did is chosen by what was measured.
"""

import statistics

KIB, MIB = 1 << 10, 1 << 20

# What each figure is to show, and what it is.
CLAIMS = {
    "copy_1MiB_vs_host_memcpy": (
        "Copies of 1 MiB are about as fast as the host's memcpy",
        "speed, that of the host's memcpy being 1"),
    "copy_1MiB_vs_guest_memcpy": (
        "Copies of 1 MiB are faster than the guest's own memcpy",
        "speed, that of the guest's memcpy being 1"),
    "copy_4KiB_qd32_vs_qd1": (
        "A filled ring makes small copies faster",
        "copies of 4 KiB with 32 in flight, those one after the other being 1"),
    "doorbells_per_issue": (
        "A call of issue_pending writes one doorbell at the most", "doorbells for each call"),
    "mmio_reads_per_transfer": (
        "No transfer reads a register", "register reads for each transfer"),
    "irqs_per_transfer_4KiB_qd32": (
        "With 32 copies in flight, interrupts are few", "interrupts for each copy of 4 KiB"),
    "irqs_per_transfer_4KiB_qd64": (
        "With 64 copies in flight, interrupts are few", "interrupts for each copy of 4 KiB"),
    "cpu_time_1MiB_vs_guest_memcpy": (
        "A copy of 1 MiB costs the guest's CPU next to nothing",
        "CPU time, that of the guest's memcpy being 1"),
    "guest_progress_while_copying": (
        "The guest's CPU goes on beside copies of 1 MiB",
        "speed of a counting loop, that without copies being 1"),
    "two_channels_vs_one_1MiB": (
        "Two channels copy more than one, 1 MiB at a time", "speed, that of one being 1"),
    "two_channels_vs_one_4MiB": (
        "Two channels copy twice as much as one, 4 MiB at a time",
        "speed, that of one being 1"),
    "two_channels_vs_one_16MiB": (
        "Two channels copy twice as much as one, 16 MiB at a time",
        "speed, that of one being 1"),
    "polled_vs_interrupt_64B": (
        "Who polls has a small copy sooner than who waits for the interrupt",
        "copies of 64 bytes by polling, those by callback being 1"),
    "priority_p99_vs_idle_p99": (
        "A high class hardly feels a load in a low one",
        "99th percentile of a copy's time, that without the load being 1"),
    "open_32_channels_ms": ("To open 32 channels takes little time", "milliseconds"),
    "open_32_channels_MiB": ("To open 32 channels takes little memory", "MiB"),
    "instructions_per_4KiB_copy_qd64": (
        "The driver is short", "instructions for each copy with 64 in flight"),
    "cost_growth_100k_outstanding": (
        "100,000 outstanding copies make one no dearer",
        "instructions, those with 10 outstanding being 1"),
    "cost_growth_32_channels": (
        "32 channels make a copy no dearer", "instructions, those on one channel being 1"),
    "user_1MiB_vs_kernel": (
        "A user program copies 1 MiB about as fast as the kernel",
        "speed, that of a client in the kernel being 1"),
    "user_io_uring_4KiB_vs_kernel": (
        "A user program copies 4 KiB through io_uring not much slower than the kernel",
        "speed, that of a client in the kernel being 1"),
    "user_io_uring_calls_per_copy": (
        "io_uring needs few system calls", "system calls for each copy"),
}

# What does not depend on how busy the machine is.
COUNTED = {
    "doorbells_per_issue": "the device has counted them",
    "mmio_reads_per_transfer": "the device has counted them",
    "irqs_per_transfer_4KiB_qd32": "the device has counted them",
    "irqs_per_transfer_4KiB_qd64": "the device has counted them",
    "open_32_channels_MiB": "it is the guest's free memory before and after",
    "instructions_per_4KiB_copy_qd64": "they are counted, not timed",
    "cost_growth_100k_outstanding": "instructions are counted, not timed",
    "cost_growth_32_channels": "instructions are counted, not timed",
    "user_io_uring_calls_per_copy": "the program has counted them",
}

# From here on a loss is worth a word, and the machine was not quiet.
NOTABLE, DISTURBED = 0.05, 0.1


def spread(figure):
    """A figure with its range: "1.10 [0.92..1.14]"."""
    def text(value):
        return f"{value:.0f}" if abs(value) >= 100 else \
            f"{value:.{3 if abs(figure['value']) < 0.1 else 2}f}"

    return f"{text(figure['value'])} [{text(figure['min'])}..{text(figure['max'])}]"


def ranged(figure):
    """The same, and of how many runs it is."""
    return f"{spread(figure)} of {number(figure['runs'], 'run')}"


def percent(part):
    return f"{100 * part:.0f} %"


def number(count, noun):
    return f"{count} {noun}{'s' if count != 1 else ''}"


def target(report, name):
    """Of a figure: what it is judged by, as (sign, bound); None if it is not."""
    text = report["targets"].get(name)
    return (text.split()[0], float(text.split()[1])) if text else None


def reaches(report, name, value):
    sign, bound = target(report, name)
    return value >= bound if sign == ">=" else value <= bound


def holds(report, name):
    return reaches(report, name, report["figures"][name]["value"])


def judged(report, name):
    """A figure, and what it is judged by."""
    figure = report["figures"][name]
    sign, bound = target(report, name)
    good = [reaches(report, name, figure[end]) for end in ("min", "max")]
    doubt = "" if all(good) or not any(good) else \
        ", missed in some runs" if holds(report, name) else ", reached in some runs"
    return (f"{CLAIMS[name][1]}: {ranged(figure)}; wanted at "
            f"{'least' if sign == '>=' else 'most'} {bound:g}{doubt}")


def load(report, channels, size, spin=0):
    """Who had the host's CPUs meanwhile; None if nobody looked."""
    for row in report["threads"]:
        if (row["channels"], row["size"], row["spin"]) == (channels, size, spin):
            # An engine that is never seen to run has no name in this QEMU.
            return row if row["engine"]["run"] else None
    return None


# --- why ----------------------------------------------------------------------

def sharers(report, row, *kinds):
    """Who else is on the host's CPUs: "the guest's CPU (0.24), ..."."""
    names = {"engine": "engine" if row["channels"] == 1 else "engines",
             "vcpu": "guest's CPU", "messenger": "thread that interrupts",
             "main": "main loop"}
    parts = [f"the {names[kind]} ({row[kind]['run']:.2f})" for kind in kinds
             if row[kind]["run"] >= 0.01]
    if row["others"] + row["stolen"] >= NOTABLE:
        parts.append(f"other programs ({row['others'] + row['stolen']:.2f})")
    return (f"the {number(report['host_cpus'], 'CPU')} of the host "
            f"{'are' if report['host_cpus'] > 1 else 'is'} shared with " + ", ".join(parts)
            if parts else f"the host has {number(report['host_cpus'], 'CPU')}")


def engines_lost(report, row):
    """[(loss, why)] of the time of a load's engines, as parts of it."""
    count = row["channels"]
    waited = min(1, row["engine"]["wait"] / count)
    idle = max(0, 1 - row["engine"]["run"] / count - waited)
    who = "the engine" if count == 1 else "the engines"
    return [
        (waited, f"{who} waited for a CPU {percent(waited)} of the time: " +
         sharers(report, row, "vcpu", "messenger", "main")),
        (idle, f"{who} had nothing to do {percent(idle)} of the time: the guest's CPU "
         f"({row['vcpu']['run']:.2f} of a CPU, and {row['vcpu']['wait']:.2f} waiting for one) "
         "was too late with more")]


def worst(losses, otherwise):
    """The reasons worth a word, the largest first."""
    found = [why for loss, why in sorted(losses, reverse=True) if loss >= NOTABLE]
    return "; and ".join(found[:2]) or otherwise


def why_copy(report):
    row = load(report, 1, MIB)
    if not row:
        return "nobody looked at what the engine did"
    return worst(engines_lost(report, row), "the engine copied "
                 f"{percent(row['engine']['run'])} of the time")


def why_two(report, name):
    """Two channels against one: the host's memory, its CPUs, or the guest."""
    size = {"1MiB": MIB, "4MiB": 4 * MIB, "16MiB": 16 * MIB}[name]
    host = report["figures"][f"host_two_threads_vs_one_{name}"]
    figure = report["figures"][f"two_channels_vs_one_{name}"]
    limit = f"the host's own memcpy by two threads makes {spread(host)} of that by one"
    bound = target(report, f"two_channels_vs_one_{name}")[1]
    row = load(report, 2, size)
    if figure["value"] >= bound:
        return limit + (f", and the engines copied {percent(row['engine']['run'] / 2)} "
                        "of the time" if row else "")
    losses = engines_lost(report, row) if row else []
    lost = sum(loss for loss, _ in losses)
    if host["value"] < bound and 1 - host["value"] / 2 >= lost:
        part = figure["value"] / host["value"]
        away = row["others"] + row["stolen"] if row else 0
        who = "the host" if away < DISTURBED else \
            f"the host, with other programs on {away:.2f} of its CPUs,"
        text = (f"{who} cannot: {limit}, which is the limit, and two engines make "
                f"{percent(part)} of that")
        if part < 1 - DISTURBED and lost >= NOTABLE:
            text += "; " + worst(losses, "")
        return text
    return worst(losses, "engines had work and a CPU all the time") + f"; {limit}"


def why_progress(report):
    row = load(report, 1, MIB, spin=1)
    if not row:
        return "nobody looked at what the guest's CPU did"
    waited = row["vcpu"]["wait"]
    own = max(0, 1 - waited - report["figures"]["guest_progress_while_copying"]["value"])
    return worst([
        (waited, f"the guest's CPU waited for one of the host's {percent(waited)} of the "
         "time: " + sharers(report, row, "engine", "messenger", "main")),
        (own, f"the driver's own work for the copies takes the guest's CPU {percent(own)} "
         "of the time")],
        f"the guest's CPU had one of the host's {percent(row['vcpu']['run'])} of the time")


def measured(report, value, **wanted):
    """The median over the runs, in guests with one CPU, of what a measurement says."""
    return statistics.median(
        value(record) for run in report["raw"] if run["cpus"] == 1
        for record in run["records"]
        if all(record.get(name) == field for name, field in wanted.items()))


def in_us(ns):
    return f"{ns / 1000:.{0 if ns >= 10000 else 1 if ns >= 1000 else 2}f} us"


def microseconds(report, name="ns", **wanted):
    """Of one copy, or what else a measurement says of each."""
    return in_us(measured(report, lambda r: r[name] / r.get("copies", 1), **wanted))


def percentile(report, size, **wanted):
    """The 99th of the time of a copy."""
    return in_us(measured(report, lambda r: r["p99_ns"], size=size, **wanted))


def guest_memcpy(report):
    """Of 1 MiB, at the speed that it has at 64 KiB."""
    block = measured(report, lambda r: r["ns"], mode="figures", kind="memcpy")
    return f"{in_us(block * (MIB // (64 * KIB)))} at its best"


def why_guest_memcpy(report):
    copy = microseconds(report, mode="figures", kind="dma", size=MIB)
    return f"a copy takes {copy}, the guest's memcpy of as much {guest_memcpy(report)}"


def why_cpu_time(report):
    cost = microseconds(report, "busy_ns", mode="figures", kind="dma", size=MIB)
    return f"a copy takes the guest's CPU {cost}, its memcpy of as much {guest_memcpy(report)}"


def why_depth(report):
    one, deep = (microseconds(report, mode="figures", kind="dma", size=4 * KIB, depth=depth)
                 for depth in (1, 32))
    return f"a copy takes {one} alone, and {deep} with 32 in flight"


def why_polled(report):
    slow, fast = (microseconds(report, mode="latency", size=64, poll=poll) for poll in (0, 1))
    return f"a copy takes {slow} with the interrupt, and {fast} by polling"


def why_priority(report):
    alone, equal, above = (
        percentile(report, 64 * KIB, mode="priority", **wanted)
        for wanted in ({"load": 0}, {"load": 1, "class": 0}, {"load": 1, "class": 3}))
    return (f"99 of 100 copies of 64 KiB take at most {alone} alone, {equal} beside a load of "
            f"their own class, and {above} in a class above it")


def why_spread(report, name):
    figure = report["figures"][name]
    if not figure["min"]:
        return "it depends on nothing else that is measured here"
    apart = figure["max"] / figure["min"] - 1
    if apart < 2 * DISTURBED:
        return f"all runs agree within {percent(apart)}"
    return f"runs differ by {percent(apart)}"


TIMED = {
    "copy_1MiB_vs_host_memcpy": why_copy,
    "copy_1MiB_vs_guest_memcpy": why_guest_memcpy,
    "copy_4KiB_qd32_vs_qd1": why_depth,
    "cpu_time_1MiB_vs_guest_memcpy": why_cpu_time,
    "guest_progress_while_copying": why_progress,
    "polled_vs_interrupt_64B": why_polled,
    "priority_p99_vs_idle_p99": why_priority,
}


def why(report, name):
    if name in COUNTED:
        return COUNTED[name]
    if name.startswith("two_channels_vs_one_"):
        return why_two(report, name.rpartition("_")[2])
    return TIMED.get(name, lambda _: why_spread(report, name))(report)


# --- all ----------------------------------------------------------------------

def conclusions(report):
    """For each figure that is judged: its claim, whether it holds, and why."""
    found = []
    for name in report["figures"]:
        if name in report["targets"]:
            found.append({"name": name, "claim": CLAIMS[name][0],
                          "holds": holds(report, name), "figure": judged(report, name),
                          "why": why(report, name)})
    return found


def headline(report):
    """In a line."""
    every = report["conclusions"]
    return f"{sum(found['holds'] for found in every)} of {len(every)} claims hold"


def warnings(report):
    """What to know before a figure is believed."""
    found = []
    away = max((row["others"] for row in report["threads"]), default=0)
    stolen = max((row["stolen"] for row in report["threads"]), default=0)
    if away >= DISTURBED:
        found.append(f"The machine was not quiet: other programs had up to {away:.2f} of "
                     f"its {number(report['host_cpus'], 'CPU')}.  Measure again before a "
                     "figure that is a time is believed.")
    if stolen >= DISTURBED:
        found.append(f"The machine is a virtual one, and was refused up to {stolen:.2f} of "
                     f"its {number(report['host_cpus'], 'CPU')}.")
    return found
