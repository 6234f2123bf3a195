# SPDX-License-Identifier: GPL-2.0-only
"""Runs the conformance suites over a provider that may take its machine with it.

A guest runs all cases.  Where its kernel dies, hangs or complains, the case that ran has
failed, and a fresh guest goes on with the next one.  So each case is judged, and none by
what another one has broken.
"""

import dataclasses
import re
import time
from pathlib import Path

from lib import common, conformance, guest, kunit, machines, modules
from lib.case import Case
from lib.common import Fail

MODULE = "dmaengine_conformance"

# What is known to fail, and whose fault it is.
KNOWN = conformance.SUITES / "known"
JUDGEMENTS = ("provider", "model", "core", "suite")
# Begins the reason of a case that races with the device: it may pass, too.
SOMETIMES = "sometimes: "

# A machine that says nothing for so long hangs.  No case waits for anything longer than
# the module's parameter timeout, and the kernel tells of hung tasks after 120 s.
SILENCE = 150
# How long a case may go on after the kernel has complained.
AFTERMATH = 30

# Lines of a failure that are told.
LINES = 6

# Parameters of the module: all cases, as a machine that dies is replaced.
ALL = {"risk": "1", "unbind": "1"}

# The job says that all suites have run.
END = "conformance: all suites have run"

PREFIX = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ?")
BEGINS = re.compile(r"^ +# \w+: begins (\w+\.\w+), seed \d+$")
VERDICT = re.compile(r"^( {4}| {8})(not ok|ok) \d+ (?:- )?(.*?)(?: # SKIP ?(.*))?$")


@dataclasses.dataclass
class Result:
    """How a case went."""
    status: str                 # PASS, FAIL or SKIP
    reason: str = ""            # of a skip
    lines: list = dataclasses.field(default_factory=list)   # what explains a failure


class Reader:
    """What the kernel log of a guest says of the cases that it ran."""

    def __init__(self, log, allowed=()):
        self.allowed = allowed
        self.results = {}       # {suite.case: Result}, in the order of their ends
        self.running = None     # the case that has begun and not ended
        self.disturbed = None   # the first case during which the kernel complained
        self.ended = END in log
        self.said = []          # since a case has begun
        self.explaining = 0     # lines that may yet explain a failure
        for line in log.splitlines():
            self.line(PREFIX.sub("", line), line)

    def line(self, text, whole):
        begins = BEGINS.match(text)
        verdict = VERDICT.match(text)
        if begins:
            if self.running != begins[1]:
                self.said = []
            self.running = begins[1]
        elif verdict and self.running:
            self.verdict(*verdict.groups())
        elif guest.complaints(whole, self.allowed):
            self.complaint(text)
        elif self.running and re.match(r" +# \w+: .*(EXPECTATION|ASSERTION) FAILED", text):
            self.explaining = LINES
            self.say(text)
        elif self.running and self.explaining and re.match(r" *[^# ]", text):
            self.explaining -= 1
            self.say(text)

    def complaint(self, text):
        """The kernel complains: of the case that runs, or of what the last one has left."""
        if not self.running and self.results:
            self.disturbed = self.disturbed or next(reversed(self.results))
            last = self.results[self.disturbed]
            last.status = "FAIL"
            last.lines = [*last.lines, text.strip()][:LINES]
            return
        self.disturbed = self.disturbed or self.running or "the beginning"
        self.say(text)

    def say(self, text):
        """Keeps a line, once: what repeats a check says the same again."""
        text = text.strip(" #")
        if text not in self.said:
            self.said.append(text)

    def verdict(self, indent, word, name, reason):
        self.explaining = 0
        if len(indent) == 8:
            # Of one parameter: the case goes on.
            if word == "not ok":
                self.say(f"with {name}")
            return
        if self.running.split(".")[1] != name:
            return
        failed = word == "not ok" or self.running == self.disturbed
        status = "FAIL" if failed else "PASS" if reason is None else "SKIP"
        self.results[self.running] = Result(
            status, reason or "", self.said[:LINES] if status == "FAIL" else [])
        self.running, self.said = None, []


