#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the KUnit suites.

  kunit.py uml     over the simulated device, on user-mode Linux, with the
                   driver dropped into a kernel tree, through the kernel's own
                   kunit.py; the conformance suites, too
  kunit.py live    on the QEMU device, in a guest with KASAN, lockdep, DMA API
                   debugging and more, the modules loaded as a user would
  kunit.py fake    in the same guest over the simulated device: what user-mode
                   Linux, with its one CPU, cannot show
  kunit.py public  the conformance suites in that guest, on a QEMU device with
                   public channels and an alignment
  kunit.py trace   the suite loopdma_trace in that guest, with one CPU, on the QEMU device
  kunit.py hostile the suite loopdma_hostile in that guest, with very many lies
  kunit.py kernel  builds the kernel of that guest, prints its build directory

Results as KTAP and JSON go to build/reports/.
"""

import argparse
import collections
import json
import os
import re
import shutil
import sys
from pathlib import Path

import common
import conformance
import guest
import kernel
import modules
import target
from common import Fail

CONFIG = common.ROOT / "scripts" / "configs" / "kunit-x86.config"
FLOOR = common.ROOT / "scripts" / "kunit.floor"

# Where the parts of the project go in a kernel tree.
OVERLAY = {
    "drivers/dma/loopdma": "drivers/dma/loopdma",
    "tests/kunit": "drivers/dma/loopdma/kunit",
    "tests/kunit/lib": "drivers/dma/loopdma/kunit/lib",
    "tests/conformance": "drivers/dma/conformance",
    "include/loopdma": "include/loopdma",
}

# On user-mode Linux: a simulated device for the conformance suites, and what it is.
UML_ARGUMENTS = ["loopdma_kunit.standing=1"] + [
    f"dmaengine_conformance.{argument}" for argument in (
        "device=loopdma-sim", "software=1", "tx=dma0chan0", "rx=dma0chan1", "metadata=16")]

Counts = collections.namedtuple("Counts", "passed failed skipped")


# --- kernels ------------------------------------------------------------------

def compiler(variables=()):
    """What tells one compiler from another: that of a kernel's make variables."""
    if "LLVM=1" in variables:
        for tool in ("clang", "ld.lld", "llvm-ar"):
            if not shutil.which(tool):
                raise Fail(f"{tool} is missing: run 'scripts/deps.sh full'")
        return common.run(["clang", "--version"]).strip()
    return common.run(["gcc", "-dumpfullversion"]).strip()


def configured(base, changes):
    """A configuration with the lines of another in place of its own for these options."""
    option = re.compile(r"^(?:# )?(CONFIG_\w+)(?:=| is not set)")
    changed = {found[1] for found in map(option.match, changes.splitlines()) if found}
    kept = [line for line in base.splitlines()
            if not (found := option.match(line)) or found[1] not in changed]
    return "\n".join([*kept, changes])


def options(config):
    """The lines of a configuration that say something, without its comments."""
    return "\n".join(re.findall(r"^(?:# )?CONFIG_.*", config, re.MULTILINE))


# What the guests' KUnit kernel is built from.  This one takes 17 minutes of CPU time
# to build, the newest a third more: the newest is a cell of the matrix.
LINUX = "6.12"


def x86_kernel(changes=None, linux=LINUX):
    """The build directory of the guest's KUnit kernel: built once, then cached.

    With a file of changes to its configuration, a variant of that kernel.  Its source is
    that of the stock kernel that is named, the newest if that one cannot be had.
    """
    wanted = CONFIG.read_text(encoding="ascii")
    title = "KUnit guest kernel"
    if changes:
        wanted = configured(wanted, changes.read_text(encoding="ascii"))
        title = f"{title} for {changes.stem}"
    return x86_built("kunit-x86", title, linux, wanted, changes or CONFIG)


def own_kernel():
    """The build directory of a kernel as its developers have one: the newest, and no more
    in it than a guest needs.
    """
    wanted = target.GUEST_CONFIG.read_text(encoding="ascii")
    return x86_built("own-kernel", "kernel for KDIR=", "", wanted, target.GUEST_CONFIG)


