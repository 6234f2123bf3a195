# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites: on user-mode Linux, and in guests.

Devices under test:
  uml      simulated, on user-mode Linux: the driver is dropped into a kernel tree, and runs
           through the kernel's own kunit.py; the conformance suites too
  live     the QEMU device, in a guest with KASAN, lockdep, DMA API debugging and more
  fake     simulated, in the same guest, with two CPUs
  public   for the conformance suites alone: public channels and an alignment
  trace    the suite loopdma_trace on the QEMU device, with one CPU
  unordered  the suite loopdma_unordered on a QEMU device with ordered=off
  hostile  the suite loopdma_hostile with very many lies

Results go to build/reports/ as KTAP, and as kunit.py's JSON.
"""

import dataclasses
import fnmatch
import json
import os
import re
import shutil
import sys
from pathlib import Path

from lib import common, conformance, guest, kernel, modules, target
from lib.case import LINES, Case, of_guest, verdict
from lib.common import Fail

CONFIG = common.ROOT / "scripts" / "configs" / "kunit-x86.config"
LACKING = CONFIG.with_name("lacking.config")
SUITES = common.ROOT / "tests" / "kunit"
SKIPS = SUITES / "skips.txt"

# Where the parts of the project go in a kernel tree.
OVERLAY = {
    "drivers/dma/loopdma": "drivers/dma/loopdma",
    "drivers/dma/user": "drivers/dma/user",
    "tests/kunit": "drivers/dma/loopdma/kunit",
    "tests/kunit/lib": "drivers/dma/loopdma/kunit/lib",
    "tests/conformance": "drivers/dma/conformance",
    "include/loopdma": "include/loopdma",
    "include/linux": "include/linux",
    "include/uapi/linux": "include/uapi/linux",
}

# On user-mode Linux: a simulated device for the conformance suites, and what it is.
UML_ARGUMENTS = ["loopdma_kunit.standing=1"] + [
    f"dmaengine_conformance.{argument}" for argument in (
        "device=loopdma-sim", "software=1", "risk=1", "unmaps=1", "tx=dma0chan0", "rx=dma0chan1", "metadata=16")]


# --- kernels ------------------------------------------------------------------

def compiler(variables=()):
    """What tells one compiler from another: that of a kernel's make variables."""
    for variable in variables:
        name, _, suffix = variable.partition("=")
        if name != "LLVM":
            continue
        suffix = suffix.removeprefix("1")
        for tool in ("clang", "ld.lld", "llvm-ar"):
            if not shutil.which(tool + suffix):
                raise Fail(f"{tool}{suffix} is missing: run 'scripts/deps.sh full'")
        return common.run([f"clang{suffix}", "--version"]).strip()
    return common.run(["gcc", "-dumpfullversion"]).strip()


def configured(base, changes):
    """A configuration with the lines of another in place of its own for these options."""
    option = re.compile(r"^(?:# )?(CONFIG_\w+)(?:=| is not set)")
    changed = {found[1] for found in map(option.match, changes.splitlines()) if found}
    kept = [line for line in base.splitlines()
            if not (found := option.match(line)) or found[1] not in changed]
    return "\n".join([*kept, changes])


def x86_kernel(changes=None, linux=""):
    """The build directory of the guest's KUnit kernel: built once, then cached.

    With a file of changes to its configuration, a variant of that kernel.  Its source is
    that of the newest stock kernel, or of the one that is named.
    """
    wanted = CONFIG.read_text(encoding="ascii")
    title = "KUnit guest kernel"
    if changes:
        wanted = configured(wanted, changes.read_text(encoding="ascii"))
        title = f"{title} for {changes.stem}"
    return x86_built("kunit-x86", title, linux, wanted, changes or CONFIG)


def own_kernel(changes=None):
    """The build directory of a kernel as its developers have one: the newest, and no more
    in it than a guest needs, but for a file of changes to its configuration.
    """
    wanted = target.GUEST_CONFIG.read_text(encoding="ascii")
    if changes:
        wanted = configured(wanted, changes.read_text(encoding="ascii"))
    return x86_built("own-kernel", "kernel for KDIR=", "", wanted, changes or target.GUEST_CONFIG)


def lacking_kernel():
    """The same with what the distribution's kernels lack."""
    return own_kernel(LACKING)


