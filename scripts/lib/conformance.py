# SPDX-License-Identifier: GPL-2.0-only
"""Says which case of the conformance suites checks which rule, and how it went.

Reads the table of rules (tests/conformance/rules.txt), the comments of the
cases beside it, and the KTAP of a run; writes build/reports/conformance.rst.
Fails if a rule has neither a case nor a reason for that, if a case names no rule
or one that there is not, and if a source includes what only one driver has.
"""

import argparse
import re
from pathlib import Path

from lib import common
from lib.common import Fail

SUITES = common.ROOT / "tests" / "conformance"
RULES = SUITES / "rules.txt"
KTAP = common.REPORTS / "kunit-live.ktap"
REPORT = common.REPORTS / "conformance.rst"

TAG = re.compile(r"^Rule (\d+) \(([^)]*(?:\(\)[^)]*)*)\): ")
SUITE = re.compile(r'(?:\.name = |\b[A-Z]+_SUITE\()"(\w+)"')
DOCUMENT = re.compile(r"\b(?:provider\.rst|client\.rst|dmaengine\.[ch])\b")


def read_rules(text, name):
    """{number: {"Says": ..., "From": ..., perhaps "Customary" or "Untested": ...}}"""
    rules = {}
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", text).strip()):
        fields = dict(re.findall(r"^(\w+): ((?:.|\n  )+)$", paragraph, re.MULTILINE))
        fields = {key: " ".join(value.split()) for key, value in fields.items()}
        number = fields.pop("Rule", "")
        if not number.isdigit() or not {"Says", "From"} <= fields.keys() or \
                fields.keys() - {"Says", "From", "Customary", "Untested"}:
            raise Fail(f"{name}: not a rule with Says and From: "
                       f"'{paragraph.splitlines()[0]}'")
        if int(number) in rules:
            raise Fail(f"{name}: two rules have the number {number}")
        rules[int(number)] = fields
    return rules


def tags_in(comment):
    """{number: source} of what a comment names."""
    tags, lines = {}, [line.strip(" *\t") for line in comment.splitlines()]
    for at, line in enumerate(lines):
        if re.match(r"Rules? \d", line):
            found = TAG.match(" ".join(lines[at:]))
            if found:
                tags[int(found[1])] = found[2]
    return tags


def read_cases(text):
    """{suite.case: {rule: source}} of a source file."""
    suite = SUITE.search(text)
    comments = {case: comment for comment, case in re.findall(
        r"/\*((?:[^*]|\*(?!/))*)\*/\nstatic void (\w+)\(struct kunit \*test\)", text)}
    return {f"{suite[1]}.{case}": tags_in(comments.get(case, ""))
            for case in re.findall(r"KUNIT_CASE(?:_\w+)?\((\w+)", text)}


def read_results(text):
    """{suite.case: (status, reason)} of KTAP as kunit.py leaves it."""
    results, suite = {}, ""
    for line in text.splitlines():
        found = re.match(r" {4}# Subtest: (\w+)$", line)
        if found:
            suite = found[1]
        found = re.match(r" {4}(not ok|ok) \d+ (?:- )?(\w+)(?: # SKIP ?(.*))?", line)
        if found:
            status = "FAIL" if found[1] == "not ok" else \
                "PASS" if found[3] is None else "SKIP"
            results[f"{suite}.{found[2]}"] = status, found[3] or ""
    return results


def problems_of(rules, cases, sources):
    """What is wrong with rules, cases and sources, as lines."""
    used = {rule for tags in cases.values() for rule in tags}
    for number, rule in rules.items():
        if number not in used and "Untested" not in rule:
            yield f"rule {number} has no case, and no reason for that"
        if number in used and "Untested" in rule:
            yield f"rule {number} has a case, and a reason for having none"
    for case, tags in cases.items():
        if not tags:
            yield f"{case} names no rule in its comment"
        for number, source in tags.items():
            if number not in rules:
                yield f"{case} names rule {number}, which there is not"
            else:
                # What the rule is from has to be told where it is checked.
                unknown = set(DOCUMENT.findall(source)) - \
                    set(DOCUMENT.findall(rules[number]["From"]))
                if unknown or not DOCUMENT.search(source):
                    yield f"{case}: rule {number} is not from '{source}'"
    for name, text in sources.items():
        for header in re.findall(r"^#include (.*)$", text, re.MULTILINE):
            if not re.fullmatch(r'<(linux|kunit|trace/events)/[\w/-]+\.h>|"conform\.h"', header):
                yield f"{name} includes {header}: no header of a driver, please"


def table(rules, cases, results):
    """The report."""
    counts = {status: sum(1 for case in cases if results.get(case, ("",))[0] == status)
              for status in ("PASS", "FAIL", "SKIP")}
    lines = [
        ".. SPDX-License-Identifier: GPL-2.0-only", "",
        "=======================", "dmaengine conformance", "=======================", "",
        f"{len(rules)} rules, {sum('Untested' in r for r in rules.values())} of them "
        f"untested; {len(cases)} cases: {counts['PASS']} passed, {counts['FAIL']} failed, "
        f"{counts['SKIP']} skipped, {len(cases) - sum(counts.values())} not run.", "",
        ".. list-table::", "   :header-rows: 1", "   :widths: 5 45 25 25", "",
        "   * - Rule", "     - It says", "     - Case", "     - Result"]
    for number, rule in sorted(rules.items()):
        rows = [(case, ": ".join(filter(None, results.get(case, ("not run", "")))))
                for case, tags in cases.items() if number in tags]
        rows = rows or [("none", f"untested: {rule['Untested']}")]
        for at, (case, result) in enumerate(rows):
            says = f"{rule['Says']} ({rule['From']})"
            lines += [f"   * - {'' if at else number}", f"     - {'' if at else says}",
                      f"     - {case}", f"     - {result}"]
    return "".join(line.rstrip() + "\n" for line in lines)


def rules_and_cases():
    """The rules, the cases, and what is wrong with them or ""."""
    sources = {common.relative(path): path.read_text(encoding="utf-8")
               for path in sorted(SUITES.glob("*.[ch]"))}
    rules = read_rules(RULES.read_text(encoding="utf-8"), common.relative(RULES))
    cases = {}
    for text in sources.values():
        if SUITE.search(text):
            cases |= read_cases(text)
    problems = list(problems_of(rules, cases, sources))
    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return rules, cases, f"{problems[0]}{more}" if problems else ""


def check():
    """What is wrong with the rules and their cases, or ""."""
    return rules_and_cases()[2]


def report(ktap=KTAP):
    """Writes the table; returns what is wrong, or ""."""
    rules, cases, problem = rules_and_cases()
    if problem:
        return problem
    results = read_results(ktap.read_text(encoding="utf-8")) if ktap.exists() else {}
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(table(rules, cases, results), encoding="utf-8")
    lost = [case for case in cases if case not in results]
    if results and lost:
        return f"{lost[0]} was not run (results: {common.relative(ktap)})"
    return ""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ktap", type=Path, default=KTAP, metavar="FILE",
                        help=f"results (default: {common.relative(KTAP)}, if there)")
    args = parser.parse_args()
    if args.ktap != KTAP and not args.ktap.is_file():
        parser.error(f"no file {args.ktap}")
    problem = report(args.ktap)
    if problem:
        raise Fail(problem)
    print(REPORT)
    return 0


if __name__ == "__main__":
    common.main(main)
