# SPDX-License-Identifier: GPL-2.0-only
"""The conformance suites as a series of patches for the kernel's tree.

They go to drivers/dma/test/, as they are but for what older kernels need.  The first patch
has what the suites share and one of them; each of the others adds a suite.
"""

import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

from lib import common, conformance, kernel
from lib.common import Fail

PLACE = Path("drivers/dma/test")
# The first suite is that of what a provider says of itself.
FIRST = "channel"
SHARED = ("conform.c", "conform.h", "rules.txt", "Kconfig", f"{FIRST}.c")

MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0-only
obj-$(CONFIG_DMAENGINE_CONFORMANCE_TEST) += dmaengine_conformance.o

dmaengine_conformance-y := conform.o
"""

# UML has no engine.  This driver of one can be built there, without which the suites cannot.
KUNITCONFIG = """\
CONFIG_KUNIT=y
CONFIG_VIRTIO_UML=y
CONFIG_UML_PCI_OVER_VIRTIO=y
CONFIG_PCI=y
CONFIG_DMADEVICES=y
CONFIG_PLX_DMA=y
CONFIG_DMAENGINE_CONFORMANCE_TEST=y
"""

MAINTAINERS = """\
DMA ENGINE CONFORMANCE TESTS
M:	{name} <{email}>
L:	dmaengine@vger.kernel.org
S:	Maintained
F:	drivers/dma/test/

"""

# (file, what it has, what is put before that)
HOOKS = (
    ("drivers/dma/Kconfig", "\nendif\n", '\nsource "drivers/dma/test/Kconfig"\n'),
    ("drivers/dma/Makefile", "\n#devices\n",
     "obj-$(CONFIG_DMAENGINE_CONFORMANCE_TEST) += test/\n"),
    ("MAINTAINERS", "DMA GENERIC OFFLOAD ENGINE SUBSYSTEM\n", MAINTAINERS))

COVER = """\
dmaengine: KUnit suites for any provider

Nothing in the tree checks that a provider keeps the rules of
Documentation/driver-api/dmaengine/.  dmatest moves data; it does not
terminate a channel in a callback, issue with interrupts off, or ask for
the residue of what is only submitted.

These suites are a client of a provider that is named when the module is
loaded:

  insmod dmaengine_conformance.ko device=fd500000.dma-controller
  cat /sys/kernel/debug/kunit/dmaengine_*/results

Each case names the rule that it checks, and rules.txt where the rule is
from.  What a provider does not offer is skipped.  A splat during a case
fails it.

They found use after free, lost transfers, callbacks out of order, memory
that is written to after a termination, and lock-ups in amba-pl08x,
bcm2835-dma, pl330, sf-pdma, zynqmp_dma, and virt-dma, on machines that
QEMU emulates.
"""

SHARE = """\
dmaengine: test: add KUnit suites for any provider

The suites use the client API alone.  Add what they share, which finds
the device under test by name, keeps account of transactions and memory,
and notices what the kernel complains of, and the first suite: what a
provider says of itself, and how its channels are requested and released.