def x86_built(kind, title, linux, wanted, where):
    """The build directory of a kernel with the options that are wanted, found in a file."""
    cell, tree = kernel.source(next((c for c in kernel.cells() if c.name == linux), None))
    variables = modules.toolchain(wanted)
    final = common.cache() / kind / (
        f"{cell.version}-" + common.digest(kernel.options(wanted), compiler(variables)))
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
        # What the kernel has there stays.
        for path in directory.iterdir():
            if path.is_file() and Path(path.name) not in wanted and \
                    not (tree / target / path.name).exists():
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
    ktap = common.REPORTS / "kunit-uml.ktap"
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    with common.lock("kunit-uml"):
        if not linux.exists():
            with common.filling(linux) as part, \
                    common.step("making a scratch kernel tree"):
                kernel.linked(tree, part)
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
    found = guest.complaints(text)
    log = verdict("run", f"kernel log: {found[0].strip()}" if found else "",
                  "build/logs/kunit-uml.log")
    found = judge("uml", ["uml"], ktap, tool, log, pattern)
    return [*found, verdict("each rule of dmaengine has a case", conformance.check())]


# --- live ---------------------------------------------------------------------

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
    "unordered": "test-controls=on,engines=1,ordered=off,loopback=off",
    # What clients of async_tx meet, and one that does not copy from anywhere to anywhere.
    "public": "loopback=off,copy-align=4",
}


# How many the suite loopdma_hostile tells when it has time, and how long that may take:
# emulated, on a host that had five times as much to do as it could, it was 40 minutes.
LIES = 200_000
FEW_LIES = 1000
LIES_HANG = 7200
# All suites take 216 seconds in QEMU 10.2 on two idle CPUs.
SUITES_HANG = 3600


def suites_guest(dut, kdir, top, lies=LIES, arguments="", proof=""):
    """A guest that runs the suites, on the device under test that is named.

    With more parameters of loopdma_kunit, and with commands that show, with the driver
    still loaded, that the guest is what it was to be.
    """
    files = guest.module_files(top) | guest.job_files("suites", "faults", "kunit")
    if "loopdma_kunit.ko" not in files:
        raise Fail("tests/kunit gave no loopdma_kunit.ko: look at its Makefile")
    if proof:
        files["proof"] = proof.encode()
    arguments = f"{arguments} {os.environ.get('KUNIT_ARGS', '')}"
    # The suites over a simulated device take as long on any: elsewhere they do more.
    arguments += f" lies={lies if dut == 'hostile' else FEW_LIES}"
    return guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name=f"kunit-{dut}", mem=1024,
        job=f"sh /suites {dut} {arguments} || exit\n", files=files, debug_kernel=True,
        # Linux 7.x registers the suites of a module, and runs them if told to.
        append="kunit.autorun=1",
        timeout=LIES_HANG if dut == "hostile" else SUITES_HANG,
        # Tracepoints cannot be switched on while other CPUs of an emulator run.
        smp=1 if dut == "trace" else 2, device=DEVICES.get(dut, ""),
        # Suites reset it beside what other CPUs do.
        map_changes=dut in ("live", "unordered"), taint=guest.TAINT_TEST,
        allowed=((guest.DRIVER, "devices that fail on demand"),
                 (r"kobject_add_internal failed for dma\w* \(error: -12 ",
                  "allocations that fail on demand")))


def run_guest(suites, dut, *names, pattern=""):
    """Runs a guest with suites; its cases, see judge()."""
    with common.step(f"running the suites in a guest: {suites.name}"):
        outcome = guest.run(suites)
    return cases_of(outcome, suites.name, dut, *names, pattern=pattern)


def cases_of(outcome, name, dut, *names, pattern=""):
    """The cases of a guest that has run suites."""
    tool = [sys.executable, kernel.source()[1] / "tools/testing/kunit/kunit.py"]
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    ktap = common.REPORTS / f"{name}.ktap"
    ktap.write_text(ktap_of(outcome.lines), encoding="utf-8")
    return judge(dut, [dut, *names], ktap, tool, of_guest("run", outcome), pattern)


def in_guest(dut, pattern=""):
    """The suites in a guest, or the cases that match a pattern of KUnit's: their cases."""
    kdir = x86_kernel()
    suites = suites_guest(dut, kdir, modules.build(kdir, "-kunit")[0])
    if pattern:
        suites.append += f" kunit.filter_glob={pattern}"
    found = run_guest(suites, dut, pattern=pattern)
    if dut == "live" and not pattern:
        # Also when cases fail: it says which rules are broken.
        gap = conformance.report(common.REPORTS / "kunit-live.ktap")
        found.append(verdict("each rule of dmaengine has a case", gap))
    return found


