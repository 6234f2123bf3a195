# SPDX-License-Identifier: GPL-2.0-only
"""A kernel of one's own: make run, guest and check with KDIR=, and virtme-ng."""

import json
import subprocess
import sys

from lib import common, kunit, needs, target, vng
from lib.case import Case, verdict
from lib.lane import Task

# Of make check KDIR=.
LANES = "kunit,dmatest,observe"


def script(name, *options):
    """What a script that takes --kdir printed, its exit status, and its log."""
    done = subprocess.run([sys.executable, common.ROOT / "scripts" / name, "--kdir",
                           kunit.own_kernel(), *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          encoding="utf-8", errors="replace")
    log = common.new_log(f"own-{name}{len(options)}")
    log.write_text(done.stdout, encoding="utf-8")
    return done.stdout.strip().splitlines() or [""], done.returncode, common.relative(log)


def run():
    said, status, log = script("run.py")
    passed = status == 0 and said[-1].startswith("loopdma: PASS")
    return [verdict("run", "" if passed else said[-1], log)]


def command():
    """A command in the guest, and its exit status."""
    said, status, log = script("run.py", "--cmd", "modprobe dmatest && exit 7")
    return [verdict("guest", "" if status == 7 else
                    f"status {status} instead of 7: {said[-1]}", log)]


def check():
    report = common.REPORTS / "check-own.json"
    report.unlink(missing_ok=True)
    said, _, log = script("check.py", "--lanes", LANES)
    if not report.exists():
        return [Case("check", "FAIL", said[-1], log)]
    return [Case(**(case | {"name": f"check {name} {case['name']}"}))
            for name, lane in json.loads(report.read_text(encoding="utf-8"))["lanes"].items()
            for case in lane["cases"]]


def virtme(tree, share):
    if not vng.possible(share):
        return [Case(f"virtme-ng {share}", "SKIP", vng.NO_VIRTIOFS)]
    return [verdict(f"virtme-ng {share}", vng.run(tree, share, f"vng-{share}"))]


def tasks():
    need = (needs.own_kernel,)
    return [Task("check", check, need, full=True), Task("run", run, need, full=True),
            Task("guest", command, need, full=True)] + [
        Task(f"virtme-ng {share}", lambda share=share: virtme(
            target.Tree(kunit.own_kernel()), share), need, full=True)
        for share in vng.SHARES]


def on_tree(tree):
    return [Task(f"virtme-ng {share}", lambda share=share: virtme(tree, share), full=True)
            for share in vng.SHARES]