rules.txt has the rules that are checked, with where each is from.
"""


def git(repository, *arguments):
    return common.run(["git", "-C", repository, *arguments], what=f"git {arguments[0]}")


def identity():
    """(name, email) of who runs this."""
    try:
        return [common.run(["git", "config", f"user.{part}"]).strip()
                for part in ("name", "email")]
    except Fail:
        raise Fail("the patches need an author: set git's user.name and user.email") from None


def of_newest(text):
    """A source without what it has for older kernels."""
    text = re.sub(r"^#if KERNEL_VERSION\([\d, ]+\) <= LINUX_VERSION_CODE\n(.*?)^#endif\n",
                  r"\1", text, flags=re.MULTILINE | re.DOTALL)
    text = text.replace("#include <linux/version.h>\n", "")
    if "LINUX_VERSION_CODE" in text or "KERNEL_VERSION" in text:
        raise Fail("a suite asks for the kernel's version in a way that series.py does not know")
    return text


def about(source):
    """What the first comment of a suite says that it is about: a line, and the rest."""
    comment = re.search(r"^/\*\n(.*?)\n \*/", source, re.MULTILINE | re.DOTALL)[1]
    text = re.sub(r"^ \* ?", "", comment, flags=re.MULTILINE)
    first, _, rest = text.removeprefix("dmaengine conformance: ").partition(".\n")
    return " ".join(first.rstrip(".").split()), rest


def put(repository, name):
    target = repository / PLACE / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(of_newest((conformance.SUITES / name).read_text(encoding="utf-8")),
                      encoding="utf-8")


def commit(repository, message):
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-s", "-m", message)


def write(directory, who=None):
    """Writes the series to a directory; returns its patches, the cover letter first."""
    who = who or identity()
    _, tree = kernel.source()
    made = (conformance.SUITES / "Makefile").read_text(encoding="utf-8")
    suites = [name for name in re.findall(r"(\w+)\.o", made.partition("-y :=")[2])
              if name not in ("conform", FIRST)]
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise Fail(f"{directory} is not empty: give a new directory")
    with tempfile.TemporaryDirectory() as scratch:
        repository = Path(scratch)
        git(repository, "init", "-q", "-b", "conformance")
        for key, value in zip(("user.name", "user.email"), who):
            git(repository, "config", key, value)
        for path, _, _ in HOOKS:
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / path, repository / path)
        commit(repository, "base")
        for path, before, text in HOOKS:
            place = repository / path
            content = place.read_text(encoding="utf-8")
            at = content.rfind(before)
            if at < 0:
                raise Fail(f"the kernel's {path} has no '{before.strip()}' any more: correct "
                           "scripts/lib/series.py")
            text = text.format(name=who[0], email=who[1]) if path == "MAINTAINERS" else text
            place.write_text(content[:at] + text + content[at:], encoding="utf-8")
        for name in SHARED:
            put(repository, name)
        makefile = repository / PLACE / "Makefile"
        makefile.write_text(f"{MAKEFILE}dmaengine_conformance-y += {FIRST}.o\n", encoding="utf-8")
        (repository / PLACE / ".kunitconfig").write_text(KUNITCONFIG, encoding="utf-8")
        commit(repository, SHARE)
        for name in suites:
            put(repository, f"{name}.c")
            with makefile.open("a", encoding="utf-8") as f:
                f.write(f"dmaengine_conformance-y += {name}.o\n")
            first, rest = about((conformance.SUITES / f"{name}.c").read_text(encoding="utf-8"))
            commit(repository, f"dmaengine: test: add the suite {name}\n\n" + textwrap.fill(
                f"It is about {first}.  {rest}", 72, fix_sentence_endings=True))
        git(repository, "config", "branch.conformance.description", COVER)
        git(repository, "format-patch", "-q", "--cover-letter", "--cover-from-description=subject",
            "-o", directory.resolve(), f"HEAD~{len(suites) + 1}")
    return sorted(directory.glob("*.patch"))


def tried(patches):
    """Applies the series to the kernel's tree, and runs it there with kunit.py.

    Returns [(suite, what is said of it)], which must be that it was skipped: there is no
    device.
    """
    _, tree = kernel.source()
    log = common.new_log("conformance-series")
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix="series-") as scratch:
        kernel.linked(tree, scratch, log)
        for patch in patches:
            # The first has the entry in MAINTAINERS that checkpatch asks for.
            common.run(["scripts/checkpatch.pl", "--strict", "--ignore", "FILE_PATH_CHANGES",
                        patch.resolve()], log, f"checkpatch of {patch.name}", cwd=scratch)
        kernel.apply(patches[1:], scratch, log)
        with common.step("building and running the series with kunit.py (2 to 5 minutes)"):
            said = common.run([sys.executable, "tools/testing/kunit/kunit.py", "run",
                               f"--kunitconfig={PLACE}", "--build_dir=build-kunit",
                               f"--jobs={common.jobs()}", "--raw_output=all"], log,
                              "kunit.py", cwd=scratch)
    return re.findall(r"^ok \d+ (dmaengine_\w+)(.*)$", said, re.MULTILINE)
