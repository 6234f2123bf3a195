#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs all tests and checks, in lanes, and counts what passed.

A lane is a file in scripts/lanes/, and has tasks.  Without options those of `make check`
run; with --full also those that take too long for every day.  With --kdir the lanes that
make sense run on a kernel of yours.

  check.py --list                 the lanes and their tasks
  check.py --lanes dmatest,qtest  these lanes
  check.py --only 'dmatest:6.1 *' these tasks, also slow ones
  check.py --full --shard 3/8     the third of eight parts that take equally long
  check.py --lanes storm --full --set storm.rounds=1000

The last line is the sum: N passed, N failed, N skipped.  Exit status 0 only if something
passed and nothing failed.  Results are in build/reports/: check.json, check.ktap,
check.xml (JUnit) and kcidb.json.
"""

import argparse
import concurrent.futures
import fnmatch
import importlib
import json
import re
import resource
import shutil
import sys
import threading
import time
import traceback
from pathlib import Path

import lanes
from lib import common, guest, kernel, lane as lane_of, modules, results, target
from lib.case import Case, explain
from lib.common import Fail

TIMES = Path(lanes.__file__).parent / "times.json"

# A guest that dies before it has loaded anything of ours, or of a known fault of QEMU, is no
# failure of ours, and no pass: it is skipped.  If more of them do, nobody knows what the rest
# is worth.
NOT_JUDGED_AT_MOST = 2

# What a task takes that has never been measured, in seconds.
UNKNOWN = 60
# What it takes to build what has never been built from nothing.
UNKNOWN_NEED = 300
# Tasks that run side by side, at least.
WORKERS = 2


def load():
    """{name: module} of all lanes."""
    names = sorted(path.stem for path in Path(lanes.__file__).parent.glob("[a-z]*.py"))
    return {name: importlib.import_module(f"lanes.{name}") for name in names}


class Job:
    """A task of a lane, to be run."""

    def __init__(self, lane, task, seconds):
        self.lane, self.task, self.seconds = lane, task, seconds

    @property
    def title(self):
        return self.lane if self.lane == self.task.name else f"{self.lane}:{self.task.name}"

    @property
    def again(self):
        return f"scripts/check.py --only '{self.title}'"


def known_times():
    """How long tasks take, and what they need from nothing."""
    return json.loads(TIMES.read_text(encoding="utf-8"))


def jobs(found, tasks_of):
    """All jobs of lanes, those that take long first."""
    times = known_times()["tasks"]
    made = [Job(name, task, 0) for name, module in found.items() for task in tasks_of(module)]
    for job in made:
        job.seconds = times.get(job.title, UNKNOWN)
    return sorted(made, key=lambda job: (-job.seconds, job.title))


def matches(job, patterns):
    return any(fnmatch.fnmatchcase(job.title, pattern) or job.lane == pattern
               for pattern in patterns)


class Part:
    """Jobs, and the seconds that they take on a machine that has nothing."""

    def __init__(self, times):
        self.times = times      # of what is built
        self.jobs = []
        self.needs = set()
        self.seconds = 0        # of the jobs, one after the other
        self.longest = 0

    def cost_with(self, *more):
        """What it would cost with more jobs."""
        needs = self.needs.union(*(lane_of.all_needs(job.task.needs) for job in more))
        seconds = self.seconds + sum(job.seconds for job in more)
        longest = max(self.longest, *(job.seconds for job in more), 0)
        return sum(self.times.get(need.name, UNKNOWN_NEED) for need in needs) + \
            max(seconds / WORKERS, longest)

    def add(self, job):
        self.jobs.append(job)
        self.needs.update(lane_of.all_needs(job.task.needs))
        self.seconds += job.seconds
        self.longest = max(self.longest, job.seconds)


def parts_within(made, count, times, limit):
    """Jobs in parts that cost no more than the limit, or None if that does not do.

    A job goes where it adds least: to others that need the same built.  One that costs more
    than the limit has a part for itself, and no part is without a job if there are enough.
    """
    parts = [Part(times) for _ in range(count)]
    for left, job in zip(range(len(made), 0, -1), made):
        costs = [(part.cost_with(job), part) for part in parts
                 if left > sum(not part.jobs for part in parts) or not part.jobs]
        fits = [(cost - part.cost_with(), part) for cost, part in costs
                if cost <= limit or not part.jobs]
        if not fits:
            return None
        min(fits, key=lambda pair: pair[0])[1].add(job)
    return parts


def shards(made, count, times):
    """Fair parts of the jobs: the same on each machine, and each job in one."""
    alone = Part(times)
    dear_first = sorted(made, key=lambda job: -alone.cost_with(job))
    limit = alone.cost_with(*made) / count
    while not (parts := parts_within(dear_first, count, times, limit)):
        limit *= 1.02
    return parts


class Lane:
    """A lane and what came out of it."""

    def __init__(self, name):
        self.name = name
        self.cases = []
        self.seconds = 0.0

    def count(self, status):
        return sum(1 for case in self.cases if case.status == status)


class Runner:
    """Runs jobs on all cores, and says how far it is."""

    def __init__(self, made):
        self.jobs = made
        self.lanes = {name: Lane(name) for name in sorted({job.lane for job in made})}
        self.times = {}
        self.need_times = {}
        self.broken = {}        # needs that are not there, and why
        self.failed = []        # pairs of job and case
        self.lock = threading.Lock()
        self.running = []

    def cases(self, job):
        log = common.LOGS / "check" / (re.sub(r"[^\w.-]+", "-", job.title) + ".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        place = common.relative(log)
        for need in lane_of.all_needs(job.task.needs):
            if need in self.broken:
                return [Case(job.task.name, "FAIL", f"{need.name}: {self.broken[need]}")]
        with open(log, "w", encoding="utf-8") as stream, common.output_to(stream):
            try:
                return job.task.run() or \
                    [Case(job.task.name, "FAIL", "nothing was tested", place)]
            except Fail as e:
                return [Case(job.task.name, "FAIL", str(e), place)]
            except OSError as e:
                return [Case(job.task.name, "FAIL", f"{e.strerror}: {e.filename or ''}", place)]
            except Exception as e:      # one lane's bug must not hide the others' results
                traceback.print_exc(file=stream)
                return [Case(job.task.name, "FAIL", f"{type(e).__name__}: {e}", place)]

    def run_one(self, job):
        start = time.monotonic()
        with self.lock:
            self.running.append(job.title)
        cases = self.cases(job)
        if common.ending.is_set():
            return      # it was interrupted, of which nobody need be told in detail
        seconds = time.monotonic() - start
        with self.lock:
            self.running.remove(job.title)
            lane = self.lanes[job.lane]
            lane.cases += cases
            lane.seconds += seconds
            self.times[job.title] = round(seconds)
            bad = [case for case in cases if case.status == "FAIL"]
            for case in bad:
                explain(case)
            self.failed += [(job, case) for case in bad]
            self.clear()
            for case in bad[:5]:
                common.say(f"  FAIL {job.lane}: {case.name}: {case.reason}")
            if len(bad) > 5:
                common.say(f"  FAIL {job.lane}: {len(bad) - 5} more")
            common.say(f"  {job.title}: {'failed' if bad else 'done'}, {seconds:.1f} s")

    def clear(self):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)

    def clock(self, stop):
        start = time.monotonic()
        while not stop.wait(common.TICK):
            with self.lock:
                self.clear()
                print(f"  {', '.join(self.running)} ... "
                      f"{time.monotonic() - start:.0f} s", end="", file=sys.stderr,
                      flush=True)

    def run(self):
        stop = threading.Event()
        ticker = threading.Thread(target=self.clock, args=(stop,), daemon=True)
        if sys.stderr.isatty():
            ticker.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(max(WORKERS, common.jobs())) as pool:
                begun = [pool.submit(self.run_one, job) for job in self.jobs]
                try:
                    concurrent.futures.wait(begun)
                except BaseException:
                    # Those that have begun end without their children; the rest need not
                    # begin.
                    common.end_children()
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            stop.set()
            if ticker.is_alive():
                ticker.join()
            self.clear()


def fail_if_many_are_lost(cases):
    """Fails all that was not judged if it is too much."""
    lost = [case for case in cases if not case.judged]
    if len(lost) > NOT_JUDGED_AT_MOST:
        for case in lost:
            case.status = "FAIL"


def cpu_seconds():
    """What this process and those that have ended below it have used of CPUs."""
    return sum(used.ru_utime + used.ru_stime for used in map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def explained(failed):
    """What is to be known of cases that failed."""
    for job, case in failed:
        print(f"FAIL {job.lane}: {case.name}: {case.reason}")
        for line in case.detail:
            print(f"    | {line}")
        if case.log:
            print(f"    log: {case.log}")
        print(f"    again: {job.again}")


def report(runner, start, name):
    """Says what came out, and leaves it in build/reports/; returns the exit status."""
    every = list(runner.lanes.values())
    fail_if_many_are_lost([case for lane in every for case in lane.cases])
    print(f"{'lane':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'time':>8}")
    for lane in every:
        print(f"{lane.name:<12} {lane.count('PASS'):>7} {lane.count('FAIL'):>7} "
              f"{lane.count('SKIP'):>8} {lane.seconds:>6.0f} s")
    print()
    for lane in every:
        for case in lane.cases:
            if case.status == "SKIP" or case.status == "FAIL" and not case.judged:
                print(f"{case.status} {lane.name}: {case.name}: {case.reason}")
    explained(runner.failed)
    seconds = time.time() - start
    totals = [sum(lane.count(status) for lane in every) for status in ("PASS", "FAIL", "SKIP")]
    summary = f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped"
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    for file, text in {
            f"{name}.json": json.dumps({
                "passed": totals[0], "failed": totals[1], "skipped": totals[2],
                "seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds(), 1),
                "commit": results.commit(), "machine": results.machine(),
                "times": {"tasks": runner.times, "needs": runner.need_times},
                "lanes": {lane.name: {"seconds": round(lane.seconds, 1), "cases": [
                    vars(case) for case in lane.cases]} for lane in every}}, indent=1) + "\n",
            f"{name}.ktap": results.ktap(every), f"{name}.xml": results.junit(every),
            "kcidb.json": json.dumps(results.kcidb(every, start), indent=1) + "\n",
            "summary.txt": summary + "\n"}.items():
        common.write_atomically(common.REPORTS / file, text)
    print(f"time {seconds:.0f} s, {cpu_seconds():.0f} s of CPU; reports in build/reports/, "
          "logs in build/logs/")
    print(summary, flush=True)
    return 1 if totals[1] or not totals[0] else 0


def prepare(made):
    """Gets what jobs need, see lib/needs.py.

    {name of a need: seconds that it took}, and {need that is not there: why}.  If nothing
    can run for that, it fails itself.
    """
    needs = lane_of.all_needs(need for job in made for need in job.task.needs)
    times, broken = {}, {}

    def get(need):
        start = time.monotonic()
        try:
            need.build()
        except Fail as e:
            broken[need] = str(e)
        times[need.name] = round(time.monotonic() - start)

    def fetch():
        with common.output_to(log):
            for need in needs:
                if need.fetched:
                    get(need)

    with open(common.new_log("fetch"), "w", encoding="utf-8") as log, \
            concurrent.futures.ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetch)
        try:
            for need in needs:
                if fetching.done():
                    fetching.result()
                if not need.fetched:
                    get(need)
            if not fetching.done():
                with common.step("fetching kernels"):
                    concurrent.futures.wait([fetching])
        except BaseException:
            common.end_children()
            raise
        fetching.result()
    if broken and all(any(need in broken for need in lane_of.all_needs(job.task.needs))
                      for job in made):
        raise Fail(next(iter(broken.values())))
    return times, broken


def listed(made, as_json):
    """Prints the jobs, with the seconds that each usually takes."""
    if as_json:
        print(json.dumps([{"lane": job.lane, "task": job.task.name, "full": job.task.full,
                           "seconds": job.seconds} for job in made], indent=1))
        return
    for name in sorted({job.lane for job in made}):
        print(f"{name:<12} {sys.modules[f'lanes.{name}'].__doc__.splitlines()[0]}")
        for job in made:
            if job.lane == name:
                print(f"{'':<12} {job.title:<44} {job.seconds:>5} s"
                      f"{'  with --full' if job.task.full else ''}")


def save_times():
    """Keeps how long the tasks of the last run took, for --shard and --list."""
    path = common.REPORTS / "check.json"
    if not path.exists():
        raise Fail(f"no {common.relative(path)}: run 'make check' or 'make check-full' first")
    times = known_times()
    new = json.loads(path.read_text(encoding="utf-8"))["times"]
    times["tasks"] |= new["tasks"]
    for name, seconds in new["needs"].items():
        # What was there in part took less than it takes from nothing.
        times["needs"][name] = max(seconds, times["needs"].get(name, 0))
    common.write_atomically(TIMES, json.dumps(times, indent=1, sort_keys=True) + "\n")


def part(text):
    """3/8 as (3, 8), for argparse."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if not found or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is no part: give 1/8 to 8/8")
    return int(found[1]), int(found[2])