def x86_built(kind, title, linux, wanted, where):
    """The build directory of a kernel with the options that are wanted, found in a file."""
    cell, tree = kernel.source(next((c for c in kernel.cells() if c.name == linux), None))
    variables = modules.toolchain(wanted)
    final = common.cache() / kind / (
        f"{cell.version}-" + common.digest(options(wanted), compiler(variables)))
    if final.exists():
        return final
    with common.lock(f"{kind}-{final.name}"):
        if final.exists():
            return final
        log = common.new_log(f"kernel-{kind}-{cell.name}-{where.stem}")
        with common.filling(final) as part, \
                common.step(f"building the {title} {cell.name} (once; 4 to 14 minutes)"):
            kernel.build(tree, part, wanted, where, log, ["ARCH=x86_64", *variables],
                         ["bzImage", "modules"])
    return final


# --- user-mode Linux ----------------------------------------------------------

def overlay(tree, linux):
    """Drops driver and suites into a kernel tree, as a patch would."""
    for source, target in OVERLAY.items():
        wanted = {Path(path.name): path.read_bytes()
                  for path in (common.ROOT / source).iterdir() if path.is_file()}
        if source == "drivers/dma/loopdma" and not wanted:
            raise Fail("drivers/dma/loopdma is empty: the checkout is not complete")
        directory = linux / target
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.iterdir():
            if path.is_file() and Path(path.name) not in wanted:
                path.unlink()
        modules.sync(wanted, directory, remove=False)
    for name, lines in {
            "Kconfig": 'source "drivers/dma/loopdma/Kconfig"\n'
                       'source "drivers/dma/loopdma/kunit/Kconfig"\n'
                       'source "drivers/dma/conformance/Kconfig"\n',
            # The suites run in this order: loopdma_standing looks at what is left behind.
            "Makefile": "obj-$(CONFIG_LOOPDMA) += loopdma/\n"
                        "obj-$(CONFIG_DMAENGINE_CONFORMANCE_TEST) += conformance/\n"
                        "obj-$(CONFIG_LOOPDMA_KUNIT_TEST) += loopdma/kunit/\n"}.items():
        text = (tree / "drivers/dma" / name).read_text(encoding="utf-8")
        if name == "Kconfig":
            # Inside the menu, which ends with the file.
            head, end, tail = text.rpartition("\nendif\n")
            text = head + "\n" + lines + end + tail
        else:
            text += lines
        modules.sync({Path(name): text.encode()}, linux / "drivers/dma", remove=False)


def uml(pattern="", timeout=guest.HANG):
    """The suites on user-mode Linux, or the cases that match a pattern of KUnit's."""
    newest, tree = kernel.source()
    name = f"{newest.version}-{common.digest(compiler())}"
    scratch = common.cache() / "kunit-uml" / name
    linux, out = scratch / "linux", scratch / "out"
    log = common.new_log("kunit-uml-build")
    report = common.REPORTS / "kunit-uml.json"
    ktap = common.REPORTS / "kunit-uml.ktap"
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    with common.lock("kunit-uml"):
        if not linux.exists():
            with common.filling(linux) as part, \
                    common.step("making a scratch kernel tree"):
                # Hard links: files are only ever replaced, never written into.
                common.run(["cp", "-al", f"{tree}/.", part])
        overlay(tree, linux)
        tool = [sys.executable, linux / "tools/testing/kunit/kunit.py"]
        options = ["--build_dir", out, "--kunitconfig",
                   linux / "drivers/dma/loopdma/kunit"]
        (out / "test.log").unlink(missing_ok=True)
        with common.step("building user-mode Linux with the suites"):
            common.run([*tool, "config", *options], log, "configuring user-mode Linux",
                       cwd=linux)
            common.run([*tool, "build", *options, "--jobs", common.jobs()], log,
                       "building user-mode Linux", cwd=linux)
        with common.step("running the suites on user-mode Linux"):
            common.run([*tool, "exec", "--build_dir", out, "--timeout", timeout,
                        *(f"--kernel_args={argument}" for argument in UML_ARGUMENTS),
                        "--raw_output=all", *([pattern] if pattern else [])], log,
                       "running user-mode Linux", cwd=linux)
        text = (out / "test.log").read_text(encoding="utf-8", errors="replace")
        (common.LOGS / "kunit-uml.log").write_text(text, encoding="utf-8")
        ktap.write_text(text, encoding="utf-8")
        problem = ""
        found = guest.complaints(text)
        if found:
            problem = f"kernel log: {found[0].strip()} (log: build/logs/kunit-uml.log)"
        return result("uml", tool, ktap, report, problem, 1 if pattern else None)


# --- live ---------------------------------------------------------------------

