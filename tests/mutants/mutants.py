#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Proves that the tests can fail: bugs are planted, one at a time, and must be found.

Each record of tests/mutants/mutants.toml is a bug in the driver or in the device: text to
search for, which a file has once, and to replace.  It says what kind of bug that is, and
names the cases that must fail:

  loopdma_order.ring_full     a KUnit case, run on user-mode Linux
  qtest abort.full_ring       test_full_ring in tests/qtest/test_abort.py
  qtest abort.twice.same      its test_twice[same]
  qtest abort.part.two-async  its test_part[two-async]
  user iommu.copies           a case of tests/user/user-test.c, on a machine of the lane user

If there are several, all must fail, and all must be of one suite.  First the suites run
without a bug, and all those cases must pass.  With a bug only what is named runs: other
cases may each wait long for what will not come.  If it does not find the bug, its whole
suite runs, to see whether another case does.  The work is done in a copy of the sources,
in build/mutants/.

The last line is the sum: N mutants: N killed, N survived.  Exit status 0 only if
all were killed.  Results as JSON in build/reports/mutants.json.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from lib import common, kernel, modules, pytests
from lib.common import Fail

MUTANTS = common.ROOT / "tests" / "mutants" / "mutants.toml"
SCRATCH = common.BUILD / "mutants"
COPY = SCRATCH / "src"

# A case gives up waiting for what does not come after 10 s, but may wait several times.
HANG = 120

VERDICTS = {"PASS": "ok", "FAIL": "not ok", "SKIP": "skip"}

# Quick, and of a build that is up to date: what puts the shared builds in order.
LAST_KUNIT = "loopdma_ring.init_empty"


@dataclasses.dataclass
class Mutant:
    """A planted bug."""
    name: str
    what: str               # kind of bug, in words
    changes: list           # {"file": path, "search": text, "replace": text}
    killers: list           # cases that must fail
    suite: tuple            # ("kunit", "qtest" or "user", glob)
    status: str = ""        # killed, survived, or error
    reason: str = ""
    seconds: float = 0.0
    failed: list = dataclasses.field(default_factory=list)


# --- records ------------------------------------------------------------------

def record(name, one):
    """A mutant from its record."""
    where = f"{common.relative(MUTANTS)}: [{name}]"
    if set(one) != {"bug", "killed-by", "change"} or not one["bug"] or not one["change"]:
        raise Fail(f"{where} needs a bug, killed-by and [[{name}.change]], and no more")
    for change in one["change"]:
        if set(change) != {"file", "search", "replace"} or not change["search"]:
            raise Fail(f"{where}: a change needs file, search and replace, and no more")
    found = [re.fullmatch(r"(?:(qtest|user) )?(\w+)\.([\w.-]+)", case)
             for case in one["killed-by"]]
    if not found or not all(found):
        raise Fail(f"{where} does not say what finds it: killed-by takes 'suite.case', "
                   "'qtest group.case' or 'user machine.case'")
    suites = {(case[1] or "kunit", f"{case[2]}.*") for case in found}
    if len(suites) > 1:
        raise Fail(f"{where} names cases of several suites: leave those of one")
    return Mutant(name, one["bug"], one["change"], [f"{case[2]}.{case[3]}" for case in found],
                  suites.pop())


def selected(names, text=None):
    try:
        records = tomllib.loads(MUTANTS.read_text(encoding="utf-8") if text is None else text)
    except tomllib.TOMLDecodeError as e:
        raise Fail(f"{common.relative(MUTANTS)}: {e}") from None
    for name in names:
        if name not in records:
            raise Fail(f"no mutant '{name}': see --list")
    return [record(name, one) for name, one in records.items() if not names or name in names]


# --- the copy -----------------------------------------------------------------

def sources():
    """The checkout as it is now: {path: content}, {path: mode}."""
    names = [Path(name) for name in common.files()]
    return {name: (common.ROOT / name).read_bytes() for name in names}, \
        {name: (common.ROOT / name).stat().st_mode for name in names}


def put(wanted, modes):
    """Makes the copy what the checkout was; what it has built is kept."""
    modules.sync(wanted, COPY, remove=False)
    for name, mode in modes.items():
        if (COPY / name).stat().st_mode != mode:
            (COPY / name).chmod(mode)
    for path in COPY.rglob("*"):
        name = path.relative_to(COPY)
        if path.is_file() and name not in wanted and name.parts[0] != "build" and \
                path.suffix != ".pyc":
            path.unlink()


def plant(mutant):
    """Makes a mutant's changes in the copy."""
    for name in {change["file"] for change in mutant.changes}:
        path = COPY / name
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            raise Fail(f"there is no {name}: name the file that the code is in now") from None
        # All of them in the text as it is: a change may write what another searches.
        places = []
        for change in mutant.changes:
            if change["file"] == name:
                if text.count(change["search"]) != 1:
                    raise Fail(f"{name} has {text.count(change['search'])} times what is "
                               "searched: make the same mistake in the code as it is now")
                places.append((text.index(change["search"]), change))
        for place, change in sorted(places, key=lambda pair: -pair[0]):
            text = text[:place] + change["replace"] + text[place + len(change["search"]):]
        path.write_text(text, encoding="utf-8")


