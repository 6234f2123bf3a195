#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Fuzzes the QEMU device: whatever a guest does, the device must survive.

QEMU with the device is built with libFuzzer, AddressSanitizer and
UndefinedBehaviorSanitizer, and fed with mutated inputs; those that reach code that no
other has reached are kept and mutated further.  Targets:

  sync, at-once, async, iommu, unordered
                what a driver does, right and wrong (tests/fuzz/loopdma_fuzz.c):
                executed in the main loop, in the doorbell, in engines, in engines
                behind an IOMMU, and in engines in any order
  generic, generic-at-once
                QEMU's own target: any access to registers and configuration space, any
                bytes where the device reads memory

Inputs are taken from tests/fuzz/corpus/ and from earlier runs, build/fuzz/corpus/.  A
target ends at its first finding: a memory error, undefined behaviour, a failed assertion,
a hang, a device that is not as new after a reset.

The last line is the sum: N executions, N findings.  Exit status 0 only if nothing was
found.  Results as JSON in build/reports/fuzz.json.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from lib import common
from lib.common import Fail

SCRATCH = common.BUILD / "fuzz"
CORPUS = common.ROOT / "tests" / "fuzz" / "corpus"

# An input that takes so many seconds hangs.  It takes milliseconds, so this allows for
# machines that do more than they can.
HANG = 60

# No target tells more in less.
SHORTEST = 2

Kind = collections.namedtuple("Kind", "program corpus properties")

GENERIC = "channels=4,fifo-depth=256,test-controls=on"
TARGETS = {
    "sync": Kind("loopdma-sync", "loopdma", None),
    "at-once": Kind("loopdma-at-once", "loopdma", None),
    "async": Kind("loopdma-async", "loopdma", None),
    "iommu": Kind("loopdma-iommu", "loopdma", None),
    "unordered": Kind("loopdma-unordered", "loopdma", None),
    "generic": Kind("generic-fuzz", "generic", f"{GENERIC},sync=on"),
    # It forks, and engines do not survive that: only what is done without them is done.
    "generic-at-once": Kind("generic-fuzz", "generic",
                            f"{GENERIC},sync=off,at-once-bytes=64K"),
}

# What begins the name of a file with the input of a finding.
FINDINGS = ("crash-", "timeout-", "oom-", "leak-")


@dataclasses.dataclass
class Result:
    """What came out of a target."""
    name: str
    executions: int = 0
    per_second: int = 0
    edges: int = 0              # of the device's code, that were reached
    edges_total: int = 0
    corpus: int = 0             # inputs kept
    seconds: float = 0.0
    findings: list = dataclasses.field(default_factory=list)


# --- running the fuzzer --------------------------------------------------------

# Fuzzers that run, each in a thread of its own, for who ends the script early.
_children = set()
_lock = threading.Lock()


def build():
    """The fuzzer, built if need be."""
    return Path(common.build_qemu(common.ROOT, "address")).with_name("qemu-fuzz-x86_64")


