# SPDX-License-Identifier: GPL-2.0-only
"""Tracepoints, counters, faults on demand and loopdmactl, against what was done."""

import dataclasses
import json
import re

from lib import common, guest, kunit, modules, needs, stock, tree as trees
from lib.case import told_by, verdict
from lib.common import Fail
from lib.lane import Task


def in_manual(start):
    """The line of the driver's manual that starts so."""
    manual = common.ROOT / "Documentation" / "driver.rst"
    found = re.search(rf"^    ({re.escape(start)}.*)$",
                      manual.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise Fail(f"{common.relative(manual)} has no line '{start}...'")
    return found[1].encode() + b"\n"


def observed(line):
    """What is wrong with a line "%% json COMMAND NUMBER JSON" of loopdmactl, or ""."""
    _, _, command, number, text = line.split(" ", 4)
    try:
        rows = json.loads(text)
    except ValueError as e:
        return f"{command} --json: {e}"
    expected = int(number)
    if command == "stats":
        done = sum(row["transfers"] for row in rows)
        return "" if done == expected else f"stats: {done} of {expected} transfers"
    if command == "top":
        for row in rows:
            if not (row["ops_s"] > 0 and row["mb_s"] > 0 and row["latency_us"] > 0 and
                    0 < row["busy_percent"] <= 100 and row["mean_depth"] > 0):
                return f"top: {row}"
            # Little's law, with what rounding leaves of it.
            mean = row["latency_us"] * row["transfers"] / row["mean_depth"]
            if not row["errors"] and row["mean_depth"] > 0.05 and \
                    not 0.8e6 < mean < 1e6 * guest.HANG:
                return f"top: latency, transfers and depth do not agree: {row}"
        done = sum(row["transfers"] for row in rows)
        return "" if 0 < done <= expected else f"top: {done} of {expected} transfers"
    if command == "selftest" and any(row["result"] != "PASS" for row in rows):
        return f"selftest: {rows}"
    return "" if len(rows) == expected else f"{command}: {len(rows)} of {expected} lines"


def step_files(job):
    """What a job of tests/guest/ that tries loopdmactl needs, itself included."""
    return guest.job_files(job, "steps", "ctl") | {
        # For a user who is not root.
        "etc/passwd": b"root:x:0:0::/:/bin/sh\nnobody:x:99:99::/:/bin/sh\n",
        "loopdmactl": common.ROOT / "scripts" / "loopdmactl"}


def observe_guest(image, files):
    """Tracepoints, counters and loopdmactl in a guest."""
    return guest.Guest(
        kernel=image, job="sh /observe\n", files=files | step_files("observe") | {
            "histogram": in_manual("echo 'loopdma_latency "),
            "histogram-off": in_manual("for event in ")},
        # Each command looks at all channels, and so does what counts them again: with half
        # as many the job takes a fifth less time.
        device="channels=4",
        # To switch a tracepoint on while another CPU runs would rewrite the kernel's
        # code under it, which QEMU's translator before 8.1 does not get right.
        smp=1)


def inject_guest(image, files):
    """Faults on demand in a guest, which has a device that cannot do that, too."""
    return guest.Guest(
        kernel=image, job="sh /inject || exit\n", files=files | step_files("inject"),
        # Neither XOR nor PQ.
        device="test-controls=on,channels=2,x-caps-mask=0x60",
        more_devices=("channels=2",),
        allowed=((r"loopdma .*restarting it", "a device that lies, on demand"),))


def observed_cases(name, outcome):
    """What a guest has told of, and of loopdmactl's output for programs."""
    told = [line for line in outcome.lines if line.startswith("%% json ")]
    reason = next(filter(None, map(observed, told)), "")
    if not reason and not told:
        reason = "loopdmactl gave no JSON"
    return told_by(name, outcome, verdict("what loopdmactl tells programs", reason))


def debug():
    """Faults also of the kernel: on the one that has fault injection of its own."""
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0]) | {
        "dmatest.ko": kdir / "drivers/dma/dmatest.ko"}
    return observed_cases("kunit", guest.run(dataclasses.replace(
        inject_guest(kdir / "arch/x86/boot/bzImage", files), name="inject-kunit",
        mem=1024, debug_kernel=True)))


def tasks():
    return [Task("suite", lambda: kunit.in_guest("trace"), (needs.kunit_kernel,), full=True),
            Task("inject kunit", debug, (needs.kunit_kernel,), full=True)] + [
        Task(f"{what} {cell.name}", lambda cell=cell, what=what, make=make: observed_cases(
            f"{cell.name} {what}", stock.run(cell, make, f"{what}-{cell.name}")),
            (needs.stock_guests,), full=what == "inject" or stock.in_full(cell))
        for what, make in (("observe", observe_guest), ("inject", inject_guest))
        for cell in stock.by_age()]


def on_tree(tree):
    def run(what, make, options):
        outcome, missing = trees.run(tree, make, what, options)
        return missing or observed_cases(what, outcome)

    return [Task("observe", lambda: run("observe", observe_guest, (
                "EVENT_TRACING", "HIST_TRIGGERS"))),
            Task("inject", lambda: run("inject", inject_guest, ()))]