def words(text):
    return [word.strip() for word in text.split(",") if word.strip()]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=words, default=[], metavar="NAME,...",
                        help="only these lanes")
    parser.add_argument("--only", type=words, default=[], metavar="LANE:TASK,...",
                        help="only these tasks; * and ? match any")
    parser.add_argument("--full", action="store_true", help="the slow tasks, too")
    parser.add_argument("--shard", type=part, metavar="I/N",
                        help="the I-th of N parts that take equally long")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER",
                        help="how much a task is to do, see --list")
    parser.add_argument("--kdir", metavar="DIR", help="on this kernel: its tree, or the "
                        "directory it was built in")
    parser.add_argument("--list", action="store_true", help="list the tasks and leave")
    parser.add_argument("--json", action="store_true", help="with --list: for programs")
    parser.add_argument("--save-times", action="store_true", help="keep how long the tasks "
                        "of the last run took, and leave")
    return parser, parser.parse_args()


def chosen(parser, args, found, tree):
    """The jobs that were asked for."""
    for name in args.lanes:
        if name not in found:
            where = " with KDIR" if tree else ""
            parser.error(f"no lane '{name}'{where}: choose from {', '.join(found)}")
    made = jobs(found, lambda module: module.on_tree(tree) if tree else module.tasks())
    for pattern in args.only:
        if not any(matches(job, [pattern]) for job in made):
            parser.error(f"no task '{pattern}': see --list --full")
    made = [job for job in made if
            (args.only or not (job.task.daily if args.full else job.task.full)) and
            (not args.lanes or job.lane in args.lanes) and
            (not args.only or matches(job, args.only))]
    if not made:
        parser.error("no task is left: those of these lanes need --full")
    if not args.shard:
        return made
    number, count = args.shard
    part = shards(made, count, known_times()["needs"])[number - 1]
    return [job for job in made if job in part.jobs]


