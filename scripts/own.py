#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs on a kernel of yours the lanes that make sense there.

  own.py --kdir DIR    a kernel tree that was built, or the directory it was built in

Lanes:
  conformance  the suites for any provider, which need CONFIG_KUNIT
  dmatest      the kernel's dmatest, with each mode of interrupts
  suites       the driver's own suites, on the QEMU device
  reload       loading and unloading the driver 100 times; unbinding it while dmatest runs
  observe      tracepoints, counters and loopdmactl
  inject       faults on demand
  survive      reset, errors of the bus, sleep and surprise removal

The last line is the sum: N passed, N failed, N skipped.  Exit status 0 only if nothing
failed and something passed.  What the kernel has no option for is skipped, with the line
for .config.  Results as JSON in build/reports/check-own.json.
"""

import argparse
import dataclasses
import re
import time

import check
import common
import conformance
import guest
import kunit
import modules
import target
from check import Case

# What a suite is loaded with; with channels that are wired to each other.
SUITES = {
    "conformance": ("dmaengine_conformance",
                    "device=loopdma tx=dma0chan0 rx=dma0chan1 metadata=16"),
    "suites": ("loopdma_kunit", "dut=live"),
}

SUITE_JOB = """\
fail() { echo "$*"; exit 1; }
mkdir -p /lib/modules/$(uname -r)
mv /modules.dep /lib/modules/$(uname -r)/
insmod /loopdma.ko || fail "loopdma does not load"
[ -d /sys/module/kunit ] || modprobe kunit enable=1 autorun=1 || fail "kunit does not load"
insmod /@MODULE@.ko @ARGUMENTS@ || fail "@MODULE@ does not load"
for results in /sys/kernel/debug/kunit/*/results; do
	echo "%% suite"
	cat $results
done
rmmod @MODULE@ && rmmod loopdma || fail "the modules do not unload"
"""


def lacking(tree, *options):
    """The case that says that the kernel lacks an option, or None."""
    off = [f"CONFIG_{option}" for option in options if not tree.has(option)]
    if not off:
        return None
    are = "is off" if len(off) == 1 else "are off"
    return Case(", ".join(off), "SKIP", f"{are}: add {' '.join(f'{name}=y' for name in off)}, "
                f"or all that a guest needs: {target.merge()}")


def suite(tree, lane):
    missing = lacking(tree, "KUNIT", "KUNIT_DEBUGFS")
    if missing:
        return [missing]
    module, arguments = SUITES[lane]
    files = guest.module_files(modules.build(tree.kdir())[0]) | {
        f"{name}.ko": data for name, data in tree.modules(["kunit"]).items()}
    job = SUITE_JOB.replace("@MODULE@", module).replace("@ARGUMENTS@", arguments)
    outcome = guest.run(guest.Guest(
        kernel=tree.image(), job=job, name=f"own-{lane}", iommu=tree.iommu,
        files=files | guest.modprobe(files), append="kunit.enable=1 kunit.autorun=1",
        device=kunit.DEVICES["live"], taint=guest.TAINT_TEST,
        allowed=((guest.DRIVER, "devices that fail on demand"),)))
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    ktap = common.REPORTS / f"own-{lane}.ktap"
    ktap.write_text(kunit.ktap_of(outcome.lines), encoding="utf-8")
    results = conformance.read_results(ktap.read_text(encoding="utf-8"))
    cases = [Case(name, status, reason or ("" if status == "PASS" else
                                           f"results: {common.relative(ktap)}"))
             for name, (status, reason) in results.items()]
    if outcome.reason and not any(case.status == "FAIL" for case in cases):
        cases.append(Case("run", "FAIL", outcome.reason))
    lost = [name for name in cases_of(lane) if name not in results]
    if lost and not outcome.reason:
        cases.append(Case("run", "FAIL", f"{lost[0]} was not run"))
    return cases


def cases_of(lane):
    """The cases that a suite must tell of, by its sources."""
    if lane != "conformance":
        return []
    return [name for path in conformance.SUITES.glob("*.c")
            if "kunit_test_suite(" in (text := path.read_text(encoding="utf-8"))
            for name in conformance.read_cases(text)]


def files_with_dmatest(tree):
    """The modules with dmatest; None if there is none to be loaded."""
    dmatest = tree.dmatest()
    return dmatest and guest.module_files(modules.build(tree.kdir())[0]) | {
        "dmatest.ko": dmatest}


def with_dmatest(tree, lane, make, judge, needs=(), **options):
    """A lane of check.py on this kernel, with dmatest."""
    missing = lacking(tree, *needs)
    if missing:
        return [missing]
    files = files_with_dmatest(tree)
    if not files:
        how = "is built in" if tree.has("DMATEST") else "is missing"
        return [Case(lane, "SKIP", f"dmatest {how}: set CONFIG_DMATEST=m")]
    one = make(tree.image(), files, **options)
    outcome = guest.run(dataclasses.replace(
        one, name=re.sub(r"\W+", "-", f"own {lane}"), iommu=tree.iommu,
        again=f"make check KDIR={tree.directory} LANES={lane.split()[0]}"))
    return judge(outcome)


def dmatest(tree, mode):
    name = f"{mode} iommu={tree.iommu}"
    needs = () if mode == "intx" else ("PCI_MSI",)
    return with_dmatest(tree, f"dmatest {mode}", check.dmatest_guest,
                        lambda outcome: [check.verdict(name, outcome.reason)], needs,
                        mode=mode, iommu=tree.iommu)


def lanes_of(tree):
    """{lane: function that gives {task: function that gives cases}}"""
    def told(lane, make, judge=check.observed_cases, needs=()):
        return lambda: {lane: lambda: with_dmatest(
            tree, lane, make, lambda outcome: judge("guest", outcome), needs)}

    def reloaded(_, outcome):
        return [check.verdict("100 times, 3 times while dmatest runs", outcome.reason)]

    return {
        "conformance": lambda: {"conformance": lambda: suite(tree, "conformance")},
        "dmatest": lambda: {mode: lambda mode=mode: dmatest(tree, mode)
                            for mode in ("msix", "msi", "intx")},
        "suites": lambda: {"suites": lambda: suite(tree, "suites")},
        "reload": told("reload", check.reload_guest, reloaded),
        "observe": told("observe", check.observe_guest, needs=(
            "EVENT_TRACING", "HIST_TRIGGERS")),
        "inject": told("inject", check.inject_guest),
        "survive": told("survive", check.survive_guest, check.cases_told, (
            "PCI_MSI", "PCIEAER", "HOTPLUG_PCI_PCIE", "HOTPLUG_PCI_ACPI", "SUSPEND")),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kdir", metavar="DIR", required=True,
                        help="the kernel: its tree, or the directory it was built in")
    parser.add_argument("--lanes", metavar="NAME,...", help="only these lanes")
    args = parser.parse_args()
    start = time.monotonic()
    tree = target.Tree(args.kdir)
    lanes = lanes_of(tree)
    names = re.split(r"[,\s]+", args.lanes.strip()) if args.lanes else list(lanes)
    unknown = [name for name in names if name not in lanes]
    if unknown:
        parser.error(f"no lane '{unknown[0]}' with KDIR: choose from {', '.join(lanes)}")
    common.say(f"Linux {tree.release} in {tree.directory}")
    for line in tree.lacks():
        common.say(f"  {line}")
    common.qemu()
    modules.build(tree.kdir())
    guest.busybox()
    runner = check.Runner([name for name in lanes if name in names], lanes)
    runner.run()
    return check.report(runner.lanes.values(), time.monotonic() - start, "check-own")


if __name__ == "__main__":
    common.main(main)
