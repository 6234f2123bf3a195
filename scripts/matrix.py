#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs the KUnit suites in guests that are not like that of `kunit.py live`.

Each is a cell: the suites on the QEMU device and the conformance suites, on a machine
or a kernel that differs in one thing.  A cell shows, before it ends, that it is what
it is called.

  matrix.py              all cells
  matrix.py msi icount-4 these
  matrix.py --list       what there is, and what it is for
"""

import argparse
import dataclasses

import common
import guest
import kunit
import modules

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
    linux: str = kunit.LINUX    # the stock kernel whose source it is; "": the newest
    arguments: str = ""     # of loopdma_kunit
    more: int = 0           # cases that pass here and not in kunit-live; negative: fewer
    device: str = ""        # more of its properties

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
                arguments="tracing=1", more=4)


NEWEST = Cell("linux-newest", "the newest kernel that can be had",
              '[ "${release%%.*}" -ge 7 ]', linux="")

CELLS = [
    Cell("iommu-off", "addresses of the device are those of memory",
         # What is twice as long as a descriptor can be must be in one piece.
         "[ $iommu = off ]", {"iommu": "off"}, device="max-len=1M"),
    Cell("swiotlb", "all that the device reads and writes is copied by the CPU",
         "[ $bounced -gt 0 ]", {"iommu": "off", "swiotlb": True},
         # As above, and no bounce buffer is longer than 256 KiB.
         device="max-len=192K"),
    # Without loopdma_order.synchronize_waits_for_running, which takes two.
    Cell("cpus-1", "nothing runs beside anything else; tracepoints, too",
         "[ $cpus = 1 ]", {"smp": 1}, more=4 - 1),
    Cell("cpus-4", "more CPUs than the host may have, so that any of them may stand still",
         "[ $cpus = 4 ]", {"smp": 4}),
    Cell("msi", "one interrupt for all channels", "[ $mode = msi ]", device="irq-mode=msi"),
    # loopdma_order.no_register_reads is not for interrupts that take a read.
    Cell("intx", "an interrupt that is a level", "[ $mode = intx ]", device="irq-mode=intx",
         more=-1),
    icount(1, "a fast CPU: little is done between two interrupts"),
    icount(2, "half as fast"),
    icount(3, "a quarter: with less, these checks have no time left between two ticks"),
    NEWEST,
]

KCSAN = Cell("kcsan", "no data race, by the rules of the kernel's memory model",
             "[ -e /sys/kernel/debug/kcsan ]", {"debug_kernel": False, "kcsan": True},
             kernel="kcsan")
CLANG = Cell("clang", "another compiler", "grep -q clang /proc/version", kernel="clang")
# Without five cases that call the provider with interrupts off, as from a hard interrupt:
# with PREEMPT_RT no driver can be called so, since locks may sleep.
RT = Cell("rt", "PREEMPT_RT: interrupts are threads, locks sleep",
          '[ "$uname" != "${uname#*PREEMPT_RT}" ]', kernel="rt", more=-5)


def build(cell):
    """The kernel of a cell: built once, then cached."""
    return kunit.x86_kernel(cell.config, cell.linux)


def run(cell):
    """Counts, what is wrong or "", and the cases of a cell; and what else to say of it."""
    kdir = build(cell)
    top = modules.build(kdir, f"-{cell.kernel or 'kunit'}")[0]
    proof = f'{FACTS}{cell.proof} ||\n\tfail "this guest is not {cell.name}"\n'
    suites = kunit.suites_guest("live", kdir, top, arguments=cell.arguments, proof=proof)
    suites = dataclasses.replace(
        suites, name=f"kunit-{cell.name}", timeout=HANG,
        device=",".join(filter(None, [suites.device, cell.device])), **cell.changes)
    with common.step(f"running the suites in a guest: {cell.name}"):
        outcome = guest.run(suites)
    result = kunit.guest_result(cell.name, outcome, suites.name,
                                kunit.floor_of("live") + cell.more)
    others = guest.races_of_others(outcome.log)[1]
    return *result, f", {others} races in the kernel itself" if cell is KCSAN else ""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the cells and leave")
    parser.add_argument("cells", nargs="*", metavar="CELL")
    args = parser.parse_args()
    known = {cell.name: cell for cell in [*CELLS, KCSAN, CLANG, RT]}
    if args.list:
        for cell in known.values():
            print(f"{cell.name:<12} {cell.what}")
        return 0
    unknown = [name for name in args.cells if name not in known]
    if unknown:
        parser.error(f"no cell '{unknown[0]}': choose from {', '.join(known)}")
    return max(kunit.report_on(name, *run(known[name])[:3]) for name in args.cells or known)


if __name__ == "__main__":
    common.main(main)