def environment(kind):
    env = dict(os.environ,
               # QEMU's exit does not free what it had all its life.
               ASAN_OPTIONS="detect_leaks=0:abort_on_error=0",
               UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
    if kind.properties:
        env["QEMU_FUZZ_ARGS"] = f"-machine q35 -nodefaults -device loopdma,{kind.properties}"
        env["QEMU_FUZZ_OBJECTS"] = "loopdma*"
    return env


def command(fuzzer, kind, *arguments):
    # Standard output is QEMU's own.  The largest inputs are those of the corpus, so
    # that they are fast.
    return [str(word) for word in (
        fuzzer, f"--fuzz-target={kind.program}", "-close_fd_mask=1", f"-timeout={HANG}",
        "-rss_limit_mb=4096", "-max_len=1024", *arguments)]


def found(directory):
    """The inputs of findings, the first one first."""
    return sorted((path for path in directory.iterdir()
                   if path.name.startswith(FINDINGS)), key=lambda path: path.stat().st_mtime)


def last_number(pattern, text):
    numbers = re.findall(pattern, text, re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def reason_in(log):
    """In one line what a log says of the end of a fuzzer."""
    text = log.read_text(encoding="utf-8", errors="replace")
    for pattern in (r"^loopdma_fuzz: .*", r"^.*runtime error: .*", r"^.*Assertion .*failed.*",
                    r"^ERROR:.*assertion failed.*", r"^SUMMARY: .*", r"^==\d+==.*ERROR.*"):
        line = re.search(pattern, text, re.MULTILINE)
        if line:
            return line[0]
    return common.reason_in(text)


def watch(child, directory, seconds):
    """Waits for the fuzzer, but not beyond a finding: a target that forks goes on."""
    end = time.monotonic() + seconds + 2 * HANG
    while child.poll() is None:
        if found(directory) or time.monotonic() > end:
            # A report in progress is to be finished.
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.terminate()
                child.wait()
            return
        try:
            child.wait(0.5)
        except subprocess.TimeoutExpired:
            pass


def fuzz(fuzzer, name, seconds):
    """Runs a target for so long, or to its first finding."""
    kind = TARGETS[name]
    ours = SCRATCH / "corpus" / name
    directory = SCRATCH / "findings" / name
    shutil.rmtree(directory, ignore_errors=True)
    for path in (ours, directory, CORPUS / kind.corpus):
        path.mkdir(parents=True, exist_ok=True)
    log = common.new_log(f"fuzz-{name}")
    start = time.monotonic()
    with open(log, "wb") as stream:
        child = subprocess.Popen(
            command(fuzzer, kind, f"-max_total_time={seconds}", "-print_final_stats=1",
                    "-reload=0", f"-artifact_prefix={directory}/", ours,
                    CORPUS / kind.corpus),
            env=environment(kind), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            cwd=directory)
        with _lock:
            _children.add(child)
        try:
            watch(child, directory, seconds)
        finally:
            with _lock:
                _children.discard(child)
            child.kill()
            child.wait()
    result = statistics(name, log)
    result.seconds = time.monotonic() - start
    inputs = found(directory)
    if inputs or child.returncode or not result.executions:
        result.findings.append({
            "reason": reason_in(log), "log": common.relative(log),
            "input": common.relative(inputs[0]) if inputs else None})
    return result


def statistics(name, log):
    text = log.read_text(encoding="utf-8", errors="replace")
    # The sum is at the end, which a finding may have come before.
    executions = last_number(r"^stat::number_of_executed_units: (\d+)", text) or \
        last_number(r"^#(\d+)\s", text)
    return Result(name, executions,
                  last_number(r"^stat::average_exec_per_sec:\s+(\d+)", text) or
                  last_number(r"exec/s: (\d+)", text),
                  last_number(r"^#\d+.*\bcov: (\d+)", text),
                  last_number(r"^INFO: Loaded \d+ modules\s+\((\d+) inline", text),
                  last_number(r"^#\d+.*\bcorp: (\d+)", text))


def fuzz_all(names, seconds, jobs):
    """Runs targets side by side; all of them take so long together."""
    fuzzer = build()
    jobs = min(jobs, len(names))
    share = max(SHORTEST, seconds * jobs // len(names))
    results = {}

    def task(name):
        results[name] = fuzz(fuzzer, name, share)

    with common.step(f"fuzzing {', '.join(names)} for {share} s each"):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            begun = [pool.submit(task, name) for name in names]
            try:
                for future in begun:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                with _lock:
                    for child in _children:
                        child.kill()
                raise
    return [results[name] for name in names]


# --- other things to do with it ---------------------------------------------------

def reproduce(path, name):
    """Runs one input; returns whether it is harmless."""
    kind = TARGETS[name]
    # As the fuzzer is told to be: a relative path is that of who calls.
    done = subprocess.run(command(build(), kind, Path(path).resolve()), check=False,
                          env=environment(kind), stdin=subprocess.DEVNULL,
                          stdout=sys.stderr)
    return done.returncode == 0


def minimize(names):
    """Puts what is needed of all inputs, to reach what they reach, into tests/fuzz/."""
    fuzzer = build()
    for corpus in dict.fromkeys(TARGETS[name].corpus for name in names):
        of_it = [name for name in names if TARGETS[name].corpus == corpus]
        merged = SCRATCH / "merged" / corpus
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir(parents=True)
        log = common.new_log(f"fuzz-merge-{corpus}")
        for name in of_it:
            inputs = [path for path in (CORPUS / corpus, SCRATCH / "corpus" / name)
                      if path.is_dir()]
            with common.step(f"merging the inputs of {name}"):
                # By edges alone: how often each is taken would need ten times as many.
                common.run(command(fuzzer, TARGETS[name], "-set_cover_merge=1",
                                   "-use_counters=0", merged, *inputs), log, "merging",
                           env=environment(TARGETS[name]))
        shutil.rmtree(CORPUS / corpus, ignore_errors=True)
        shutil.copytree(merged, CORPUS / corpus)
        files = [path.stat().st_size for path in merged.iterdir()]
        common.say(f"{common.relative(CORPUS / corpus)}: {len(files)} inputs, "
                   f"{sum(files)} bytes")


# --- results ----------------------------------------------------------------------

def report(results, seconds):
    print(f"{'target':<16} {'executions':>10} {'per s':>6} {'edges':>12} {'inputs':>7} "
          f"{'time':>7}")
    for one in results:
        print(f"{one.name:<16} {one.executions:>10} {one.per_second:>6} "
              f"{one.edges:>5} of {one.edges_total:<4} {one.corpus:>6} "
              f"{one.seconds:>5.0f} s")
    print()
    findings = 0
    for one in results:
        for finding in one.findings:
            findings += 1
            print(f"FOUND by {one.name}: {finding['reason']} (log: {finding['log']})")
            if finding["input"]:
                print(f"  reproduce: tests/fuzz/fuzz.py --targets {one.name} --reproduce "
                      f"{finding['input']}")
    executions = sum(one.executions for one in results)
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(common.REPORTS / "fuzz.json", json.dumps({
        "executions": executions, "findings": findings, "seconds": round(seconds, 1),
        "targets": {one.name: {**dataclasses.asdict(one), "seconds": round(one.seconds, 1)}
                    for one in results}}, indent=1) + "\n")
    print(f"{executions} executions, {findings} findings", flush=True)
    return 1 if findings else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=common.duration, default=60, metavar="TIME",
                        help="for how long, all targets together: 90, 10m, 2h (default 60)")
    parser.add_argument("--targets", metavar="NAME,...", default=",".join(TARGETS),
                        help="only these targets")
    parser.add_argument("--jobs", type=int, default=common.jobs(), metavar="N",
                        help="targets that run at once (default: number of CPUs)")
    parser.add_argument("--reproduce", metavar="FILE",
                        help="run one input of the target, and leave")
    parser.add_argument("--minimize", action="store_true",
                        help="put the inputs of earlier runs that are needed into "
                        "tests/fuzz/corpus/, and leave")
    args = parser.parse_args()
    names = re.split(r"[,\s]+", args.targets.strip())
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no target '{unknown[0]}': choose from {', '.join(TARGETS)}")
    if args.jobs < 1:
        parser.error("--jobs must be at least 1")
    if args.reproduce:
        if len(names) != 1:
            parser.error("--reproduce needs --targets with the one target of the input")
        if not Path(args.reproduce).is_file():
            raise Fail(f"no input {args.reproduce}: give a file that a run has named")
        return 0 if reproduce(args.reproduce, names[0]) else 1
    with common.lock(f"fuzz-{common.digest(common.ROOT)}"):
        if args.minimize:
            minimize(names)
            return 0
        start = time.monotonic()
        results = fuzz_all(names, args.time, args.jobs)
        return report(results, time.monotonic() - start)


if __name__ == "__main__":
    common.main(main)