class Watch:
    """Ends a guest that is not worth going on with; why is in `why`."""

    def __init__(self, allowed=()):
        self.allowed = allowed
        self.size, self.since = 0, time.monotonic()
        self.disturbed_since = None
        self.why = ""

    def __call__(self, log):
        now = time.monotonic()
        if len(log) != self.size:
            self.size, self.since = len(log), now
        if now - self.since > SILENCE:
            self.why = f"the machine said nothing for {SILENCE} s"
        reader = Reader(log, self.allowed)
        # Not every machine can be switched off from within.
        if reader.ended:
            return True
        if reader.disturbed:
            self.disturbed_since = self.disturbed_since or now
            if reader.running != reader.disturbed or \
                    now - self.disturbed_since > AFTERMATH:
                self.why = "the kernel complained"
        return bool(self.why)


@dataclasses.dataclass
class Target:
    """What runs the suites: a machine, and the provider there."""
    name: str
    parameters: dict            # of the module
    boot: object                # makes a guest with these options
    module: Path
    drivers: list               # modules that are loaded first
    allowed: tuple = ()         # complaints of the kernel that cases provoke, with the reason


def names():
    return [*OURS, *machines.MACHINES]


# An address behind the memory of the guests, and mapped by nobody.
HOLE = "0x7fff0000"

# The providers of this tree: how each is loaded, and parameters of the suites' module.  Two
# are controls: one that moves nothing, and one that offers everything besides.
OURS = {
    "loopdma": ("loopdma.ko", {
        "device": "loopdma", "tx": "dma0chan0", "rx": "dma0chan1", "metadata": "16",
        "unmaps": "1", "errors": HOLE}),
    "null": ("dmaengine_null.ko", {"device": "dmaengine_null"}),
    "lies": ("dmaengine_null.ko lies=1", {
        "device": "dmaengine_null", "tx": "dma0chan2", "rx": "dma0chan3", "metadata": "16",
        "unmaps": "1", "errors": HOLE}),
}


def x86_target(name):
    kdir = kunit.x86_kernel()
    files = guest.module_files(modules.build(kdir, "-kunit")[0])
    driver, parameters = OURS[name]
    file = driver.split()[0]

    def ours(**options):
        options["files"] |= {file: files[file]}
        options["append"] += " kunit.enable=1 kunit.autorun=1"
        return guest.Guest(kernel=kdir / "arch/x86/boot/bzImage", mem=1024, smp=2,
                           device="engines=1", map_changes=True, debug_kernel=True,
                           allowed=allowed, **options)

    allowed = ((rf"DMAR: (DRHD: handling fault status reg|.* fault addr {HOLE} )",
                "an address that nobody has mapped"),)
    return Target(name, parameters, ours, files[f"{MODULE}.ko"], [driver], allowed)


def target_of(name, patches=()):
    """The target that is called so: a machine of QEMU, or a provider of this tree."""
    if name in OURS:
        if patches:
            raise Fail(f"{name} is of this tree: change it, and run it without a patch")
        return x86_target(name)
    machine = machines.MACHINES.get(name)
    if not machine:
        raise Fail(f"no machine '{name}': give {', '.join(names())}")
    kdir = machine.kernel_directory(checked=True, patches=patches if machine.built_in else ())
    sources = {Path(path.name): path.read_bytes() for path in conformance.SUITES.iterdir()
               if path.is_file()}
    place, _ = modules.build(kdir, f"-{name}-conformance", (
        *machine.make, "CONFIG_DMAENGINE_CONFORMANCE_TEST=m"), wanted=sources)

    loaded = machine.provider_modules(kdir, patches)

    def theirs(**options):
        options["files"] |= dict(loaded)
        options["append"] += " kunit.enable=1 kunit.autorun=1"
        return machines.Guest(kernel=machine.kernel_image(kdir), machine=machine,
                              mem=machine.mem, smp=1, **options)

    return Target(name, {"device": machine.provider}, theirs, place / f"{MODULE}.ko",
                  [name for name, _ in loaded])


def boot(target, parameters, pattern, timeout):
    """One guest: what its log says, and why it was ended or ""."""
    watch = Watch(target.allowed)
    arguments = " ".join(f"'{name}={value}'" for name, value in parameters.items())
    outcome = guest.run(target.boot(
        name=f"conformance-{target.name}", watch=watch, timeout=timeout,
        files={f"{MODULE}.ko": target.module},
        append=f"kunit.filter_glob={pattern}" if pattern else "",
        job="".join(f"insmod /{driver} || exit\n" for driver in target.drivers) +
            f"insmod /{MODULE}.ko {arguments} || exit\n"
            f"echo '{END}' >/dev/kmsg\n"))
    reader = Reader(outcome.log, target.allowed)
    why = watch.why
    if not why and not reader.ended:
        why = "the kernel died" if guest.complaints(outcome.log, target.allowed) else \
            outcome.reason
    return reader, why, outcome


