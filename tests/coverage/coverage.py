#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures how much of the driver the tests reach, all their lanes together.

The guests of the lanes, each once, on a kernel that counts (CONFIG_GCOV_KERNEL) with a
driver that is built to be counted:

  kunit-fake  the KUnit suites over the simulated device
  kunit-live  the KUnit suites on the QEMU device, and the conformance suites; MSI-X
  dmatest     dmatest and the loopback; INTx
  reload      loading and unloading, unbinding while dmatest runs
  probe       devices that are refused, allocations of probe that fail; MSI
  inject      faults on demand
  runtime     the device suspended while no channel is in use
  survive     reset, errors of the bus, sleep and surprise removal

What no lane reaches must be in tests/coverage/unreached.txt with a reason, and what is
there must not be reached.

Writes build/reports/coverage/: index.html, the sources with what was reached of them;
summary.json; unreached.txt, what was not reached, and why.  Exit status 0 only if all
lanes are well, the goals are met and every line that is not reached has a reason.
"""

import argparse
import base64
import binascii
import collections
import concurrent.futures
import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from lanes import dmatest, observe, power, probe, reload, survive
from lib import common, guest, kunit, modules
from lib.common import Fail

CONFIG = common.ROOT / "scripts" / "configs" / "coverage.config"
DRIVER = Path("drivers/dma/loopdma")
UNREACHED = common.ROOT / "tests" / "coverage" / "unreached.txt"
DATA = common.BUILD / "coverage"
REPORT = common.REPORTS / "coverage"

# Of what, and how much of it in per cent.
GOALS = {"line": ("lines", 95), "function": ("functions", 99), "branch": ("branches", 85)}

# Macros of the kernel with branches in them, which are not the driver's: those of a line
# with such a macro, but no condition of C, are not counted.
MACROS = ("FIELD_PREP __clear_bit __set_bit clamp clamp_t dev_\\w+_ratelimited ilog2 "
          "read_poll_timeout read_poll_timeout_atomic this_cpu_add")
NOT_OURS = (r"^(?!.*(?:\b(?:if|while|for|switch)\b|\?|&&|\|\|))"
            rf".*\b(?:{MACROS.replace(' ', '|')})\(")

# To be appended to a job: the counts leave the guest as all results do, as text.
COLLECT = """
cd /sys/kernel/debug/gcov
for data in $(find . -name '*.gcda'); do
	echo "%% gcda ${data##*/}"
	base64 $data
done
"""

Line = collections.namedtuple("Line", "file number function text")


# --- measuring ----------------------------------------------------------------

def build():
    """The kernel and the directory of the modules, of which the driver counts."""
    # Here, where its progress is not in the middle of that of the guests.
    common.qemu()
    kdir = kunit.x86_kernel(CONFIG)
    # By file: with GCOV_PROFILE=y the suites would be counted, too, and run slower.
    counted = [f"GCOV_PROFILE_{path.stem}.o=y"
               for path in sorted((common.ROOT / DRIVER).glob("*.c"))]
    # Functions that are inlined early are none to gcov.
    counted.append("KCFLAGS=-fno-early-inlining")
    return kdir, modules.build(kdir, "-coverage", counted, here=True)[0]


def guests(kdir, top):
    """{lane: its guest}, the long ones first."""
    image = kdir / "arch/x86/boot/bzImage"
    files = guest.module_files(top) | {"dmatest.ko": kdir / "drivers/dma/dmatest.ko"}
    lanes = {
        "kunit-live": kunit.suites_guest("live", kdir, top),
        "kunit-fake": kunit.suites_guest("fake", kdir, top),
        "probe": probe.probe_guest(kdir, top),
        "inject": observe.inject_guest(image, files),
        "survive": survive.survive_guest(image, files, resets=2),
        "runtime": power.runtime_guest(image, files),
        "dmatest": dmatest.dmatest_guest(image, files, "intx"),
        "reload": reload.reload_guest(image, files, 2),
    }
    return {lane: dataclasses.replace(one, name=f"coverage-{lane}", job=one.job + COLLECT,
                                      debug_kernel=False)
            for lane, one in lanes.items()}


def counts_in(lines):
    """What a job printed before its counts, and the counts, {file: content}."""
    said, found, current = [], {}, None
    for line in lines:
        start = re.fullmatch(r"%% gcda ([\w.-]+)", line)
        if start:
            current = found.setdefault(start[1], [])
        elif current is None:
            said.append(line)
        else:
            current.append(line)
    try:
        return said, {name: base64.b64decode("".join(text), validate=True)
                      for name, text in found.items()}
    except binascii.Error as e:
        raise Fail(f"the counts of {', '.join(found)} are damaged: {e}") from None


def measure(lane, one, top):
    """Runs a lane's guest; returns where its counts are, and what is wrong or ""."""
    outcome = guest.run(one)
    said, counts = counts_in(outcome.lines)
    problem = outcome.told
    if lane.startswith("kunit-"):
        cases = kunit.cases_of(dataclasses.replace(outcome, lines=said), one.name,
                               lane.removeprefix("kunit-"))
        problem = next((f"{case.name}: {case.reason} (log: {case.log})" for case in cases
                        if case.status == "FAIL"), "")
    if not counts:
        return None, problem or "the kernel has counted nothing"
    directory = DATA / lane
    directory.mkdir(parents=True)
    for name, content in counts.items():
        (directory / name).write_bytes(content)
        # What the counts are of; written by the compiler.
        notes = Path(name).with_suffix(".gcno")
        shutil.copy(top / DRIVER / notes, directory / notes)
    return directory, problem


