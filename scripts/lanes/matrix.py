# SPDX-License-Identifier: GPL-2.0-only
"""The suites elsewhere than in the lane "kunit": other kernels, machines and devices.

Each cell is a kernel, a configuration of it, a machine and a device under test.  A cell
shows, before it ends, that it is what it is called.
"""

import dataclasses

from lib import common, guest, kernel, kunit, modules, needs, stock
from lib.case import of_guest
from lib.lane import Task, parameter
from lanes import dmatest

CONFIGS = common.ROOT / "scripts" / "configs"

# Virtual CPUs in one thread, or with KCSAN, take up to twice as long as kunit-live.
HANG = 2 * kunit.SUITES_HANG

# For the jobs: what a guest is found to be.
FACTS = """\
fail() { echo "$*"; exit 1; }
device=$(echo /sys/bus/pci/drivers/loopdma/0000:*)
[ -e $device/dma ] || fail "the driver has lost its device"
mode=intx
for irq in $device/msi_irqs/*; do
	[ ! -e $irq ] || mode=$(cat $irq)
done
iommu=off
[ ! -e $device/iommu_group/type ] || iommu=$(cat $device/iommu_group/type)
cpus=$(nproc)
bounced=$(cat /sys/kernel/debug/swiotlb/io_tlb_used_hiwater 2>/dev/null || echo 0)
uname=$(uname -v)
release=$(uname -r)
"""


@dataclasses.dataclass(frozen=True)
class Cell:
    """The suites somewhere else."""
    name: str
    what: str               # it shows
    proof: str              # a condition of shell, over the variables of FACTS
    changes: dict = dataclasses.field(default_factory=dict)     # of guest.Guest
    kernel: str = ""        # variant of the kernel: configs/NAME.config
    linux: str = ""         # the stock kernel whose source it is; "": the newest
    arguments: str = ""     # of loopdma_kunit
    device: str = ""        # more of its properties
    dut: str = "live"       # device under test

    @property
    def config(self):
        return CONFIGS / f"{self.kernel}.config" if self.kernel else None


def icount(shift, what):
    """Virtual CPUs in turn, in one thread; an instruction takes 2^shift ns of their time.

    Interrupts and timers are then where that time says, and not where the host's load
    has them.  Idle CPUs wait for the device, which lives in the host's time.
    """
    # Code can be rewritten while no other CPU runs: so tracepoints can be switched on.
    return Cell(f"icount-{shift}", what, "[ $cpus = 2 ]", {"icount": f"shift={shift}"},
                arguments="tracing=1")


CELLS = [
    Cell("iommu-off", "addresses of the device are those of memory",
         # What is twice as long as a descriptor can be must be in one piece.
         "[ $iommu = off ]", {"iommu": "off"}, device="max-len=1M"),
    Cell("swiotlb", "all that the device reads and writes is copied by the CPU",
         "[ $bounced -gt 0 ]", {"iommu": "off", "swiotlb": True},
         # As above, and no bounce buffer is longer than 256 KiB.
         device="max-len=192K"),
    Cell("cpus-1", "nothing runs beside anything else; tracepoints, too",
         "[ $cpus = 1 ]", {"smp": 1}),
    Cell("cpus-4", "more CPUs than the host may have, so that any of them may stand still",
         "[ $cpus = 4 ]", {"smp": 4}),
    Cell("msi", "one interrupt for all channels", "[ $mode = msi ]", device="irq-mode=msi"),
    Cell("intx", "an interrupt that is a level", "[ $mode = intx ]", device="irq-mode=intx"),
    icount(1, "a fast CPU: little is done between two interrupts"),
    icount(2, "half as fast"),
    icount(3, "a quarter: with less, these checks have no time left between two ticks"),
    Cell("linux-6.12", "the oldest kernel that has the KUnit of the suites",
         '[ "${release#6.12}" != "$release" ]', linux="6.12"),
    Cell("kcsan", "no data race, by the rules of the kernel's memory model",
         "[ -e /sys/kernel/debug/kcsan ]", {"debug_kernel": False, "kcsan": True},
         kernel="kcsan"),
    Cell("clang", "another compiler", "grep -q clang /proc/version", kernel="clang"),
    Cell("rt", "PREEMPT_RT: interrupts are threads, locks sleep",
         '[ "$uname" != "${uname#*PREEMPT_RT}" ]', kernel="rt"),
    # What user-mode Linux, with its one CPU, cannot show.
    Cell("fake", "the simulated device, with two CPUs", "[ $cpus = 2 ]", dut="fake"),
    Cell("public", "public channels and an alignment, without a peripheral",
         "[ $cpus = 2 ]", dut="public"),
    Cell("unordered", "a device that ends transactions in any order", "[ $cpus = 2 ]",
         dut="unordered"),
    Cell("hostile", "a device that tells the driver very many lies", "[ $cpus = 2 ]",
         dut="hostile"),
]

LIES = parameter("hostile.lies", 200_000, "lies that the device tells")


def run(cell):
    """The cases of a cell."""
    kdir = kunit.x86_kernel(cell.config, cell.linux)
    top = modules.build(kdir, f"-{cell.kernel or 'kunit'}")[0]
    proof = f'{FACTS}{cell.proof} ||\n\tfail "this guest is not {cell.name}"\n'
    suites = kunit.suites_guest(cell.dut, kdir, top, LIES.value, cell.arguments, proof)
    return kunit.run_guest(dataclasses.replace(
        suites, name=f"kunit-{cell.name}", timeout=max(HANG, suites.timeout),
        device=",".join(filter(None, [suites.device, cell.device])), **cell.changes),
        cell.dut, cell.name)


def slow(cell, shift):
    """dmatest on slow CPUs: slower than the suites' checks leave time for."""
    # The device works in the host's time, of which there is little in a second of
    # these CPUs: to the watchdog it would look as if it was stuck.
    one = dmatest.dmatest_guest(kernel.image(cell), stock.files_with_dmatest(cell), "msix",
                                parameters="watchdog_ms=60000 stuck_ms=0")
    name = f"{cell.name} icount-{shift}"
    return [of_guest(f"{name}: dmatest", guest.run(dataclasses.replace(
        one, name=f"dmatest-{name.replace(' ', '-')}", icount=f"shift={shift}", smp=1)))]


def tasks():
    there = {"", *(cell.name for cell in kernel.cells())}
    return [Task(cell.name, lambda cell=cell: run(cell), (needs.kunit_variant(
                cell.config, cell.linux),), full=True)
            for cell in CELLS if cell.linux in there] + [
        Task(f"{cell.name} icount-{shift}", lambda cell=cell, shift=shift: slow(cell, shift),
             (needs.stock_guests,), full=True)
        for cell in kernel.cells() for shift in (4, 7)]
