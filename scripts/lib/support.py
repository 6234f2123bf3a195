# SPDX-License-Identifier: GPL-2.0-only
"""Writes the table of supported versions, kernel by QEMU, into README.md.

  support.py             writes what the last `make check` or `make check-full` has seen
  support.py --show      prints the table instead

`make check` leaves in build/reports/check.json on which kernel and which QEMU each case
ran, and which kernels it built the modules for.  A pair is

  tested       guests ran on it, and all of them passed
  fails        a guest ran on it and failed
  compiled     the modules build for the kernel, the device for the QEMU; no guest ran
  -            nothing was done

What a run did not look at keeps what README.md says of it.
"""

import argparse
import json
import re

from lib import common
from lib.common import Fail

README = common.ROOT / "README.md"
BEGIN = "<!-- support table: written by make support -->\n"
END = "<!-- end of support table -->\n"

NOTHING = "-"


def series(version):
    """6.12 of 6.12.95+deb12-amd64: what differs within one is repaired bugs."""
    found = re.match(r"\d+\.\d+", version)
    return found[0] if found else ""


def number(version):
    return [int(part) for part in version.split(".")]


def seen(report):
    """{(kernel, QEMU): word} of a report of check.py."""
    cases = [case for lane in report["lanes"].values() for case in lane["cases"]]
    kernels, qemus, runs = set(), set(), {}
    for case in cases:
        kernel, qemu = series(case["kernel"]), series(case["qemu"])
        if kernel and qemu:
            runs.setdefault((kernel, qemu), []).append(case["status"] != "FAIL")
            qemus.add(qemu)
        elif kernel and case["status"] == "PASS":
            kernels.add(kernel)
    return {(kernel, qemu): "compiled" for kernel in kernels for qemu in qemus} | {
        key: "tested" if all(oks) else "fails" for key, oks in runs.items()}


def read(text):
    """{(kernel, QEMU): word} of a table that render() has made."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]
    if not rows:
        return {}
    qemus = [re.sub(r"^QEMU ", "", cell) for cell in rows[0][1:]]
    return {(re.sub(r"^Linux ", "", row[0]), qemu): word
            for row in rows[2:] for qemu, word in zip(qemus, row[1:]) if word != NOTHING}


def render(table):
    kernels = sorted({kernel for kernel, _ in table}, key=number)
    qemus = sorted({qemu for _, qemu in table}, key=number)
    lines = [["", *(f"QEMU {qemu}" for qemu in qemus)], ["---"] * (len(qemus) + 1)]
    lines += [[f"Linux {kernel}", *(table.get((kernel, qemu), NOTHING) for qemu in qemus)]
              for kernel in kernels]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parts(text):
    """README.md before the table, the table, and after it."""
    head, begin, rest = text.partition(BEGIN)
    table, end, tail = rest.partition(END)
    if not begin or not end:
        raise Fail(f"{common.relative(README)} has no place for the table: it needs the "
                   f"lines {BEGIN.strip()} and {END.strip()}")
    return head, table, tail


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the table")
    args = parser.parse_args()
    path = common.REPORTS / "check.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fail(f"no {common.relative(path)}: run 'make check' or 'make check-full' "
                   "first") from None
    head, old, tail = parts(README.read_text(encoding="utf-8"))
    # A guest tells more than a build: what compiles today was perhaps tested before.
    new = {key: word for key, word in seen(report).items()
           if not (word == "compiled" and read(old).get(key) == "tested")}
    table = render(read(old) | new)
    if args.show:
        print(table, end="")
    else:
        common.write_atomically(README, head + BEGIN + table + END + tail)
    return 0


if __name__ == "__main__":
    common.main(main)