# --- running ------------------------------------------------------------------

def call(command, log):
    """Runs a program of the copy to its end; what it says, which may be bad news."""
    # A QEMU that was given does not have the bug.
    env = {name: value for name, value in os.environ.items() if name != "QEMU"}
    with open(log, "a", encoding="utf-8") as f:
        f.write(f"$ {' '.join(str(word) for word in command)}\n")
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=COPY,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                 encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise Fail(f"{command[0]} is missing: run 'make deps'") from None
    try:
        said = child.communicate()[0]
    except BaseException:
        # It ends what it has started.
        child.terminate()
        child.wait()
        raise
    with open(log, "a", encoding="utf-8") as f:
        f.write(said)
    return said


def run_suite(kind, glob, log, timeout):
    """Runs a suite of the copy.

    Returns {case: "ok", "not ok" or "skip"} in the order of the results, and "hung" or
    "crashed" if they are not all.
    """
    suite, _, case = glob.partition(".")
    if kind == "qtest":
        report = COPY / "build/reports/qtest.xml"
        command = ["pytest-3", f"tests/qtest/test_{suite}.py", "-n", str(common.jobs()),
                   f"--junitxml={report}", *([] if case == "*" else ["-k", glob])]
    elif kind == "user":
        report = COPY / "build/reports/check.json"
        command = [sys.executable, "scripts/check.py", "--full", "--only",
                   f"user:{kernel.cells()[0].name} {suite}"]
    else:
        report = COPY / "build/reports/kunit-uml.ktap"
        command = [sys.executable, "tests/kunit/run.py", "uml", "--filter", glob,
                   "--timeout", str(timeout)]
    report.unlink(missing_ok=True)
    said = call(command, log)
    if not report.exists():
        raise Fail(f"it cannot be run: {common.reason_in(said)} "
                   f"(log: {common.relative(log)})")
    if kind == "qtest":
        return results_in_junit(report), ""
    if kind == "user":
        results = results_of_user(suite, report)
        # What a guest says of itself is not good if not all cases came to their end.
        return results, "crashed" if results.pop(f"{suite}.run", "ok") != "ok" else ""
    text = report.read_text(encoding="utf-8", errors="replace")
    with open(log, "a", encoding="utf-8") as f:
        f.write(text)
    results, end = results_in_ktap(suite, text)
    if end and "# Subtest: " not in text:
        raise Fail(f"the kernel {end} before it came to the cases "
                   f"(log: {common.relative(log)})")
    return results, end


def results_in_junit(report):
    """The results of a file of cases, by the names that killed-by has."""
    return {case.name: VERDICTS[case.status] for case in pytests.read(report, "")}


def results_of_user(machine, report):
    """The results of the lane user, on one machine."""
    cases = json.loads(report.read_text(encoding="utf-8"))["lanes"]["user"]["cases"]
    # Behind the kernel and the machine.
    return {f"{machine}.{case['name'].split(maxsplit=2)[-1].replace(' ', '_')}":
            VERDICTS[case["status"]] for case in cases}


def results_in_ktap(suite, text):
    """The results of a suite in KTAP, which a crash or a hang may have cut off."""
    # KUnit's cases are below their suite, parameters of one below the case.
    results = {}
    for verdict, name, skip in re.findall(
            r"^    (ok|not ok) \d+ ([\w.]+)( # SKIP)?", text, re.MULTILINE):
        results[f"{suite}.{name}"] = "skip" if skip else verdict
    if re.search(rf"^(not )?ok \d+ {suite}\b", text, re.MULTILINE):
        return results, ""
    return results, "crashed" if "Kernel panic" in text else "hung"


def judge(mutant, results, end, order):
    """What a run with a planted bug shows: status and reason.

    `order` has the cases that were to run.
    """
    mutant.failed = [name for name, result in results.items() if result == "not ok"]
    stopped = None
    if end:
        stopped = next((name for name in order if name not in results), None)
    missed = [name for name in mutant.killers
              if results.get(name) != "not ok" and name != stopped]
    if not missed:
        if stopped in mutant.killers:
            return "killed", f"{end} in {stopped}"
        return "killed", ""
    if results.get(missed[0]) in ("ok", "skip"):
        others = [name for name in mutant.failed + [stopped] if name]
        if others:
            return "error", f"not found by {missed[0]}, but by {', '.join(others[:3])}: " \
                "name those that are meant to"
        return "survived", f"{missed[0]} passes: the case is too weak, or there is none " \
            "for this"
    if stopped:
        return "error", f"{end} in {stopped}, before {missed[0]}"
    return "error", f"there is no case {missed[0]}"


