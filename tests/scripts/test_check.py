# SPDX-License-Identifier: GPL-2.0-only
"""check.py: its arguments, its judgement, its end; and a kernel of one's own."""

import os
import shutil
import signal
import sys
import types

import pytest

import check
from helpers import SCRIPTS, fails, fails_told
from interrupting import HOLDER, interrupted
from lib import common, target
from lib.case import Case, verdict
from lib.lane import Task

CHECK = SCRIPTS / "check.py"


@pytest.mark.parametrize("arguments, pattern", [
    (["--lanes", "frobnicate"], "no lane 'frobnicate': choose from"),
    (["--only", "matrix:frobnicate"], "no task 'matrix:frobnicate': see --list --full"),
    (["--shard", "3/2"], "'3/2' is no part: give 1/8 to 8/8"),
    (["--set", "frobnicate=1"], "no parameter 'frobnicate': choose from"),
    (["--set", "soak.seconds=59"], "soak.seconds=59: give a number of 60 or more"),
    (["--set", "soak.seconds=long"], "soak.seconds=long: give a number")],
    ids=["lane", "task", "shard", "parameter", "little", "no_number"])
def test_arguments(arguments, pattern):
    """What there is not, and a number that is none, or too small."""
    fails([CHECK, *arguments], pattern, status=2)


def test_no_list_of_kernels(programs, tmp_path):
    """Tasks are called by the stock kernels, of which nothing is known without a network."""
    programs.write("apt-get", "echo 'Err:1 http://mirror Could not resolve'\nexit 100\n")
    fails([CHECK, "--list"], r"^check: which stock kernels there are has to be looked up once "
          r"\(the newest, 6\.1 and 6\.12 are wanted\): .*is there a network\?",
          env={"PATH": f"{programs.directory}:{os.environ['PATH']}",
               "LOOPDMA_CACHE": str(tmp_path)})


@pytest.mark.parametrize("full, only, titles", [
    (False, [], "lane:always lane:short"), (True, [], "lane:always lane:long"),
    (True, ["lane"], "lane:always lane:long lane:short")], ids=["check", "full", "named"])
def test_chosen(full, only, titles):
    """What is too slow for every day is left out, and with it what is done instead."""
    lane = types.SimpleNamespace(tasks=lambda: [
        Task("always", None), Task("short", None, daily=True), Task("long", None, full=True)])
    args = types.SimpleNamespace(lanes=[], only=only, full=full, shard=None)
    made = check.chosen(None, args, {"lane": lane}, None)
    assert " ".join(job.title for job in made) == titles


@pytest.mark.parametrize("lost, status", [(2, "SKIP"), (3, "FAIL")])
def test_loses_few(lost, status):
    """Guests that are not judged are skipped, and fail if they are many."""
    cases = [Case("guest", "SKIP", "guest hangs", judged=False) for _ in range(lost)]
    cases += [verdict("good", ""), verdict("bad", "guest panic"),
              Case("other", "SKIP", "needs two CPUs")]
    check.fail_if_many_are_lost(cases)
    assert [case.status for case in cases] == [status] * lost + ["PASS", "FAIL", "SKIP"]


def test_interrupted(tmp_path):
    """Ctrl-C while the tasks of a check run side by side."""
    # One of the tasks waits for the lock of another.
    program = (
        "import check, signal, sys\n"
        "from lib import common\n"
        "from lib.lane import Task\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def task():\n"
        "    with common.lock('test'):\n"
        "        common.run(['sh', '-c', sys.argv[1]])\n"
        "made = [check.Job('lint', Task(name, task), 0) for name in ('a', 'b', 'c')]\n"
        "common.main(check.Runner(made).run)\n")
    interrupted([sys.executable, "-c", program, HOLDER.format(tmp_path)], tmp_path,
                lambda process: process.send_signal(signal.SIGINT),
                "\\A\n-c: interrupted\n\\Z", 130, {"LOOPDMA_CACHE": f"{tmp_path}/cache"})


def test_ci_interrupted(programs, tmp_path):
    """A CI that ends its script, and nothing but that."""
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(common.ROOT / ".ci" / "run", script)
    programs.write("make", HOLDER.format(tmp_path))
    interrupted([script], tmp_path, lambda process: process.terminate(), "", -signal.SIGTERM,
                {"PATH": f"{programs.directory}:{os.environ['PATH']}"})


# --- a kernel of one's own ----------------------------------------------------

def own_kernel(directory, options, files=("arch/x86/boot/bzImage",)):
    """Makes a directory look like a built kernel."""
    texts = {"Module.symvers": "", ".config": "",
             "include/config/auto.conf": "".join(f"CONFIG_{option}=y\n" for option in options),
             "include/generated/utsrelease.h": '#define UTS_RELEASE "7.0.0"\n'}
    for name in [*texts, *files]:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(name, ""), encoding="ascii")
    return directory


@pytest.mark.parametrize("arguments, pattern", [
    (["--kdir", "/nonexistent"], "no directory KDIR=/nonexistent: give"),
    (["--kdir", "/usr"], "KDIR=/usr has no arch/x86/boot/bzImage: give"),
    (["--kdir", "/usr", "--kernel", "6.1"], "give one of them")], ids=["none", "other", "both"])
def test_no_kernel(arguments, pattern):
    """A kernel of one's own that is none, or one of two."""
    fails_told([SCRIPTS / "run.py", *arguments], f"^loopdma: FAIL: .*{pattern}")


def test_not_built(tmp_path):
    """One that was never built."""
    own_kernel(tmp_path, [], ())
    fails_told([SCRIPTS / "run.py", "--kdir", tmp_path],
               "^loopdma: FAIL: .*has no arch/x86/boot/bzImage: build it first")


def test_poor(tmp_path):
    """One that lacks what a guest needs."""
    own_kernel(tmp_path, [*target.NEEDED][:-2])
    fails_told([SCRIPTS / "run.py", "--kdir", tmp_path],
               "^loopdma: FAIL: .*CONFIG_DEBUG_FS, CONFIG_DMA_ENGINE are off: add "
               "CONFIG_DEBUG_FS=y CONFIG_DMADEVICES=y CONFIG_ALTERA_MSGDMA=m .*"
               "merge_config.sh .config .*/guest.config")


def test_good(tmp_path):
    """One that a guest can have, files that it cannot, and what it lacks."""
    own_kernel(tmp_path, target.NEEDED)
    run = [SCRIPTS / "run.py", "--kdir", tmp_path, "--cmd", "true", "--file"]
    fails([*run, "/nonexistent"], "no file /nonexistent: FILES=", status=125)
    tree = target.Tree(str(tmp_path))
    assert (tree.release, tree.iommu) == ("7.0.0", "off")
    assert any(line.startswith("CONFIG_INTEL_IOMMU is off") for line in tree.lacks())
    module = tmp_path / "foreign.ko"
    module.write_bytes(b"\0vermagic=6.1.0 SMP\0depends=a,b-c\0")
    fails([*run, module], "foreign.ko is for Linux 6.1.0, the guest has 7.0.0: build it",
          status=125)