def main():
    parser, args = arguments()
    if args.save_times:
        save_times()
        return 0
    start = time.time()
    found = load()
    tree = target.Tree(args.kdir) if args.kdir else None
    if tree:
        found = {name: module for name, module in found.items() if hasattr(module, "on_tree")}
    try:
        for text in args.set:
            lane_of.set_parameter(text)
    except Fail as e:
        parser.error(str(e))
    made = chosen(parser, args, found, tree)
    if args.list:
        listed(made, args.json)
        if not args.json:
            print("\nParameters, for --set:")
            for name, one in lane_of.parameters.items():
                print(f"  {name}={one.value:<10} {one.what}")
        return 0
    if tree:
        # The lane own runs this beside others, whose logs are to stay.
        common.say(f"Linux {tree.release} in {tree.directory}")
        for line in tree.lacks():
            common.say(f"  {line}")
        common.qemu()
        guest.busybox()
        modules.build(tree.kdir())
    else:
        shutil.rmtree(common.LOGS / "check", ignore_errors=True)
        common.say(f"stock kernels of {' '.join(kernel.release())}: "
                   f"{', '.join(cell.kver for cell in kernel.cells())}")
        for name in {"6.1", "6.12"} - {cell.name for cell in kernel.cells()}:
            common.say(f"this release has no {name} kernel: nothing is tested on {name}")
    runner = Runner(made)
    runner.need_times, runner.broken = prepare(made)
    runner.run()
    return report(runner, start, "check-own" if tree else "check")


if __name__ == "__main__":
    common.main(main)
