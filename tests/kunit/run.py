#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the KUnit suites on one device under test, and says how each case went.

  run.py uml --filter 'loopdma_ring.*'
  run.py live

scripts/lib/kunit.py says what the devices are.  Results go to build/reports/ as KTAP.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from lib import common, guest, kunit

DUTS = ("uml", "live", "fake", "public", "trace", "unordered", "hostile")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dut", choices=DUTS)
    parser.add_argument("--filter", metavar="GLOB", default="",
                        help="only cases that match, as in suite.case")
    parser.add_argument("--timeout", type=int, metavar="S", default=guest.HANG,
                        help=f"uml: end it after this time (default {guest.HANG})")
    args = parser.parse_args()
    if args.dut != "uml" and args.timeout != guest.HANG:
        parser.error("--timeout is for 'uml'")
    cases = kunit.uml(args.filter, args.timeout) if args.dut == "uml" else \
        kunit.in_guest(args.dut, args.filter)
    for case in cases:
        print(f"{case.status} {case.name}{': ' if case.reason else ''}{case.reason}")
        for line in case.detail:
            print(f"    | {line}")
    return 1 if any(case.status == "FAIL" for case in cases) else 0


if __name__ == "__main__":
    common.main(main)
