#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures the device and the driver, mostly in ratios, and writes them down.

Boots a stock kernel with one CPU and with two, in turns, and lets loopdma_bench measure;
measures the host's own memcpy() in each run, too.  Then counts the guest's instructions.
Prints the figures and what follows from them, and writes build/reports/bench.json and
bench.html.  What each figure means is in Documentation/performance.rst.  Nothing here
decides whether a test passes.
"""

import argparse
import dataclasses

from lib import bench, bench_peers, common


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--quick", action="store_true", help="less of everything")
    what.add_argument("--instructions", action="store_true",
                      help="count the guest's instructions, and nothing else")
    what.add_argument("--peers", action="store_true",
                      help="measure beside the fastest DMA engine that QEMU has without it")
    parser.add_argument("--base", metavar="COMMIT", help="measure driver and device of "
                        "another commit in turn with these, and print the ratios")
    parser.add_argument("--cell", metavar="NAME",
                        help="stock kernel, as listed by make kernels "
                        "(default: the first of them)")
    parser.add_argument("--runs", type=int, metavar="N", help="default: "
                        f"{bench.FULL.runs}, with --quick {bench.QUICK.runs}")
    args = parser.parse_args()
    if args.runs is not None and args.runs < 1:
        parser.error("--runs must be 1 or more")
    if args.peers and (args.base or args.cell):
        parser.error("--base and --cell are not for --peers")
    plan = bench.QUICK if args.quick else bench.FULL
    if args.runs is not None:
        plan = dataclasses.replace(plan, runs=args.runs)
    if args.peers:
        bench_peers.run(plan.runs)
    else:
        bench.run(plan, args.base, args.cell, args.instructions)
    return 0


if __name__ == "__main__":
    common.main(main)
