# SPDX-License-Identifier: GPL-2.0-only
"""What a case is made of.

A case is a function whose docstring names the rule of Documentation/hardware.rst,
or of Documentation/qemu-device.rst, that it checks.
"""

import re

import pytest

from lib import common
from qtest.lib.iommu import ARGUMENTS
from qtest.lib.pci import SLOT, Device
from qtest.lib.qemu import Machine

# Execution in the main loop: the same in every run.
SYNC = "sync=on,test-controls=on"

# In engines all of it; or what is small in the doorbell, as it is by default.
ASYNC = "sync=off,test-controls=on,at-once-bytes=0"
ATONCE = "sync=off,test-controls=on"

# Behind an IOMMU all of it in the main loop, although there are engines.
EXACT = f"{ASYNC},exact=on"

BOTH = {"sync": SYNC, "async": ASYNC}

# With the arguments of the machine; behind an IOMMU only the copying is done in engines.
MODES = {"sync": (SYNC, ()), "async": (ASYNC, ()), "atonce": (ATONCE, ()),
         "iommu": (ASYNC, ARGUMENTS), "exact": (EXACT, ARGUMENTS)}


# @device("channels=4", mode=ASYNC): the device of a case that is not the default one.
device = pytest.mark.device

# A case that is too slow for `make check`: it runs with sanitizers, and on old versions of QEMU.
slow = pytest.mark.slow

# Two cases: the device of one has no engines, that of the other has.  The other is slow:
# twins are a third of all cases.
both = pytest.mark.parametrize("dev", [
    pytest.param(SYNC, id="sync"), pytest.param(ASYNC, id="async", marks=slow)], indirect=True)


# What a case is called by where its device has engines, an IOMMU, or both.
TWIN = re.compile(r"\b(async|atonce|iommu|exact|(sync|async|exact)_iommu)\b")


def each(names, values):
    """A case for each of {what it is called: arguments of these names}.

    One that differs from another only in that its device is not the synchronous one is slow,
    as with @both.
    """
    def case(name, value):
        several = value if "," in names else (value,)
        twin = TWIN.search(name) and TWIN.sub("sync", name) in values
        return pytest.param(*several, id=name, marks=slow if twin else ())

    return pytest.mark.parametrize(names, [case(*pair) for pair in values.items()])


def case_name(item):
    """abort.fifo_empty.some: what mutants, and directories, call a case."""
    return ".".join([item.path.stem.removeprefix("test_"),
                     *item.name.removeprefix("test_").rstrip("]").split("[")])


def threaded(item):
    """Whether a device has engines in it, or may have for all that is known before."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if "dev" in item.fixturenames and ASYNC not in values:
        mark = item.get_closest_marker("device")
        return bool(mark) and mark.kwargs.get("mode", SYNC) != SYNC
    return SYNC not in values or ASYNC in values or ATONCE in values


class Bench:
    """Starts machines for a case and ends them with it."""

    def __init__(self, qemu, directory):
        self.qemu = qemu
        self.directory = directory
        self.machines = []

    def machine(self, *arguments, **options):
        path = self.directory / str(len(self.machines))
        machine = Machine(self.qemu, path, arguments, **options)
        self.machines.append(machine)
        return machine.start()

    def boot(self, properties="", mode=SYNC, extra=(), **options):
        """A machine with a loopdma device."""
        device = ",".join(filter(None, [f"loopdma,id=dma,addr={SLOT:#x}", mode, properties]))
        return self.machine(*extra, "-device", device, **options)

    def device(self, *arguments, **options):
        """The same, set up; returns the device."""
        return Device(self.boot(*arguments, **options).connect())

    def quit(self):
        for machine in self.machines:
            if not machine.gone:
                machine.quit()

    def kill(self):
        for machine in self.machines:
            machine.kill()

    def reports(self):
        """What a sanitizer has found, if QEMU was built with one: text, by file."""
        return {path: path.read_text(encoding="utf-8", errors="replace")
                for path in sorted(self.directory.rglob("sanitizer.*"))}

    def tell(self):
        """What QEMU said, for somebody who looks for the reason of a failure."""
        for machine in self.machines:
            if said := machine.obituary():
                print(said)
        for path in sorted(self.directory.rglob("*")):
            if path.name in ("stderr", "qemu.log"):
                text = path.read_text(encoding="utf-8", errors="replace")
                for line in text.splitlines()[-20:]:
                    print(f"{path.parent.name}/{path.name}: {line}")


# What AddressSanitizer says of coroutines: no report, but that it may not understand them.
# QEMU tells it of each switch between their stacks.
NOTICES = re.compile(r"ASan doesn't fully support makecontext/swapcontext functions|"
                     r"ASan is ignoring requested __asan_handle_no_return|"
                     r"^False positive error reports may follow$|"
                     r"^For details see https://github.com/google/sanitizers/issues/189$")


# What UndefinedBehaviorSanitizer finds in QEMU's own model of AMD's IOMMU when that notes a
# fault: it shifts a mask for all 64 bits by 64.  With its stack, and what sums it up.
QEMUS = re.compile(r"^\S*/hw/i386/amd_iommu\.c:[\d:]+ runtime error: shift exponent 64 .*\n"
                   r"(?:(?: +#|\s*$).*\n)*(?:SUMMARY: .*/amd_iommu\.c:.*\n?)?", re.MULTILINE)


def complaints(reports):
    """Why reports of a sanitizer make a case fail, line by line: each kind once."""
    said = {}
    for path, text in reports.items():
        text = QEMUS.sub("", text)
        for line in re.findall(r"^SUMMARY: .*|.*runtime error: .*", text, re.MULTILINE):
            said.setdefault(line, f"{line} ({common.relative(path)})")
        others = [line for line in text.splitlines() if line.strip() and not NOTICES.search(line)]
        if others and not said:
            said[path] = f"{others[0]} ({common.relative(path)})"
    return list(said.values())