def run_from(target, parameters, results, wanted, pattern="", timeout=3600):
    """Runs what is wanted, in as many guests as it takes; fills in the results."""
    after = ""
    while True:
        reader, why, outcome = boot(target, parameters | ({"after": after} if after else {}),
                                    pattern, timeout)
        last = after
        for name, result in reader.results.items():
            if name in results:
                continue
            if result.status == "SKIP" and result.reason.startswith("before the end of after="):
                continue
            results[name] = result
            last = name
            if name == reader.disturbed:
                break
        if reader.running and reader.running not in results and \
                (not reader.disturbed or reader.disturbed == reader.running):
            # It did not come to its end.
            results[reader.running] = Result("FAIL", "", [why or "no end", *reader.said][:LINES])
            last = reader.running
        common.say(f"  {len([name for name in wanted if name in results])} of {len(wanted)} "
                   f"cases judged{f'; {why}' if why else ''}")
        if all(name in results for name in wanted):
            return
        if last == after:
            raise Fail(f"{target.name}: {why or 'the suites have ended'} before another case "
                       f"had begun (log: {outcome.place})")
        after = last


def run(target, parameters=None, isolate="", pattern=""):
    """{suite.case: Result} of all cases, or of those that match a pattern."""
    _, cases, problem = conformance.rules_and_cases()
    if problem:
        raise Fail(problem)
    glob = re.compile((pattern or "*").replace(".", r"\.").replace("*", ".*").replace("?", "."))
    wanted = [name for name in cases if glob.fullmatch(name)]
    if not wanted:
        raise Fail(f"no case matches '{pattern}'")
    parameters = ALL | target.parameters | (parameters or {})
    results = {}
    if not isolate:
        run_from(target, parameters, results, wanted, pattern)
    else:
        groups = {}
        for name in wanted:
            groups.setdefault(name.split(".")[0] if isolate == "suite" else name,
                              []).append(name)
        for group, names in groups.items():
            run_from(target, parameters, results, names,
                     f"{group}.*" if isolate == "suite" else group)
    for name in wanted:
        results.setdefault(name, Result("FAIL", "", ["it was not run"]))
    return {name: results[name] for name in wanted}


# --- what is known ------------------------------------------------------------

def read_known(path):
    """{suite.case: (judgement, why)} of a file of what is known to fail."""
    known = {}
    if not path.exists():
        return known
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3 or fields[1] not in JUDGEMENTS:
            raise Fail(f"{common.relative(path)}:{number}: not 'suite.case JUDGEMENT why', "
                       f"with a judgement of {', '.join(JUDGEMENTS)}")
        known[fields[0]] = fields[1], fields[2]
    return known


def mended(name, patches):
    """Whose faults the patches mend: judgements."""
    text = "".join(machines.texts(patches))
    files = {"core": Path(machines.VIRTUAL).with_suffix("")}
    if name in machines.MACHINES:
        files["provider"] = machines.MACHINES[name].source
    return {judgement for judgement, file in files.items() if f"+++ b/{file}" in text}


def judged(name, results, without=()):
    """Cases of a lane: a result differs from what is known, or it does not.

    Without judgements, what is known of those is mended.
    """
    known = {case: known for case, known in read_known(KNOWN / f"{name}.txt").items()
             if known[0] not in without}
    cases = []
    for case, result in results.items():
        title = f"{name} {case}"
        if result.status == "SKIP":
            cases.append(Case(title, "SKIP", result.reason))
        elif result.status == "FAIL" and case not in known:
            cases.append(Case(title, "FAIL", result.lines[0] if result.lines else "failed",
                              detail=result.lines))
        elif result.status == "PASS" and case in known and \
                not known[case][1].startswith(SOMETIMES):
            cases.append(Case(title, "FAIL", "passes, though it is known to fail: correct "
                              f"{common.relative(KNOWN / name)}.txt"))
        else:
            as_known = ", fails as is known" if result.status == "FAIL" else ""
            cases.append(Case(f"{title}{as_known}", "PASS"))
    for case in known.keys() - results.keys():
        cases.append(Case(f"{name} {case}", "FAIL", "is known to fail, and is no case"))
    return cases