def baseline(suites, mutants, timeout):
    """Runs the suites without a bug; returns the order of the cases of each."""
    orders = {}
    for kind, glob in suites:
        log = common.new_log(f"mutants/none-{kind}-{glob[:-2]}")
        with common.step(f"{glob} without a bug"):
            results, end = run_suite(kind, glob, log, timeout)
        bad = [name for name, result in results.items() if result == "not ok"]
        if bad or end:
            raise Fail(f"without any bug {bad[0] if bad else glob} fails already: "
                       f"a mutant would prove nothing (log: {common.relative(log)})")
        for mutant in mutants:
            for name in mutant.killers if mutant.suite == (kind, glob) else []:
                if results.get(name) != "ok":
                    raise Fail(f"{mutant.name} names {name}, which "
                               f"{'is skipped' if name in results else 'is no case'}: "
                               "correct its killed-by")
        orders[kind, glob] = list(results)
    return orders


def try_out(mutant, order, log, timeout):
    """Runs what is to find the bug; if it does not, what else could."""
    kind, glob = mutant.suite
    # A guest that is booted may as well run all.
    if len(mutant.killers) == 1 and kind != "user":
        results, end = run_suite(kind, mutant.killers[0], log, timeout)
        status, reason = judge(mutant, results, end, mutant.killers)
        if status == "killed":
            return status, reason
    results, end = run_suite(kind, glob, log, timeout)
    return judge(mutant, results, end, order)


def attempt(mutant, good, order, timeout):
    start = time.monotonic()
    log = common.new_log(f"mutants/{mutant.name}")
    try:
        plant(mutant)
        mutant.status, mutant.reason = try_out(mutant, order, log, timeout)
    except Fail as e:
        mutant.status, mutant.reason = "error", str(e)
    finally:
        put(*good)
    mutant.seconds = time.monotonic() - start


def tidy(kinds):
    """Leaves the builds that all checkouts share as the sources are."""
    log = common.new_log("mutants/last")
    with common.step("building without a bug again"):
        if "kunit" in kinds:
            run_suite("kunit", LAST_KUNIT, log, HANG)
        if "qtest" in kinds:
            common.run([COPY / "scripts/build-qemu.sh"], log, "building QEMU again")


# --- results ------------------------------------------------------------------

def line(mutant):
    if mutant.status == "killed":
        verdict = f"killed by {', '.join(mutant.killers)}"
        if mutant.reason:
            verdict += f" ({mutant.reason})"
    else:
        verdict = f"{mutant.status.upper()}: {mutant.reason}"
    return f"{mutant.name:<28} {mutant.seconds:>5.0f} s  {verdict}"


def report(mutants, seconds):
    counts = {status: sum(1 for one in mutants if one.status == status)
              for status in ("killed", "survived", "error")}
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(common.REPORTS / "mutants.json", json.dumps({
        **counts, "seconds": round(seconds, 1), "mutants": [{
            "name": one.name, "what": one.what, "killers": one.killers,
            "status": one.status, "reason": one.reason, "failed": one.failed,
            "seconds": round(one.seconds, 1)} for one in mutants],
    }, indent=1) + "\n")
    print(f"time {seconds:.0f} s, report in build/reports/mutants.json, logs in "
          "build/logs/mutants/")
    print(f"{len(mutants)} mutants: {counts['killed']} killed, "
          f"{counts['survived']} survived"
          + (f", {counts['error']} with errors" if counts["error"] else ""), flush=True)
    return 0 if counts["killed"] == len(mutants) else 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,...", default="",
                        help="only these mutants (default: all)")
    parser.add_argument("--list", action="store_true", help="list the mutants and leave")
    parser.add_argument("--timeout", type=int, default=HANG, metavar="S",
                        help=f"end a KUnit suite that hangs after this (default {HANG})")
    args = parser.parse_args()
    mutants = selected(re.split(r"[,\s]+", args.only.strip()) if args.only else [])
    if args.list:
        for one in mutants:
            print(f"{one.name}\n    {one.what}\n    {', '.join(one.killers)}")
        return 0
    start = time.monotonic()
    shutil.rmtree(common.LOGS / "mutants", ignore_errors=True)
    # The device's last: each kind's build directory is then taken up once.
    mutants.sort(key=lambda one: (one.suite, one.name))
    with common.lock(f"mutants-{common.digest(common.ROOT)}"):
        good = sources()
        put(*good)
        orders = baseline(dict.fromkeys(one.suite for one in mutants), mutants,
                          args.timeout)
        for one in mutants:
            attempt(one, good, orders[one.suite], args.timeout)
            print(line(one), flush=True)
        tidy({one.suite[0] for one in mutants})
    return report(mutants, time.monotonic() - start)


if __name__ == "__main__":
    common.main(main)
