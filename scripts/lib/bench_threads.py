# SPDX-License-Identifier: GPL-2.0-only
"""Who has the host's CPUs while a guest makes copies.

Engines, virtual CPUs and what sends interrupts are threads of QEMU.  Where the host has
fewer CPUs than these want, its scheduler decides what a benchmark measures: so that is
measured, too.
"""

import os
import re
import statistics
import time
from pathlib import Path

KINDS = ("engine", "vcpu", "messenger", "main", "other")


def thread_kind(name):
    """What a thread of QEMU does, by its name."""
    for pattern, kind in ((r"CPU \d+/", "vcpu"), (r"loopdma-\d+$", "engine"),
                          (r"loopdma-irq$", "messenger"), (r"qemu-system", "main")):
        if re.match(pattern, name):
            return kind
    return "other"


def is_our_qemu(process):
    """Is it a child of this program, called QEMU?"""
    try:
        name, rest = (process / "stat").read_text(encoding="utf-8").rsplit(")", 1)
    except OSError:
        return False
    return "(qemu-system" in name and int(rest.split()[1]) == os.getpid()


def look():
    """Seconds: now, that QEMU's threads ran and waited for a CPU, that all CPUs worked."""
    threads = {}
    for process in Path("/proc").glob("[0-9]*"):
        if not is_our_qemu(process):
            continue
        for task in (process / "task").iterdir():
            try:
                ran, waited, _ = (task / "schedstat").read_text(encoding="utf-8").split()
                kind = thread_kind((task / "comm").read_text(encoding="utf-8").strip())
            except OSError:     # ended meanwhile
                continue
            threads[task.name] = kind, int(ran) / 1e9, int(waited) / 1e9
    # user, nice, system, idle, iowait, irq, softirq, steal
    cpu = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in cpu]
    return time.monotonic(), threads, sum(ticks[:3]) + sum(ticks[5:7]), ticks[7]


def between(first, last):
    """Who had the host's CPUs between two looks, in CPUs."""
    seconds = last[0] - first[0]
    found = {}
    for name, (kind, ran, waited) in last[1].items():
        if name in first[1]:
            entry = found.setdefault(kind, {"run": 0, "wait": 0})
            entry["run"] += (ran - first[1][name][1]) / seconds
            entry["wait"] += (waited - first[1][name][2]) / seconds
    ours = sum(entry["run"] for entry in found.values())
    return {"threads": found, "stolen": (last[3] - first[3]) / seconds,
            "others": max(0, (last[2] - first[2]) / seconds - ours)}


class Watch:
    """Looks when a job says so: "%% look CHANNELS BYTES SPIN", and at the end "%% look"."""
    def __init__(self):
        self.records = []
        self.first = None

    def on_line(self, line):
        words = line.split()
        if words[:2] != ["%%", "look"]:
            return
        if len(words) > 2:
            self.first = [int(word) for word in words[2:]], look()
        else:
            (channels, size, spin), first = self.first
            self.records.append({"mode": "busy", "kind": "threads", "channels": channels,
                                 "size": size, "spin": spin, **between(first, look())})


def summaries(runs):
    """For each load: medians over the runs, in CPUs."""
    found = {}
    for run in runs:
        for record in run["records"]:
            if record["kind"] == "threads":
                key = record["channels"], record["size"], record["spin"]
                found.setdefault(key, []).append(record)
    return [dict(zip(("channels", "size", "spin"), key)) | summary(records)
            for key, records in found.items()]


def summary(records):
    def median(values):
        return round(statistics.median(values), 3)

    return {kind: {what: median([record["threads"].get(kind, {}).get(what, 0)
                                 for record in records]) for what in ("run", "wait")}
            for kind in KINDS} | {
                what: median([record[what] for record in records])
                for what in ("others", "stolen")}
