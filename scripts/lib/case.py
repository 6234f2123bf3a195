# SPDX-License-Identifier: GPL-2.0-only
"""What a test tells: cases, and what to show of the log of one that failed."""

import dataclasses
import re

from lib import common, guest

# Lines of a log that are shown with a failure, those before what matters included.
LINES, BEFORE = 10, 3


@dataclasses.dataclass
class Case:
    """One thing that was tested."""
    name: str
    status: str         # PASS, FAIL or SKIP
    reason: str = ""
    log: str = ""       # where to look, as a user would type it
    judged: bool = True     # False: it ended by no fault of ours, and nobody knows more
    detail: list = dataclasses.field(default_factory=list)  # lines that explain a failure
    kernel: str = ""    # of the guest
    qemu: str = ""


def verdict(name, reason, log=""):
    """A case that fails if there is a reason."""
    return Case(name, "FAIL" if reason else "PASS", reason, log)


def of_guest(name, outcome):
    """A case that a guest as a whole is."""
    case = verdict(name, outcome.reason, outcome.place)
    case.kernel, case.qemu = outcome.kernel, outcome.qemu
    if not outcome.judged:
        case.status, case.judged = "SKIP", False
    if case.status == "FAIL":
        case.detail = matter(outcome.log, guest.COMPLAINTS) or outcome.lines[-LINES:]
    return case


def matter(text, pattern):
    """The lines of a log around the first that matches a pattern; none if none does."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if pattern.search(line):
            return lines[max(0, at - BEFORE):][:LINES]
    return []


def explain(case):
    """Gives a case that failed the lines of its log that matter, if it has none yet."""
    path = common.ROOT / case.log
    if case.status == "FAIL" and not case.detail and path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        case.detail = matter(text, re.compile(re.escape(case.reason))) or \
            text.splitlines()[-LINES:]


def ktap_cases(text):
    """The cases of a flat KTAP document; those that are missing fail."""
    found = []
    # The lines that explain a failure follow it.
    for block in re.split(r"^(?=(?:not )?ok )", text, flags=re.MULTILINE):
        result = re.match(r"(ok|not ok) \d+ (?:- )?(.*?)( # SKIP.*)?$", block, re.MULTILINE)
        if not result:
            continue
        said = re.findall(r"^# (.*)", block, re.MULTILINE)
        status = "SKIP" if result[3] else "PASS" if result[1] == "ok" else "FAIL"
        told = (result[3] or "").removeprefix(" # SKIP").strip()
        reason = "" if status == "PASS" else told or (said[0] if said else "no reason given")
        found.append(Case(result[2], status, reason, detail=said[1:LINES + 1]))
    plan = re.search(r"^1\.\.(\d+)$", text, re.MULTILINE)
    if plan and int(plan[1]) != len(found):
        found.append(Case("plan", "FAIL", f"{len(found)} of {plan[1]} cases reported"))
    return found


def told_by(where, outcome, *more):
    """The cases that a guest has told of, and the run's own if it says more than they."""
    cases = [*ktap_cases("\n".join(outcome.lines)), *more]
    # A step that failed has made the job fail, and says more.
    if outcome.reason and not (outcome.reason.startswith("job failed") and
                               any(case.status == "FAIL" for case in cases)):
        cases.append(of_guest("run", outcome))
    return [dataclasses.replace(
        case, name=f"{where} {case.name}", log=case.log or outcome.place,
        kernel=outcome.kernel, qemu=outcome.qemu) for case in cases]