# --- results ------------------------------------------------------------------

def judge(dut, names, ktap, tool, run, pattern=""):
    """The cases in a KTAP, as kunit.py reads it, and that of the run, if it is not well.

    A case that is in the sources and not in the KTAP fails, and so does one that skips
    itself for a reason that SKIPS does not know where the suites ran, which has `names`.
    """
    report = ktap.with_suffix(".json")
    report.unlink(missing_ok=True)
    try:
        common.run([*tool, "parse", f"--json={report}", ktap],
                   common.new_log(f"{ktap.stem}-parse"), "kunit.py parse")
        unread = ""
    except Fail as e:
        unread = str(e)
    statuses = cases_in(json.loads(report.read_text(encoding="utf-8"))) \
        if report.exists() else {}
    text = ktap.read_text(encoding="utf-8", errors="replace")
    place = common.relative(ktap)
    skips = read_skips(SKIPS.read_text(encoding="utf-8"), common.relative(SKIPS))
    found = []
    for name, status in statuses.items():
        said, reason = said_of(name, text)
        one = Case(name, status, reason if status == "SKIP" else "", place)
        if status == "FAIL":
            one.detail = said[-LINES:]
            one.reason = next((line.strip(" #") for line in said if "EXPECT" in line.upper() or
                               "ASSERT" in line.upper()), "failed")
        elif status == "SKIP" and not any(skip.fits(names, name, reason) for skip in skips):
            one.status = "FAIL"
            one.reason = f"skipped: {reason or 'no reason'}: {common.relative(SKIPS)} " \
                "knows no such skip there"
        found.append(one)
    for name in expected(dut, pattern) if run.judged else ():
        if name not in statuses:
            found.append(Case(name, "FAIL", "was not run", place))
    if run.status == "PASS" and unread and not any(one.status == "FAIL" for one in found):
        run = verdict("run", unread, place)
    return [*found, run] if run.status != "PASS" else found


def said_of(name, text):
    """The lines about a case in KTAP that come before its result, and why it skips."""
    suite, _, case = name.partition(".")
    block = re.search(rf"^    # Subtest: {suite}$(.*?)(?=^    # Subtest: |\Z)", text,
                      re.MULTILINE | re.DOTALL)
    before = re.search(rf"((?:^(?!    (?:not )?ok ).*\n)*)^    (?:not )?ok \d+ (?:- )?{case}"
                       r"(?: # SKIP ?(.*))?$", block[1] if block else "", re.MULTILINE)
    if not before:
        return [], ""
    # The reason of a case with parameters is that of the last one.
    nested = re.findall(r"^ {8}ok .* # SKIP (.+)$", before[1], re.MULTILINE)
    return before[1].splitlines(), before[2] or (nested[-1] if nested else "")


def modules_of(dut):
    """The directories of the suites that are loaded for a device under test."""
    both = [SUITES, conformance.SUITES]
    return {"public": [conformance.SUITES], "live": both, "uml": both}.get(dut, [SUITES])


def expected(dut, pattern=""):
    """The cases that the sources have for a device under test."""
    only = pattern or {"trace": "loopdma_trace.*", "hostile": "loopdma_hostile.*",
                       "unordered": "loopdma_unordered.*"}.get(dut, "*")
    names = [name for top in modules_of(dut) for path in sorted(top.rglob("*.c"))
             if conformance.SUITE.search(text := path.read_text(encoding="utf-8"))
             for name in conformance.read_cases(text)]
    return [name for name in names if fnmatch.fnmatch(name, only)]


@dataclasses.dataclass
class Skip:
    """A case that may skip itself."""
    where: str      # device under test or cell of the matrix, * for any
    case: str       # suite.case, a pattern
    reason: str     # what it says

    def fits(self, names, case, reason):
        return any(fnmatch.fnmatch(name, self.where) for name in names) and \
            fnmatch.fnmatch(case, self.case) and \
            fnmatch.fnmatch(reason.strip(), self.reason)


def read_skips(text, name):
    """The skips of a table: on each line where, which, and what the case says."""
    found = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            words = line.split(None, 2)
            if len(words) != 3:
                raise Fail(f"{name}: '{line}' has no device under test, case and reason")
            found.append(Skip(*words))
    return found


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