JOB = """\
set -e
show() {
	for results in /sys/kernel/debug/kunit/*/results; do
		echo "%% suite"
		cat $results
	done
}
insmod /loopdma.ko
# What the suite loopdma_nomem needs.
. /faults
allocations_can_fail
dut=$DUT
case $dut in
trace)
	# The others have been seen to pass with more than one CPU, on which some depend.
	printf %s "loopdma_trace.*" >/sys/module/kunit/parameters/filter_glob
	dut=live ;;
hostile)
	printf %s "loopdma_hostile.*" >/sys/module/kunit/parameters/filter_glob
	dut=fake ;;
esac
if [ $dut != public ]; then
	insmod /loopdma_kunit.ko dut=$dut $KUNIT_ARGS
	show
	rmmod loopdma_kunit
fi
# As on any other provider; that of the live suites has channels that are wired to
# each other.
case $DUT in
live) insmod /dmaengine_conformance.ko device=loopdma tx=dma0chan0 rx=dma0chan1 metadata=16 ;;
public) insmod /dmaengine_conformance.ko device=loopdma ;;
esac
if [ -e /sys/module/dmaengine_conformance ]; then
	show
	rmmod dmaengine_conformance
fi
$PROOF
rmmod loopdma
"""


def ktap_of(lines):
    """One KTAP document of the results of several suites."""
    suites, current = [], None
    for line in lines:
        if line == "%% suite":
            current = []
            suites.append(current)
        elif current is not None and not re.match(r"KTAP version|1\.\.1$|\s*$", line):
            current.append(line)
    text = [f"KTAP version 1\n1..{len(suites)}\n"]
    for number, suite in enumerate(suites, 1):
        text += [re.sub(r"^(not ok|ok) \d+", rf"\1 {number}", line) + "\n"
                 for line in suite]
    return "".join(text)


DEVICES = {
    # One engine: the suites take what it did on one channel for a sign that it had its
    # turn on another.
    "live": "test-controls=on,engines=1",
    "trace": "test-controls=on,engines=1",
    # What clients of async_tx meet, and one that does not copy from anywhere to anywhere.
    "public": "loopback=off,copy-align=4",
}


# How many the suite loopdma_hostile tells when it has time, and how long that may take:
# emulated, on a host that had five times as much to do as it could, it was 40 minutes.
LIES = 1_000_000
LIES_HANG = 7200
# All suites take 216 seconds in QEMU 10.2 on two idle CPUs.
SUITES_HANG = 3600


def suites_guest(dut, kdir, top, lies=LIES, arguments="", proof=""):
    """A guest that runs the suites, on the device under test that is named.

    With more parameters of loopdma_kunit, and with commands that show, with the driver
    still loaded, that the guest is what it was to be.
    """
    files = guest.module_files(top) | guest.job_files("faults")
    if "loopdma_kunit.ko" not in files:
        raise Fail("tests/kunit gave no loopdma_kunit.ko: look at its Makefile")
    arguments = f"{arguments} {os.environ.get('KUNIT_ARGS', '')}"
    if dut == "hostile":
        arguments += f" lies={lies}"
    return guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name=f"kunit-{dut}", mem=1024,
        job=JOB.replace("$DUT", dut).replace("$KUNIT_ARGS", arguments.strip()).replace(
            "$PROOF\n", proof),
        # Linux 7.x registers the suites of a module, and runs them if told to.
        append="kunit.autorun=1",
        timeout=LIES_HANG if dut == "hostile" else SUITES_HANG,
        # Tracepoints cannot be switched on while other CPUs of an emulator run.
        smp=1 if dut == "trace" else 2, device=DEVICES.get(dut, ""), files=files, debug_kernel=True,
        taint=guest.TAINT_TEST,
        allowed=((guest.DRIVER, "devices that fail on demand"),
                 (r"kobject_add_internal failed for dma\w* \(error: -12 ",
                  "allocations that fail on demand")))


def guest_result(lane, outcome, name, floor=None):
    """Counts, and what is wrong or "", of a guest that ran the suites of a lane."""
    tool = [sys.executable, kernel.source()[1] / "tools/testing/kunit/kunit.py"]
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    ktap = common.REPORTS / f"{name}.ktap"
    ktap.write_text(ktap_of(outcome.lines), encoding="utf-8")
    return result(lane, tool, ktap, ktap.with_suffix(".json"), outcome.reason, floor)


def in_guest(dut, lies=LIES):
    """The suites in a guest, on the device under test that is named."""
    kdir = x86_kernel()
    suites = suites_guest(dut, kdir, modules.build(kdir, "-kunit")[0], lies)
    with common.step(f"running the suites in a guest, device under test: {dut}"):
        outcome = guest.run(suites)
    counts, problem, cases = guest_result(dut, outcome, suites.name)
    if dut == "live":
        # Also when cases fail: it says which rules are broken.
        gap = conformance.report(common.REPORTS / f"{suites.name}.ktap")
        problem = problem or gap and f"conformance: {gap}"
    return counts, problem, cases