def measure_all(top, lanes):
    """Runs the guests side by side; returns where the counts are, and what is wrong."""
    directories, problems = [], []
    with common.step(f"running {len(lanes)} guests: {', '.join(lanes)}"), \
            concurrent.futures.ThreadPoolExecutor(max(2, common.jobs())) as pool:
        running = {lane: pool.submit(measure, lane, one, top)
                   for lane, one in lanes.items()}
        for lane, future in running.items():
            directory, problem = future.result()
            directories += [directory] if directory else []
            problems += [f"{lane}: {problem}"] if problem else []
    return directories, problems


def gcovr(arguments, top, name):
    log = common.new_log(f"coverage-gcovr-{name}")
    return common.run(["gcovr", "--root", top, *arguments], log, "gcovr", cwd=top)


def read(directory, top):
    """Counts of a lane as gcovr's JSON."""
    trace = directory.with_suffix(".json")
    gcovr(["--filter", f"{re.escape(str(top / DRIVER))}/.*\\.c$", "--json", trace,
           "--exclude-unreachable-branches", "--exclude-branches-by-pattern", NOT_OURS,
           directory], top, directory.name)
    return trace


def merge(directories, top):
    """Counts of all lanes together: the HTML report, the summary and the lines."""
    lines = DATA / "all.json"
    summary = REPORT / "summary.json"
    with common.step("adding up"):
        # One after the other: gcov's files, in the directory that it runs in, have the
        # same names for each lane.
        traces = [read(directory, top) for directory in directories]
        gcovr([*(f"--add-tracefile={trace}" for trace in traces), "--json", lines,
               "--json-summary-pretty", "--json-summary", summary,
               "--html-details", REPORT / "index.html",
               "--html-title", "loopdma: what the tests reach of the driver"], top, "all")
    return (json.loads(path.read_text(encoding="utf-8")) for path in (summary, lines))


# --- what was not reached -----------------------------------------------------

def lines_of(files, sources):
    """All lines of the sources, as {Line: how often it was reached, None: no code}."""
    found = {}
    for one in files:
        counts = collections.Counter()
        for line in one["lines"]:
            if not (line.get("gcovr/noncode") or line.get("gcovr/excluded")):
                counts[line["line_number"]] += line["count"]
        starts = {function["lineno"]: function["name"] for function in one["functions"]}
        function = ""
        for number, text in enumerate(sources[one["file"]], 1):
            function = starts.get(number, function)
            found[Line(one["file"], number, function, " ".join(text.split()))] = \
                counts.get(number)
    return found


@dataclasses.dataclass
class Entry:
    """What need not be reached."""
    file: str
    function: str
    texts: list         # of lines
    reason: str
    seldom: bool        # it is reached in some runs


