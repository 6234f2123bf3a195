#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests the QEMU device by itself: no guest, the test is the CPU.

Each case starts a QEMU with the device in it, drives its registers over the qtest
protocol, and checks one rule of Documentation/hardware.rst.  Prints KTAP, and
nothing else, on standard output; the same goes to build/reports/qtest.ktap.
"""

import argparse
import concurrent.futures
import fnmatch
import importlib
import os
import shutil
import time
from pathlib import Path

import common
from common import Fail
from qtest import suite

SCRATCH = common.BUILD / "qtest"


def load():
    """All cases, by name, in the order in which they are written."""
    for path in sorted(Path(suite.__file__).parent.glob("cases_*.py")):
        importlib.import_module(f"qtest.{path.stem}")
    return suite.CASES


def selected(pattern, threaded):
    """Cases by name; with `threaded` only those that may have threads of the device's."""
    cases = [one for name, one in load().items()
             if (not pattern or fnmatch.fnmatch(name, pattern)) and
             (one.threaded or not threaded)]
    if not cases:
        raise Fail(f"no case matches '{pattern}': see --list")
    return cases


class Ktap:
    """The report: a line for each case, in order, as soon as it is known."""

    def __init__(self, total):
        self.lines = []
        self.failed = 0
        self.number = 0
        self.say("KTAP version 1")
        self.say(f"1..{total}")

    def say(self, line):
        self.lines.append(line)
        print(line, flush=True)

    def result(self, name, reason):
        self.number += 1
        self.failed += bool(reason)
        self.say(f"{'not ok' if reason else 'ok'} {self.number} {name}")
        for line in reason:
            self.say(f"# {line}")

    def save(self, name):
        common.REPORTS.mkdir(parents=True, exist_ok=True)
        common.write_atomically(common.REPORTS / f"{name}.ktap",
                                "\n".join(self.lines) + "\n")


def timed(one, qemu, scratch):
    start = time.monotonic()
    reason = suite.run(one, qemu, scratch)
    return reason, time.monotonic() - start


def run(cases, qemu, name, verbose):
    # What a sanitizer has reported, and QEMU has said, is worth to be looked at.
    scratch = SCRATCH / (str(os.getpid()) if name == "qtest" else name)
    shutil.rmtree(scratch, ignore_errors=True)
    ktap = Ktap(len(cases))
    try:
        with concurrent.futures.ThreadPoolExecutor(common.jobs()) as pool:
            running = [(one, pool.submit(timed, one, qemu, scratch)) for one in cases]
            try:
                for one, future in running:
                    reason, seconds = future.result()
                    ktap.result(one.name, reason)
                    if verbose:
                        common.say(f"  {one.name}: {seconds:.2f} s: {one.rule}")
            except BaseException:
                # Those that have begun end by themselves; the rest need not begin.
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        if name == "qtest":
            shutil.rmtree(scratch, ignore_errors=True)
    ktap.save(name)
    return ktap.failed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qemu", metavar="PATH", help="a QEMU that has the device, instead "
                        "of the one that scripts/build-qemu.sh builds")
    parser.add_argument("--sanitizer", choices=["address", "thread"],
                        help="a QEMU that is built with it (scripts/build-qemu.sh); what it "
                        "reports makes a case fail, and is kept in build/qtest/.  With "
                        "thread, only cases that may have engines")
    parser.add_argument("--release", metavar="CODENAME", help="a QEMU that is built from the "
                        "source of this release, for example bookworm")
    parser.add_argument("--list", action="store_true", help="list the cases and their rules")
    parser.add_argument("--filter", metavar="GLOB", help="only cases whose name matches")
    parser.add_argument("--verbose", action="store_true",
                        help="say what each case checks, and how long it took, on "
                        "standard error")
    args = parser.parse_args()
    cases = selected(args.filter, threaded=args.sanitizer == "thread")
    if args.list:
        for one in cases:
            print(f"{one.name}\n    {one.rule}")
        return 0
    qemu = args.qemu and shutil.which(args.qemu)
    if args.qemu and not qemu:
        raise Fail(f"--qemu {args.qemu} is not a program")
    name = "-".join(filter(None, ("qtest", args.sanitizer, args.release)))
    if args.sanitizer or args.release:
        qemu = qemu or common.build_qemu(common.ROOT, args.sanitizer, args.release)
    start = time.monotonic()
    failed = run(cases, qemu or common.qemu(), name, args.verbose)
    common.say(f"qtest: {len(cases) - failed} passed, {failed} failed, "
               f"{time.monotonic() - start:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    common.main(main)