# --- results ------------------------------------------------------------------

def result(lane, tool, ktap, report, problem, floor=None):
    """Counts, and what is wrong or "", of a lane whose KTAP is at hand."""
    report.unlink(missing_ok=True)
    try:
        common.run([*tool, "parse", f"--json={report}", ktap],
                   common.new_log(f"kunit-{lane}-parse"), "kunit.py parse")
        judged = ""
    except Fail as e:
        judged = str(e)
    cases = cases_in(json.loads(report.read_text(encoding="utf-8"))) \
        if report.exists() else {}
    counts = Counts(*(sum(1 for status in cases.values() if status == wanted)
                      for wanted in ("PASS", "FAIL", "SKIP")))
    bad = [name for name, status in cases.items() if status == "FAIL"]
    if floor is None:
        floor = floor_of(lane)
    if bad:
        problem = f"{', '.join(bad[:5])}{' ...' if len(bad) > 5 else ''} " \
            f"(results: {common.relative(ktap)})" + (f"; {problem}" if problem else "")
    elif not problem:
        if counts.passed < floor:
            problem = f"only {counts.passed} cases passed, at least {floor} must " \
                f"(results: {common.relative(ktap)}, floor: {common.relative(FLOOR)})"
        elif judged:
            problem = judged
    return counts, problem, cases


def cases_in(tree):
    """{suite.case: PASS, FAIL or SKIP} of kunit.py's JSON.

    A case with parameters is a group of its own there, without a status.
    """
    def status_of(group):
        all_of = [case["status"] for case in group["test_cases"]] + \
            [status_of(sub) for sub in group["sub_groups"]]
        if any(status not in ("PASS", "SKIP") for status in all_of):
            return "FAIL"
        return "PASS" if "PASS" in all_of else "SKIP"

    cases = {}
    for suite in tree["sub_groups"]:
        for case in suite["test_cases"]:
            status = case["status"]
            cases[f"{suite['name']}.{case['name']}"] = \
                status if status in ("PASS", "SKIP") else "FAIL"
        for group in suite["sub_groups"]:
            cases[f"{suite['name']}.{group['name']}"] = status_of(group)
    return cases


def floor_of(lane):
    floors = dict(re.findall(r"^([\w-]+)\s+(\d+)", FLOOR.read_text(encoding="utf-8"),
                             re.MULTILINE))
    if lane not in floors:
        raise Fail(f"{common.relative(FLOOR)} has no line for '{lane}': add one")
    return int(floors[lane])


def report_on(lane, counts, problem, cases):
    suites = collections.Counter()
    for name in cases:
        suites[name.split(".")[0]] += 1
    for suite, number in sorted(suites.items()):
        passed = sum(1 for name, status in cases.items()
                     if name.startswith(f"{suite}.") and status == "PASS")
        print(f"  {suite:<24} {passed} of {number} cases passed")
    print(f"kunit {lane}: {counts.passed} passed, {counts.failed} failed, "
          f"{counts.skipped} skipped")
    if problem:
        print(f"kunit {lane}: FAIL: {problem}")
    return 1 if problem else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["uml", "live", "fake", "public", "trace", "hostile",
                                         "kernel"])
    parser.add_argument("--filter", metavar="GLOB", default="",
                        help="uml: only cases that match, as in suite.case")
    parser.add_argument("--timeout", type=int, metavar="S", default=guest.HANG,
                        help=f"uml: end it after this time (default {guest.HANG})")
    parser.add_argument("--lies", type=int, metavar="N", default=LIES,
                        help=f"hostile: so many at least (default {LIES})")
    args = parser.parse_args()
    if args.lies < 1:
        parser.error("--lies must be 1 or more")
    if args.what != "hostile" and args.lies != LIES:
        parser.error("--lies is for 'hostile'; elsewhere KUNIT_ARGS=lies=N")
    if args.what != "uml" and (args.filter or args.timeout != guest.HANG):
        parser.error("--filter and --timeout are for 'uml'")
    if args.what == "kernel":
        print(x86_kernel())
        return 0
    return report_on(args.what, *(uml(args.filter, args.timeout) if args.what == "uml"
                                  else in_guest(args.what, args.lies)))


if __name__ == "__main__":
    common.main(main)