def read_entries(text, name):
    """The entries of a table of what need not be reached."""
    entries = []
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", text).strip()):
        fields = [(key, " ".join(value.split())) for key, value in
                  re.findall(r"^(\w+): (.+(?:\n  .+)*)$", paragraph, re.MULTILINE)]
        keys = collections.Counter(key for key, _ in fields)
        one = dict(fields)
        if paragraph and (keys.keys() - {"File", "In", "Line", "Why", "Seldom"} or
                          not keys["Line"] or keys["Why"] + keys["Seldom"] != 1 or
                          keys["File"] != 1 or keys["In"] != 1):
            raise Fail(f"{name}: not an entry with File, In, Line and either Why or "
                       f"Seldom: '{paragraph.splitlines()[0]}'")
        if paragraph:
            entries.append(Entry(
                one["File"], one["In"].removesuffix("()"),
                [value for key, value in fields if key == "Line"],
                one.get("Why") or one["Seldom"], "Seldom" in one))
    return entries


def explained(lines, entries):
    """What was not reached, pairs of line and reason or "", and what of the entries is
    out of date."""
    def key(line):
        return line.file, line.function, line.text

    reasons = {(entry.file, entry.function, text): entry.reason
               for entry in entries for text in entry.texts}
    missed = [line for line, count in lines.items() if count == 0]
    never = {key(line) for line in missed}
    there = {key(line) for line, count in lines.items() if count is not None}
    stale = [(entry.file, entry.function, text) for entry in entries
             for text in entry.texts
             if (entry.file, entry.function, text) not in (there if entry.seldom else never)]
    return [(line, reasons.get(key(line), "")) for line in missed], stale


def problems_of(summary, pairs, stale):
    """What is wrong with what was measured, as lines."""
    for kind, (kinds, goal) in GOALS.items():
        reached = summary[f"{kind}_percent"]
        if reached < goal:
            yield f"{reached} % of {kinds} reached, the goal is {goal} %"
    name = common.relative(UNREACHED)
    for line, reason in pairs:
        if not reason:
            yield f"{line.file}:{line.number}: '{line.text}' in {line.function}() is not " \
                f"reached: add a case that does, or a reason to {name}"
    for file, function, text in stale:
        yield f"{name}: '{text}' in {function}() of {file} is reached, or gone: remove it"


# --- the report ---------------------------------------------------------------

def table(summary):
    """The numbers, for each file and in total."""
    rows = [["file", *(kinds for kinds, _ in GOALS.values())]]
    for one in [*summary["files"], summary]:
        row = [Path(one["filename"]).name if "filename" in one else "total"]
        for kind in GOALS:
            covered, total = one[f"{kind}_covered"], one[f"{kind}_total"]
            row.append(f"{covered}/{total} {100 * covered / (total or 1):5.1f} %")
        rows.append(row)
    return "\n".join(f"{name:<14}" + "".join(f"{cell:>20}" for cell in cells)
                     for name, *cells in rows)


def listing(pairs):
    """What was not reached, and why."""
    text = []
    for line, reason in pairs:
        text.append(f"{line.file}:{line.number}: {line.text}\n"
                    f"    {line.function}(): {reason or 'no reason given'}\n")
    return "".join(text)


def run():
    """All of it; returns the exit status."""
    entries = read_entries(UNREACHED.read_text(encoding="utf-8"),
                           common.relative(UNREACHED))
    kdir, top = build()
    for directory in (DATA, REPORT):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    directories, problems = measure_all(top, guests(kdir, top))
    if not directories:
        raise Fail(f"nothing was measured: {problems[0]}")
    summary, lines = merge(directories, top)
    sources = {one["file"]: (top / one["file"]).read_text(encoding="utf-8").splitlines()
               for one in lines["files"]}
    pairs, stale = explained(lines_of(lines["files"], sources), entries)
    # What a lane that failed has not reached says nothing about the tests.
    return report(summary, pairs, problems or list(problems_of(summary, pairs, stale)))


def report(summary, pairs, problems):
    """Says what was reached and what is wrong; returns the exit status."""
    (REPORT / "unreached.txt").write_text(listing(pairs), encoding="utf-8")
    print(listing(pairs))
    print(table(summary))
    print(f"report in {common.relative(REPORT)}/index.html")
    for problem in problems:
        print(f"FAIL {problem}")
    print(f"coverage: {'FAIL' if problems else 'PASS'}", flush=True)
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    if not shutil.which("gcovr"):
        raise Fail("gcovr is missing: run 'scripts/deps.sh coverage'")
    # What is counted must be what was built, by this run.
    with common.lock(f"coverage-{common.digest(common.ROOT)}"):
        return run()


if __name__ == "__main__":
    common.main(main)