# --- report -------------------------------------------------------------------

def source(rule):
    """Where a rule is from, and how sure that is."""
    kept = f"; customary: {rule['Customary']}" if "Customary" in rule else ""
    return rule["From"] + kept


def told(name, results):
    """What a person reads: each failure with its rule, and skips by their reasons."""
    rules, tags, _ = conformance.rules_and_cases()
    known = read_known(KNOWN / f"{name}.txt")
    lines, skips = [], {}
    for case, result in results.items():
        if result.status == "FAIL":
            lines.append(f"FAIL {case}")
            lines += [f"     rule {number} ({source(rules[number])}): {rules[number]['Says']}"
                      for number in tags[case]]
            lines += [f"     | {line}" for line in result.lines]
            if case in known:
                lines.append(f"     known, a fault of the {known[case][0]}: {known[case][1]}")
        elif result.status == "SKIP":
            skips.setdefault((case.split(".")[0], result.reason), []).append(case)
    for (suite, reason), cases in skips.items():
        whole = len(cases) == sum(case.startswith(f"{suite}.") for case in results)
        lines.append(f"SKIP {suite}: {'all' if whole else len(cases)}: {reason}")
    counts = [sum(result.status == status for result in results.values())
              for status in ("PASS", "FAIL", "SKIP")]
    lines.append(f"{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return lines


def ktap(results):
    """The results as a KTAP document."""
    suites = {}
    for name, result in results.items():
        suite, case = name.split(".")
        suites.setdefault(suite, []).append((case, result))
    lines = ["KTAP version 1", f"1..{len(suites)}"]
    for number, (suite, cases) in enumerate(suites.items(), 1):
        lines += ["    KTAP version 1", f"    # Subtest: {suite}", f"    1..{len(cases)}"]
        for at, (case, result) in enumerate(cases, 1):
            lines += [f"    # {line}" for line in result.lines]
            word = "not ok" if result.status == "FAIL" else "ok"
            skip = f" # SKIP {result.reason}" if result.status == "SKIP" else ""
            lines.append(f"    {word} {at} {case}{skip}")
        failed = any(result.status == "FAIL" for _, result in cases)
        skipped = all(result.status == "SKIP" for _, result in cases)
        lines.append(f"{'not ok' if failed else 'ok'} {number} {suite}"
                     f"{' # SKIP' if skipped else ''}")
    return "\n".join(lines) + "\n"


# Behind the name of one that was run with patches.
PATCHED = "-patched"


def report(name):
    return common.REPORTS / f"conformance-{name}.ktap"


def keep(name, results):
    """Leaves the results where table() finds them."""
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(report(name), ktap(results))


def counted(name):
    """{suite: [passed, failed, of these known, skipped]} of the last run of a provider."""
    known = read_known(KNOWN / f"{name}.txt")
    counts = {}
    for case, (status, _) in conformance.read_results(
            report(name).read_text(encoding="utf-8")).items():
        suite = counts.setdefault(case.split(".")[0], [0, 0, 0, 0])
        suite[{"PASS": 0, "FAIL": 1, "SKIP": 3}[status]] += 1
        suite[2] += status == "FAIL" and case in known
    return counts


def table():
    """A table, in reStructuredText, of all providers that have been run here."""
    there = {name: counted(name) for one in names() for name in (one, f"{one}{PATCHED}")
             if report(name).exists()}
    if not there:
        raise Fail("no provider was run here: scripts/conformance.py run MACHINE")
    suites = sorted({suite for counts in there.values() for suite in counts})
    rows = [["Suite", *(f"``{name}``" for name in there)]]
    for suite in [*suites, None]:
        cells = []
        for counts in there.values():
            of = [counts.get(suite, [0] * 4)] if suite else counts.values()
            passed, failed, known, skipped = (sum(column) for column in zip(*of))
            cells.append(f"{passed} / {failed} ({known}) / {skipped}")
        rows.append([f"``{suite}``" if suite else "all", *cells])
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return ["Cases that passed / failed (of these known to fail) / were skipped.", "", rule,
            lines[0], rule, *lines[1:], rule]
