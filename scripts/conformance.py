#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the conformance suites over a DMA engine of an emulated machine.

  conformance.py run MACHINE               all cases; a guest that dies or hangs is replaced
  conformance.py run MACHINE --isolate case    each case in a guest of its own
  conformance.py run MACHINE --only 'dmaengine_issue.*' seed=7
  conformance.py run MACHINE --patch FILE  with a patch for the provider
  conformance.py machines                  what MACHINE can be
  conformance.py table                     how the last run of each went, as a table
  conformance.py series DIRECTORY          the suites as patches for the kernel's tree

NAME=VALUE are parameters of the module, see Documentation/conformance.rst.  The results are
printed, each failure with its rule, and are in build/reports/conformance-MACHINE.ktap, or
conformance-MACHINE-patched.ktap.  Exit status 0 only if something passed and nothing failed
but what is known to fail.
"""

import argparse
from pathlib import Path

from lib import common, machines, provider, series


def parameter(text):
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier() or "'" in value:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def run(args):
    target = provider.target_of(args.machine, args.patch)
    results = provider.run(target, dict(args.parameters), args.isolate, args.only)
    provider.keep(args.machine + (provider.PATCHED if args.patch else ""), results)
    print("\n".join(provider.told(args.machine, results)))
    cases = provider.judged(args.machine, results, provider.mended(args.machine, args.patch))
    return 0 if any(case.status == "PASS" for case in cases) and \
        all(case.status != "FAIL" for case in cases) else 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("machines", help="list them")
    commands.add_parser("table", help="tell how the last runs went")
    patches = commands.add_parser("series", help="write the suites as patches")
    patches.add_argument("directory", type=Path, metavar="DIRECTORY", help="where to, a new one")
    one = commands.add_parser("run", help="run the suites")
    one.add_argument("machine", metavar="MACHINE")
    one.add_argument("--isolate", choices=["case", "suite"], default="",
                     help="a guest for each of them")
    one.add_argument("--only", metavar="GLOB", default="", help="cases that match, suite.case")
    one.add_argument("--patch", type=Path, metavar="FILE", action="append", default=[],
                     help="for the provider or virt-dma, in the kernel's tree: with it only what "
                     "is known to fail for another reason may fail; may be repeated")
    one.add_argument("parameters", nargs="*", type=parameter, metavar="NAME=VALUE",
                     default=[])
    args = parser.parse_args()
    if args.command == "run":
        return run(args)
    if args.command == "table":
        print("\n".join(provider.table()))
        return 0
    if args.command == "series":
        for path in series.write(args.directory):
            print(path)
        return 0
    for name in provider.names():
        machine = machines.MACHINES.get(name)
        print(f"{name:<15} {machine.provider if machine else name}")
    return 0


if __name__ == "__main__":
    common.main(main)
