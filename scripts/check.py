#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs all tests and checks, in lanes, and counts what passed.

Lanes:
  lint        checkpatch, kernel-doc, shellcheck, licences, per file
  scripts     bad input to the scripts, and the judge of guest logs
  build       modules for each stock kernel, W=1 and sparse, no warning
  kunit       KUnit on user-mode Linux, driver dropped into a kernel tree
  kunit-live  KUnit in a guest with KASAN, lockdep, DMA API debugging and more,
              on the QEMU device
  dmatest     the kernel's dmatest on stock kernels: interrupt and IOMMU modes
  reload      loading and unloading the driver 100 times on stock kernels, 10 times
              on the one with KASAN; unbinding it while dmatest runs
  observe     tracepoints, counters, faults and loopdmactl on stock kernels, against what
              was done
  survive     reset, errors of the bus, sleep and surprise removal on stock kernels,
              while all channels are busy
  raid        RAID-5 and RAID-6 on a stock kernel, their parity computed by the device
  probe       devices that the driver must refuse; probe failing at each step
  qtest       the device by itself

With --full also what takes too long for every day:
  kunit-fake  KUnit in the same guest over the simulated device, with two CPUs
  kunit-public  the conformance suites on a device without the peripheral
  inject      faults in the kernel with KASAN, also those that the kernel injects
  stock       dmatest, reload, survive and observe in the modes, and on the kernels
              between the oldest and the newest, that are not everyday's; a memory map
              that changes while the CPUs work
  storm       the device goes away, and comes back, while all channels are busy: 1000
              times each by unbind, PCI removal, PCI reset, the host, and surprise
  soak        all channels at everything for ten minutes, while all goes wrong that can
  power       kexec, sleep and hibernation on stock kernels, while all channels are busy
  isolation   addresses that an IOMMU does not let the device reach, on stock kernels
  hostile     a device that tells the driver a million lies, under KASAN and UBSAN
  qtest-asan  the device by itself, built with AddressSanitizer and
              UndefinedBehaviorSanitizer
  qtest-tsan  those cases that may have engines, with ThreadSanitizer
  qemu-old    the device by itself, and dmatest, on the oldest QEMU that is supported and on
              the one of the newest stable release
  own         a kernel that is not the distribution's, from the newest source: make run and
              make check with KDIR=, virtme-ng with 9p, and with virtiofs under KVM
  fuzz        what a guest could do to the device, at random, for a minute
  matrix      the suites of kunit-live elsewhere: IOMMU off, swiotlb, 1 and 4 CPUs, MSI,
              INTx, CPUs of several speeds
  kcsan       the same on a kernel that looks for data races
  clang       the same on a kernel that is built with LLVM
  rt          the same on one with PREEMPT_RT; dmatest, reload and survive on the
              distribution's, and on stock kernels with threaded interrupts

The last line is the sum: N passed, N failed, N skipped.  Exit status 0 only if
nothing failed.  Results as JSON in build/reports/check.json.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import common
import fuzz
import guest
import kernel
import kunit
import lint
import matrix
import modules
import power
import raid
import selftest
import soak
import storm
import target
import vng
from common import Fail


@dataclasses.dataclass
class Case:
    """One thing that was tested."""
    name: str
    status: str         # PASS, FAIL or SKIP
    reason: str = ""


# A guest that dies before it has loaded anything of ours, or of a known fault of QEMU, is no
# failure of ours, and no pass: it is skipped.  If more of them do, nobody knows what the rest
# is worth.
NOT_JUDGED_AT_MOST = 2


def verdict(name, reason):
    status = "PASS" if not reason else "SKIP" if guest.NOT_JUDGED in reason else "FAIL"
    return Case(name, status, reason)


# --- stock kernels ------------------------------------------------------------

def by_age():
    """The stock kernels of the lanes, the newest first."""
    return sorted(kernel.cells(), reverse=True,
                  key=lambda cell: [int(part) for part in cell.name.split(".")])


def everyday():
    """Those that every run has its guests on: what works on both ends works between."""
    newest, *older = by_age()
    return [newest, *older[-1:]]


def between():
    """Those that are left to the lane "stock"."""
    return by_age()[1:-1]


# --- lanes: each gives tasks, a task gives cases ------------------------------

def lint_lane():
    return {"lint": lambda: [verdict(*pair) for pair in lint.run()]}


def scripts_lane():
    return {"scripts": lambda: [Case(*result) for result in selftest.run()]}


# Stock kernels that the modules build for without a complaint.
kernels_built = set()


def build_lane():
    def task(cell):
        top, told = None, []
        reason = ""
        try:
            top, told = modules.build(kernel.kdir(cell), "-check", [
                "W=1e", "C=2", "CF=-D__CHECK_ENDIAN__"])
        except Fail as e:
            reason = str(e)
        log = f"(log: build/logs/modules-{cell.kver}-check.log)"
        sparse = next((f"{line} {log}" for line in told if "warning:" in line or
                       "error:" in line), reason and f"not reached: {reason}")
        if not sparse:
            kernels_built.add(cell.kver)
        return [verdict(f"{cell.name} W=1", reason), verdict(f"{cell.name} sparse", sparse)]

    return {cell.name: lambda cell=cell: task(cell) for cell in kernel.cells()}


def kunit_cases(lane, counts, problem, cases):
    ktap = common.REPORTS / f"kunit-{lane}.ktap"
    skipped = dict(re.findall(r"ok \d+ (?:- )?(\S+) # SKIP (.+)",
                              ktap.read_text(encoding="utf-8") if ktap.exists() else ""))
    found = []
    for name, status in cases.items():
        reason = {"FAIL": problem, "SKIP": skipped.get(name.partition(".")[2], "")}
        found.append(Case(f"{lane} {name}", status, reason.get(status, "")))
    if problem and not counts.failed:
        # A log that complains, too few cases, no results at all.
        found.append(verdict(f"{lane} run", problem))
    return found


def kunit_lane():
    return {"uml": lambda: kunit_cases("uml", *kunit.uml())}


def kunit_live_lane():
    return {"guest": lambda: kunit_cases("live", *kunit.in_guest("live"))}


def kunit_fake_lane():
    return {"guest": lambda: kunit_cases("fake", *kunit.in_guest("fake"))}


def kunit_public_lane():
    return {"guest": lambda: kunit_cases("public", *kunit.in_guest("public"))}


def hostile_lane():
    return {"guest": lambda: kunit_cases("hostile", *kunit.in_guest("hostile"))}


# On the newest kernel interrupts that an IOMMU remaps and those that it does not, which
# are different paths, meet all modes.
DMATEST_CELLS = [
    # irq-mode, IOMMU, swiotlb=force
    ("msix", "strict", False),
    ("msix", "off", True),
    ("msi", "strict", False),
    ("msi", "off", False),
    ("intx", "strict", False),
    ("intx", "off", True),
]
# On an older one every value of every column is met; the lane "stock" adds the rest.
DMATEST_OLDER = [
    ("msix", "strict", False),
    ("msi", "off", False),
    ("intx", "off", True),
]

# dmatest gives a channel a thread for each of copy (or fill), XOR and PQ, as far as
# the channel can do them.  A thread that polls ends with terminating all that its
# channel has to do, so it must be the only one there: devices on which CAPS lacks the
# rest, with the opcodes that are left.
DMATEST_POLLED = [
    # CAPS bits taken out, channels, dmatest=, what the thread does
    ("0x62", 2, 0, "copy"),
    ("0x62", 2, 1, "set"),
    ("0x52", 1, 1, "xor"),
    ("0x32", 1, 1, "pq"),
]

DMATEST_JOB = guest.DMATEST_DONE + """\
fail() { echo "$*"; exit 1; }
insmod /loopdma.ko || fail "loopdma does not load"
# In the order of their slots, the one with all opcodes first.
set -- /sys/bus/pci/drivers/loopdma/0000:*
[ $# = @DEVICES@ ] || fail "$# of @DEVICES@ devices were bound"
for device; do
	mode=intx
	for irq in $device/msi_irqs/*; do
		[ -e $irq ] && mode=$(cat $irq)
	done
	[ $mode = @MODE@ ] || fail "the interrupts are $mode, not @MODE@"
	iommu=off
	if [ -e $device/iommu_group/type ]; then
		iommu=$(cat $device/iommu_group/type)
	fi
	[ $iommu = @IOMMU@ ] || fail "the IOMMU is $iommu, not @IOMMU@"
	[ -e $device/dma ] || fail "no channel was registered"
done
grep -q loopdma /proc/interrupts || fail "no interrupt is requested"
threads=no
ps | grep -q "[[]irq/[0-9]*-loopdma" && threads=yes
[ $threads = @THREADS@ ] || fail "threads for its interrupts: $threads, not @THREADS@"

insmod /dmatest.ko || fail "dmatest does not load"
cd /sys/module/dmatest/parameters || exit
echo 60000 >timeout
lost=0
run() { # iterations, buffer size, polled, fill instead of copy, threads, channels
	iterations=$1
	size=$2
	polled=$3
	kinds=$5
	echo $1 >iterations
	echo $2 >test_buf_size
	echo $3 >polled
	echo $4 >dmatest
	shift 5
	for channel; do
		echo ${channel##*/} >channel || fail "dmatest refuses ${channel##*/}"
	done
	dmesg -c >/dev/null
	echo 1 >run || fail "dmatest does not start"
	dmatest_done /tmp/said
	cat /tmp/said
	for kind in $kinds; do
		threads=$(grep -c "chan[0-9]*-$kind[0-9]*: summary" /tmp/said)
		[ $threads = $# ] ||
			fail "dmatest ran $threads threads of $kind on $# channels: not all can do it"
		good=$(grep -c -- "-$kind[0-9]*: summary $iterations tests, 0 failures" /tmp/said)
		[ $good = $# ] ||
			fail "dmatest, $kind, buffers of $size: $good of $# channels without a failure"
		ran="$ran $kind"
	done
	[ $polled = N ] || [ $(grep -c ": summary" /tmp/said) = $# ] ||
		fail "a channel has a thread that polls and another, which it would terminate"
	lost=$((lost + $(dmesg | grep -c "loopdma .*an interrupt was lost")))
}
ran=
run @ITERATIONS@ 16384 N 0 "copy xor pq" $1/dma/*
run 4 16384 N 1 "set xor pq" $1/dma/*
run 1 @LARGE@ N 0 "copy xor pq" $1/dma/*chan[01]
run 1 @LARGE@ N 1 "set xor pq" $1/dma/*chan2
@POLLED@
rmmod dmatest || fail "dmatest does not unload"
stats=/sys/kernel/debug/dmaengine/${1##*/}
for file in $stats/stats $stats/chan0/stats; do
	grep -q "^transfers [1-9]" $file || fail "$file counts no transfers"
done
grep -q "^[1-9]" $1/loopdma/transfers || fail "sysfs counts no transfers"
# A CPU that the host does not run for a second looks like a lost interrupt.
[ $lost -le 2 ] || fail "at least $lost interrupts were lost"
# Slave transfers and scatterlists, which dmatest has not.
insmod /loopdma_bench.ko mode=loopback || fail "what the loopback gave back differs"
rmmod loopdma_bench || fail "loopdma_bench does not unload"
if [ @MODE@ = msix ]; then
	# Clients as others would write them, who verify what they get.
	for sample in disk nic; do
		insmod /loopdma_$sample.ko || fail "the sample client loopdma_$sample fails"
		dmesg | grep -q "loopdma_$sample: DMA takes .* % of the CPU time" ||
			fail "loopdma_$sample does not tell what DMA takes"
		rmmod loopdma_$sample || fail "loopdma_$sample does not unload"
	done
fi
if [ @SWIOTLB@ = force ]; then
	# The kernel must be seen to bounce the device's buffers.
	mount -t tracefs trace /sys/kernel/tracing || fail "no tracefs, to see buffers bounced"
	grep -q "swiotlb_bounced: dev_name: ${1##*/} " /sys/kernel/tracing/trace ||
		fail "nothing is bounced with swiotlb=force"
fi
# Under INTx all channels share one line.
raised=$(awk '/loopdma/ { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i }
	END { print n + 0 }' /proc/interrupts)
[ $raised -gt 0 ] || fail "no interrupt arrived"
rmmod loopdma || fail "loopdma does not unload"
echo "$raised interrupts; threads:$ran"
"""


# Firmware tells where a device is; a user who knows better may say so, which the kernel
# notes down as a taint (numa_node of a PCI device in sysfs).
TAINT_FIRMWARE_WORKAROUND = 1 << 11

NUMA_JOB = """\
fail() { echo "$*"; exit 1; }
# A CPU far from the device asks for everything.
[ -e /sys/devices/system/node/node0/cpu0 ] || fail "CPU 0 is not on node 0"
device=$(dirname $(grep -l 0x10f0 /sys/bus/pci/devices/*/device))
echo 1 >$device/numa_node || fail "the device cannot be put on node 1"
taskset 1 insmod /loopdma.ko || fail "loopdma does not load"
insmod /dmatest.ko || fail "dmatest does not load"
for channel in $device/dma/*; do
	taskset 1 sh -c "echo ${channel##*/} >/sys/module/dmatest/parameters/channel" ||
		fail "dmatest refuses ${channel##*/}"
done
channels=$(ls $device/dma | wc -l)
near=$(grep -c "^ dma.*, node 1$" /sys/kernel/debug/dmaengine/summary)
[ $near = $channels ] || fail "$near of $channels channels have their memory near the device"
rmmod dmatest && rmmod loopdma || fail "the modules do not unload"
"""


def dmatest_guest(image, files, mode, iommu="strict", swiotlb=False, threads=False):
    """dmatest in all its modes, and the loopback, with a mode of interrupts.

    With `threads` on a kernel whose interrupts are threads.
    """
    masks = list(dict.fromkeys((mask, channels) for mask, channels, *_ in
                               DMATEST_POLLED))
    polled = [f'run 20 16384 Y {fill} "{kind}" ${masks.index((mask, channels)) + 2}/dma/*'
              for mask, channels, fill, kind in DMATEST_POLLED]
    # "DMA" is strict, "DMA-FQ" would be the lazy mode.
    settings = {"MODE": mode, "IOMMU": "DMA" if iommu == "strict" else "off",
                "SWIOTLB": "force" if swiotlb else "no", "ITERATIONS": "8",
                "THREADS": "yes" if threads else "no",
                # The largest that a bounce buffer can be is 256 KiB.
                "LARGE": "131072" if swiotlb else "1048576",
                "DEVICES": str(1 + len(masks)), "POLLED": "\n".join(polled)}
    return guest.Guest(
        kernel=image, files=files, iommu=iommu, swiotlb=swiotlb,
        # To enable it while the other CPU runs would rewrite the kernel's code
        # under it, which QEMU's translator before 8.1 does not get right.
        append="trace_event=swiotlb:swiotlb_bounced" if swiotlb else "",
        job=re.sub(r"@(\w+)@", lambda m: settings[m[1]], DMATEST_JOB),
        device=f"irq-mode={mode}", more_devices=tuple(
            f"irq-mode={mode},channels={channels},x-caps-mask={mask}"
            for mask, channels in masks))


def files_with_dmatest(cell):
    """The modules for a stock kernel, with the kernel's own dmatest."""
    kdir = kernel.kdir(cell)
    return guest.module_files(modules.build(kdir)[0]) | {
        "dmatest.ko": modules.build_dmatest(kdir, kernel.dmatest(cell))}


def cases_told(where, outcome, *more):
    """The cases that a guest has told of, and the run's own if it says more than they."""
    cases = [*ktap_cases("\n".join(outcome.lines)), *more]
    # A step that failed has made the job fail, and says more.
    if outcome.reason and not (outcome.reason.startswith("job failed") and
                               any(case.status == "FAIL" for case in cases)):
        cases.append(verdict("run", outcome.reason))
    return [dataclasses.replace(case, name=f"{where} {case.name}") for case in cases]


def on_stock(cell, make, name, append="", **options):
    """A lane's guest on a stock kernel, and how that went."""
    one = make(kernel.image(cell), files_with_dmatest(cell), **options)
    return guest.run(dataclasses.replace(
        one, append=f"{append} {one.append}".strip(), name=re.sub(r"[ =]", "-", name)))


def dmatest_task(cell, mode, iommu, swiotlb):
    name = f"{cell.name} {mode} iommu={iommu}{' swiotlb=force' if swiotlb else ''}"
    outcome = on_stock(cell, dmatest_guest, f"dmatest-{name}", mode=mode, iommu=iommu,
                       swiotlb=swiotlb)
    return [verdict(name, outcome.reason)]


def dmatest_tasks(cells, modes):
    return {f"{cell.name} {mode} {iommu}{' swiotlb' if swiotlb else ''}":
            lambda options=(cell, mode, iommu, swiotlb): dmatest_task(*options)
            for cell in cells for mode, iommu, swiotlb in modes}


def dmatest_lane():
    def numa(cell):
        files = files_with_dmatest(cell)
        outcome = guest.run(guest.Guest(
            kernel=kernel.image(cell), files=files, numa=True, job=NUMA_JOB,
            taint=TAINT_FIRMWARE_WORKAROUND, name=f"numa-{cell.name}"))
        return [verdict(f"{cell.name} memory near the device", outcome.reason)]

    newest, *older = by_age()
    return dmatest_tasks([newest], DMATEST_CELLS) | \
        dmatest_tasks(older, DMATEST_OLDER) | {f"{newest.name} numa": lambda: numa(newest)}


RELOAD_JOB = """\
fail() { echo "$*"; exit 1; }
# The shell itself: to start programs would take more time than what is tested.
channels() { set -- /sys/class/dma/*; [ -e $1 ]; }
i=0
while [ $i -lt @TIMES@ ]; do
	i=$((i + 1))
	insmod /loopdma.ko || fail "load $i failed"
	channels || fail "no channels at load $i"
	rmmod loopdma || fail "unload $i failed"
	! channels || fail "channels stay after unload $i"
done
"""

# DMA API debugging would blame the driver for what dmatest has mapped.
UNBIND_JOB = guest.DMATEST_DONE + """\
insmod /loopdma.ko || fail "loopdma does not load"
cd /sys/bus/pci/drivers/loopdma || exit
slot=$(echo 0000:*)
raised() {
	awk '/loopdma/ { for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i }
		END { print n + 0 }' /proc/interrupts
}
i=0
while [ $i -lt 3 ]; do
	i=$((i + 1))
	insmod /dmatest.ko timeout=60000 run=1 || fail "dmatest does not load"
	before=$(raised)
	while [ $(raised) -lt $((before + 100)) ]; do
		:
	done
	echo $slot >unbind || fail "unbind $i failed"
	[ $(ls /sys/class/dma | wc -l) = 0 ] || fail "channels stay after unbind $i"
	rmmod dmatest || fail "dmatest does not unload after unbind $i"
	echo $slot >bind || fail "bind $i failed"
done
dmesg -c >/dev/null
insmod /dmatest.ko timeout=60000 iterations=10 run=1 || fail "dmatest does not load"
dmatest_done /tmp/said
[ $(grep -c -- "-copy0: summary 10 tests, 0 failures" /tmp/said) = \
	$(ls /sys/class/dma | wc -l) ] || fail "dmatest failed"
grep ": summary" /tmp/said | grep -v ", 0 failures" && fail "dmatest failed"
rmmod dmatest || fail "dmatest does not unload"
rmmod loopdma || fail "loopdma does not unload"
"""


def reload_guest(image, files, times=100):
    """Loading and unloading; with dmatest among the files, also unbinding."""
    job = RELOAD_JOB.replace("@TIMES@", str(times))
    if "dmatest.ko" in files:
        job += UNBIND_JOB
    return guest.Guest(kernel=image, files=files, job=job,
                       # To wait for grace periods would be half of the time.
                       append="rcupdate.rcu_expedited=1")


def reload_task(name, image, kdir, dmatest=None, variant="", debug=False):
    # The checks of the debug kernel make a round 30 times as long, and see
    # in one what would take many to show on another.
    times = 10 if debug else 100
    top, _ = modules.build(kdir, variant)
    files = guest.module_files(top)
    what = f"{times} times on {name}"
    if dmatest:
        files["dmatest.ko"] = dmatest
        what += ", 3 times while dmatest runs"
    outcome = guest.run(dataclasses.replace(
        reload_guest(image, files, times), name=f"reload-{name}",
        debug_kernel=debug, mem=1024 if debug else 512))
    return [verdict(what, outcome.reason)]


def reload_tasks(cells):
    def task(cell):
        kdir = kernel.kdir(cell)
        return reload_task(cell.name, kernel.image(cell), kdir,
                           modules.build_dmatest(kdir, kernel.dmatest(cell)))

    return {cell.name: lambda cell=cell: task(cell) for cell in cells}


def reload_lane():
    def debug():
        kdir = kunit.x86_kernel()
        return reload_task("kunit", kdir / "arch/x86/boot/bzImage", kdir,
                           variant="-kunit", debug=True)

    return {"kunit": debug} | reload_tasks(everyday())


def storm_lane(rounds=1000):
    return {way: lambda way=way: cases_told(way, storm.run(way, rounds))
            for way in storm.WAYS}


SOAK_SECONDS = 600


def soak_lane():
    def task():
        outcome = soak.run(SOAK_SECONDS)
        found = soak.figures(outcome)
        told = ", ".join(f"{found.get(name, 'no')} {name}" for name in
                         ("bytes", "faults", "reloads", "mismatches", "untold"))
        return cases_told("soak", outcome, verdict(told, "" if found else "nothing counted"))

    return {"guest": task}


def raid_lane():
    def task(cell):
        return cases_told(cell.name, raid.run(cell))

    # It is md that differs from kernel to kernel, not the driver: one will do.
    cell = kernel.cells()[0]
    return {cell.name: lambda: task(cell)}


def power_lane():
    def task(cell, job):
        return cases_told(cell.name, power.run(cell, job))

    return {f"{cell.name} {job}": lambda cell=cell, job=job: task(cell, job)
            for cell in kernel.cells() for job in power.JOBS}


def isolation_guest(image, files):
    """Two devices, behind an IOMMU that keeps them apart."""
    return guest.Guest(
        kernel=image, job="sh /isolation\n", more_devices=("",),
        files=files | guest.job_files("isolation"),
        allowed=((r"DMAR: ", "what the client has asked for"),))


def isolation_lane():
    def task(cell):
        files = guest.module_files(modules.build(kernel.kdir(cell))[0])
        return cases_told(cell.name, guest.run(dataclasses.replace(
            isolation_guest(kernel.image(cell), files), name=f"isolation-{cell.name}")))

    def control(cell):
        files = guest.module_files(modules.build(kernel.kdir(cell))[0])
        outcome = guest.run(dataclasses.replace(
            isolation_guest(kernel.image(cell), files), iommu="off", name="isolation-off"))
        changed = sum("memory has changed" in line for line in outcome.lines)
        # But for what is foreign, of which there is nothing then.
        return [verdict(f"{cell.name} without an IOMMU memory is changed",
                        "" if changed == 4 else f"in {changed} of 4 tries")]

    cell = kernel.cells()[0]
    return {cell.name: lambda cell=cell: task(cell) for cell in kernel.cells()} | {
        f"{cell.name} without": lambda: control(cell)}


def survive_guest(image, files, resets=20):
    """What can happen to a device while it works."""
    return guest.Guest(
        kernel=image, job=f"RESETS={resets} sh /survive || exit\n",
        files=files | guest.job_files("survive", "steps", "dmatest_done"),
        slot=True, device="test-controls=on", monitor=True,
        smp=guest.cpus_while_map_changes(common.qemu()),
        allowed=((r"AER: |PCIe Bus Error", "errors that QEMU was asked for"),
                 (r"loopdma .*gone from the bus", "it was taken away"),
                 (r"DMAR: ", "dmatest unmaps what is in flight when it is stopped")))


def survive_tasks(cells):
    def task(cell):
        return cases_told(cell.name, on_stock(cell, survive_guest, f"survive-{cell.name}"))

    return {cell.name: lambda cell=cell: task(cell) for cell in cells}


def survive_lane():
    return survive_tasks(everyday())


def in_manual(start):
    """The line of the driver's manual that starts so."""
    manual = common.ROOT / "Documentation" / "driver.rst"
    found = re.search(rf"^    ({re.escape(start)}.*)$",
                      manual.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise Fail(f"{common.relative(manual)} has no line '{start}...'")
    return found[1].encode() + b"\n"


def observed(line):
    """What is wrong with a line "%% json COMMAND NUMBER JSON" of loopdmactl, or ""."""
    _, _, command, number, text = line.split(" ", 4)
    try:
        rows = json.loads(text)
    except ValueError as e:
        return f"{command} --json: {e}"
    expected = int(number)
    if command == "stats":
        done = sum(row["transfers"] for row in rows)
        return "" if done == expected else f"stats: {done} of {expected} transfers"
    if command == "top":
        for row in rows:
            if not (row["ops_s"] > 0 and row["mb_s"] > 0 and row["latency_us"] > 0 and
                    0 < row["busy_percent"] <= 100 and row["mean_depth"] > 0):
                return f"top: {row}"
            # Little's law, with what rounding leaves of it.
            mean = row["latency_us"] * row["transfers"] / row["mean_depth"]
            if not row["errors"] and row["mean_depth"] > 0.05 and \
                    not 0.8e6 < mean < 1e6 * guest.HANG:
                return f"top: latency, transfers and depth do not agree: {row}"
        done = sum(row["transfers"] for row in rows)
        return "" if 0 < done <= expected else f"top: {done} of {expected} transfers"
    if command == "selftest" and any(row["result"] != "PASS" for row in rows):
        return f"selftest: {rows}"
    return "" if len(rows) == expected else f"{command}: {len(rows)} of {expected} lines"


def step_files(job):
    """What a job of scripts/guest/ that tries loopdmactl needs, itself included."""
    return guest.job_files(job, "steps", "ctl") | {
        # For a user who is not root.
        "etc/passwd": b"root:x:0:0::/:/bin/sh\nnobody:x:99:99::/:/bin/sh\n",
        "loopdmactl": common.ROOT / "scripts" / "loopdmactl"}


def observe_guest(image, files):
    """Tracepoints, counters and loopdmactl in a guest."""
    return guest.Guest(
        kernel=image, job="sh /observe\n", files=files | step_files("observe") | {
            "histogram": in_manual("echo 'loopdma_latency "),
            "histogram-off": in_manual("for event in ")},
        # To switch a tracepoint on while another CPU runs would rewrite the kernel's
        # code under it, which QEMU's translator before 8.1 does not get right.
        smp=1)


def inject_guest(image, files):
    """Faults on demand in a guest, which has a device that cannot do that, too."""
    return guest.Guest(
        kernel=image, job="sh /inject || exit\n", files=files | step_files("inject"),
        # Neither XOR nor PQ.
        device="test-controls=on,channels=2,x-caps-mask=0x60",
        more_devices=("channels=2",),
        allowed=((r"loopdma .*restarting it", "a device that lies, on demand"),))


def observed_cases(name, outcome):
    """What a guest has told of, and of loopdmactl's output for programs."""
    told = [line for line in outcome.lines if line.startswith("%% json ")]
    reason = next(filter(None, map(observed, told)), "")
    if not reason and not told:
        reason = "loopdmactl gave no JSON"
    return cases_told(name, outcome, verdict("what loopdmactl tells programs", reason))


def observe_tasks(cells):
    def task(cell, make):
        files = files_with_dmatest(cell)
        name = make.__name__.removesuffix("_guest")
        outcome = guest.run(dataclasses.replace(
            make(kernel.image(cell), files), name=f"{name}-{cell.name}"))
        return observed_cases(cell.name, outcome)

    return {f"{what}{cell.name}": lambda cell=cell, make=make: task(cell, make)
            for what, make in (("", observe_guest), ("inject ", inject_guest))
            for cell in cells}


def observe_lane():
    def suite():
        return kunit_cases("trace", *kunit.in_guest("trace"))

    return {"suite": suite} | observe_tasks(everyday())


def map_task(cell):
    """A guest whose memory map changes, on the QEMU that sends accesses astray then."""
    outcome = guest.run(guest.Guest(
        kernel=kernel.image(cell), name=f"map-{cell.name}", job="sh /map || exit\n",
        files=guest.job_files("map", "steps")))
    cases = cases_told(f"{cell.name} map", outcome)
    # That fault of QEMU is what the guests' machine must do without.
    return [dataclasses.replace(case, status="FAIL") if case.status == "SKIP" else case
            for case in cases]


def stock_lane():
    """What the everyday lanes leave out."""
    left = [mode for mode in DMATEST_CELLS if mode not in DMATEST_OLDER]
    return dmatest_tasks(by_age()[1:], left) | {
        f"map {cell.name}": lambda cell=cell: map_task(cell) for cell in everyday()} | {
        f"{what} {name}": task
        for what, make in (("reload", reload_tasks), ("survive", survive_tasks),
                           ("observe", observe_tasks))
        for name, task in make(between()).items()}


def inject_lane():
    """On the kernel that has fault injection of its own."""
    def debug():
        kdir = kunit.x86_kernel()
        files = guest.module_files(modules.build(kdir, "-kunit")[0]) | {
            "dmatest.ko": kdir / "drivers/dma/dmatest.ko"}
        outcome = guest.run(dataclasses.replace(
            inject_guest(kdir / "arch/x86/boot/bzImage", files), name="inject-kunit",
            mem=1024, debug_kernel=True))
        return observed_cases("kunit", outcome)

    return {"guest": debug}


# What the driver must refuse, and what it has to say then.
REFUSED_DEVICES = [
    ("x-id=0x12345678", "not a loopdma device: ID 0x12345678"),
    ("x-version=0x20000", "hardware version 2.0, this driver knows 1.x"),
    ("x-caps-mask=0x1", "unusable capabilities: no copy capability"),
    ("x-bar-size=4K", "BAR 0: .* is not 0x10000 bytes of memory"),
    ("irq-mode=none", "no interrupt: neither MSI-X, MSI nor INTx"),
]

PROBE_JOB = guest.DMATEST_DONE + """\
fail() { echo "$*"; exit 1; }
driver=/sys/bus/pci/drivers/loopdma
good=0000:00:08.0

# A parameter out of range.
insmod /loopdma.ko ring_size=3 2>/dev/null && fail "ring_size=3 is accepted"
dmesg | grep -q "loopdma: ring_size 3 is not a power of two from 2 to 65536" ||
	fail "not said why ring_size=3 is refused"
# One that this device cannot follow.
insmod /loopdma.ko ring_size=65536 || fail "loopdma does not load"
dmesg | grep -q "loopdma $good: ring_size 65536 not possible, using 1024" ||
	fail "not said that ring_size=65536 is too large"

refused() { # slot, what it must say
	[ ! -e $driver/0000:00:$1 ] || fail "a device is accepted, though: $2"
	said=$(dmesg | grep -c "loopdma 0000:00:$1: $2")
	[ $said = 1 ] || fail "said $said times instead of once: $2"
}
@REFUSED@

# Every allocation of probe fails once, each time another.
. /faults
allocations_can_fail || fail "the kernel does not let allocations fail"
echo $good >$driver/unbind
step=0
failed=0
while [ $step -lt 500 ]; do
	step=$((step + 1))
	left=0
	# Only system calls of the shell itself count: no program is started.
	echo $step >/proc/self/fail-nth
	echo $good >$driver/bind
	read left </proc/self/fail-nth
	echo 0 >/proc/self/fail-nth
	if [ ! -e $driver/$good ]; then
		failed=$((failed + 1))
	elif [ $left != 0 ]; then
		break
	else
		echo $good >$driver/unbind
	fi
done 2>/dev/null
[ $step -lt 500 ] || fail "probe does not succeed any more after failed allocations"
[ $failed -gt 20 ] || fail "only $failed of $step failed allocations made probe fail"
echo "$failed of $((step - 1)) failed allocations made probe fail"

# The same for a client's request of a channel, which allocates the ring.
step=0
failed=0
insmod /dmatest.ko timeout=60000 || fail "dmatest does not load"
while [ $step -lt 500 ]; do
	step=$((step + 1))
	left=0
	echo $step >/proc/self/fail-nth
	echo dma0chan0 >/sys/module/dmatest/parameters/channel
	read left </proc/self/fail-nth
	echo 0 >/proc/self/fail-nth
	read held </sys/class/dma/dma0chan0/in_use
	if [ $held = 0 ]; then
		failed=$((failed + 1))
	elif [ $left != 0 ]; then
		break
	else
		# It was dmatest that failed, and it holds the channel.
		rmmod dmatest
		insmod /dmatest.ko timeout=60000 || fail "dmatest does not load"
	fi
done 2>/dev/null
rmmod dmatest || fail "dmatest does not unload"
[ $step -lt 500 ] || fail "no channel can be requested any more after failed allocations"
[ $failed -ge 3 ] || fail "only $failed of $step failed allocations made a request fail"
echo "$failed of $((step - 1)) failed allocations made the request of a channel fail"

# After all that it works.
insmod /dmatest.ko iterations=20 run=1 timeout=60000 || fail "dmatest does not load"
dmatest_done /tmp/said
grep -q ": summary 20 tests, 0 failures" /tmp/said || fail "dmatest failed"
grep ": summary" /tmp/said | grep -v ", 0 failures" && fail "dmatest failed"
rmmod dmatest || fail "dmatest does not unload"
rmmod loopdma || fail "loopdma does not unload"
"""


def probe_guest(kdir, top):
    """Devices that are refused, and allocations that fail, on a kernel that can do that."""
    files = guest.module_files(top) | guest.job_files("faults") | {
        "dmatest.ko": kdir / "drivers/dma/dmatest.ko"}
    refused = [f'refused 1{n}.0 "{said}"' for n, (_, said) in enumerate(REFUSED_DEVICES)]
    return guest.Guest(
        kernel=kdir / "arch/x86/boot/bzImage", name="probe", files=files, mem=1024,
        # ACPI's interpreter, asked for the line of INTA, uses freed memory when
        # an allocation of its own fails; MSI does without that line.
        append="acpi=noirq", iommu="off",
        # Little to set up, and so to fail.
        device="addr=8,channels=1,ring-max=1024,irq-mode=msi",
        more_devices=tuple(f"addr=0x1{n},{properties}" for n, (properties, _) in
                           enumerate(REFUSED_DEVICES)),
        job=PROBE_JOB.replace("@REFUSED@", "\n".join(refused)), debug_kernel=True,
        allowed=((r"kobject_add_internal failed for dma\w* \(error: -12 ",
                  "allocations that fail on demand"),))


def probe_lane():
    def task():
        kdir = kunit.x86_kernel()
        outcome = guest.run(probe_guest(kdir, modules.build(kdir, "-kunit")[0]))
        return [verdict("devices refused, steps of probe failing", outcome.reason)]

    return {"probe": task}


def qtest_lane(sanitizer=None, release=None):
    name = "-".join(filter(None, ("qtest", sanitizer, release)))

    def task():
        log = common.new_log(name)
        command = [sys.executable, common.ROOT / "scripts" / "qtest.py"]
        if sanitizer:
            command += ["--sanitizer", sanitizer]
        elif release:
            command += ["--release", release]
        else:
            command += ["--qemu", common.qemu()]
        # A failure is in its results, which say more than its status.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace")
        log.write_text(done.stdout, encoding="utf-8")
        cases = ktap_cases(done.stdout)
        if done.returncode and not any(case.status == "FAIL" for case in cases):
            cases.append(Case("run", "FAIL", f"status {done.returncode}: "
                              f"{common.reason_in(done.stdout)} "
                              f"(log: {common.relative(log)})"))
        return cases

    return {name: task}


# Old versions of QEMU that are supported, and how many CPUs a guest can have there:
# the translator before 8.1 keeps code that a guest with several has rewritten.
OLD_QEMU = {"bookworm": 1, "trixie": 2}


def qemu_old_lane():
    cell = kernel.cells()[0]

    def dmatest(release, cpus):
        def make(*files, **options):
            return dataclasses.replace(
                dmatest_guest(*files, **options), smp=cpus,
                qemu=common.build_qemu(common.ROOT, release=release))

        name = f"{release} dmatest {cell.name}"
        outcome = on_stock(cell, make, f"qemu-old-{name}", mode="msix")
        return [verdict(name, outcome.reason)]

    def qtest(release):
        (task,) = qtest_lane(release=release).values()
        return [dataclasses.replace(case, name=f"{release} {case.name}") for case in task()]

    return {f"dmatest {release}": lambda release=release, cpus=cpus: dmatest(release, cpus)
            for release, cpus in OLD_QEMU.items()} | {
                f"qtest {release}": lambda release=release: qtest(release)
                for release in OLD_QEMU}


# Of make check KDIR=.
OWN_LANES = "conformance,dmatest,observe,inject"


def own_lane():
    def script(name, *options):
        """What a script that takes --kdir printed, and its exit status."""
        done = subprocess.run([sys.executable, common.ROOT / "scripts" / name, "--kdir",
                               kunit.own_kernel(), *options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              encoding="utf-8", errors="replace")
        common.new_log(f"own-{name}").write_text(done.stdout, encoding="utf-8")
        return done.stdout.strip().splitlines() or [""], done.returncode

    def run():
        said, status = script("run.py")
        passed = status == 0 and said[-1].startswith("loopdma: PASS")
        return [verdict("run", "" if passed else said[-1])]

    def shell():
        """A command in the guest, and its exit status."""
        said, status = script("run.py", "--cmd", "modprobe dmatest && exit 7")
        return [verdict("guest", "" if status == 7 else
                        f"status {status} instead of 7: {said[-1]}")]

    def lanes():
        report = common.REPORTS / "check-own.json"
        report.unlink(missing_ok=True)
        said, _ = script("own.py", "--lanes", OWN_LANES)
        if not report.exists():
            return [Case("check", "FAIL", said[-1])]
        found = json.loads(report.read_text(encoding="utf-8"))["lanes"]
        return [Case(f"check {name} {case['name']}", case["status"], case["reason"])
                for name, lane in found.items() for case in lane["cases"]]

    def virtme(share):
        if not vng.possible(share):
            return [Case(f"virtme-ng {share}", "SKIP", vng.NO_VIRTIOFS)]
        tree = target.Tree(kunit.own_kernel())
        return [verdict(f"virtme-ng {share}", vng.run(tree, share, f"vng-{share}"))]

    return {"check": lanes, "run": run, "guest": shell} | {
        f"virtme-ng {share}": lambda share=share: virtme(share) for share in vng.SHARES}


FUZZ_SECONDS = 60


def fuzz_lane():
    def task(name):
        fuzzer = fuzz.build()
        seconds = max(fuzz.SHORTEST, FUZZ_SECONDS // len(fuzz.TARGETS))
        result = fuzz.fuzz(fuzzer, name, seconds)
        reason = "".join(f"{finding['reason']} (log: {finding['log']}, input: "
                         f"{finding['input']})" for finding in result.findings)
        return [verdict(f"{name}: {result.executions} executions, {result.edges} of "
                        f"{result.edges_total} edges", reason)]

    return {name: lambda name=name: task(name) for name in fuzz.TARGETS}


def suites_elsewhere(cells):
    """A task for each of these cells of the matrix, which gives one case."""
    def task(cell):
        counts, problem, _, note = matrix.run(cell)
        return [verdict(f"{cell.name}: {counts.passed} KUnit cases, {counts.skipped} "
                        f"skipped{note}", problem)]

    return {cell.name: lambda cell=cell: task(cell) for cell in cells}


def matrix_lane():
    def dmatest(cell, shift):
        name = f"{cell.name} icount-{shift}"
        one = dmatest_guest(kernel.image(cell), files_with_dmatest(cell), "msix")
        # The device works in the host's time, of which there is little in a second of
        # these CPUs: to the watchdog it would look as if it was stuck.
        job = one.job.replace("insmod /loopdma.ko ",
                              "insmod /loopdma.ko watchdog_ms=60000 stuck_ms=0 ", 1)
        outcome = guest.run(dataclasses.replace(
            one, name=f"dmatest-{name.replace(' ', '-')}", icount=f"shift={shift}", smp=1,
            job=job))
        return [verdict(f"{name}: dmatest", outcome.reason)]

    # Slower than the checks of the suites' kernel leave time for.
    return suites_elsewhere(matrix.CELLS) | {
        f"{cell.name} icount-{shift}": lambda cell=cell, shift=shift: dmatest(cell, shift)
        for cell in kernel.cells() for shift in (4, 7)}


def kcsan_lane():
    return suites_elsewhere([matrix.KCSAN])


def clang_lane():
    return suites_elsewhere([matrix.CLANG])


# Each mode of interrupts, with and without an IOMMU that remaps them.
RT_DMATEST = [("msix", "strict"), ("msi", "off"), ("intx", "strict")]


def threaded():
    """(kernel, command line, what to call it), of all whose interrupts are threads."""
    return [(cell, "", cell.name) for cell in kernel.rt_cells()] + [
        (cell, "threadirqs", f"{cell.name} threadirqs") for cell in kernel.cells()]


def rt_lane():
    def dmatest(cell, append, where, mode, iommu):
        name = f"{where} {mode} iommu={iommu}"
        outcome = on_stock(cell, dmatest_guest, f"dmatest-{name}", append, mode=mode,
                           iommu=iommu, threads=True)
        return [verdict(name, outcome.reason)]

    def reload(cell, append, where):
        outcome = on_stock(cell, reload_guest, f"reload-{where}", append)
        return [verdict(f"{where} 100 times, 3 times while dmatest runs", outcome.reason)]

    def survive(cell, append, where):
        return cases_told(where, on_stock(cell, survive_guest, f"survive-{where}", append))

    def none():
        return [Case("dmatest, reload, survive", "SKIP",
                     "this release has no kernel with PREEMPT_RT for everybody")]

    tasks = suites_elsewhere([matrix.RT])
    for kind in threaded():
        tasks |= {f"{kind[2]} {mode} {iommu}":
                  lambda kind=kind, how=(mode, iommu): dmatest(*kind, *how)
                  for mode, iommu in RT_DMATEST}
        tasks |= {f"{kind[2]} {what.__name__}": lambda kind=kind, what=what: what(*kind)
                  for what in (reload, survive)}
    return tasks if kernel.rt_cells() else tasks | {"PREEMPT_RT": none}


def ktap_cases(text):
    """The cases of a flat KTAP document; those that are missing fail."""
    found = []
    # The lines that explain a failure follow it.
    for block in re.split(r"^(?=(?:not )?ok )", text, flags=re.MULTILINE):
        result = re.match(r"(ok|not ok) \d+ (?:- )?(.*?)( # SKIP.*)?$", block, re.MULTILINE)
        if not result:
            continue
        said = re.search(r"^# (.*)", block, re.MULTILINE)
        status = "SKIP" if result[3] else "PASS" if result[1] == "ok" else "FAIL"
        found.append(Case(result[2], status, "" if status == "PASS" else
                          said[1] if said else (result[3] or "no reason given").strip(" #")))
    plan = re.search(r"^1\.\.(\d+)$", text, re.MULTILINE)
    if plan and int(plan[1]) != len(found):
        found.append(Case("plan", "FAIL", f"{len(found)} of {plan[1]} cases reported"))
    return found


LANES = {
    # In this order they start: the long ones first.
    "kunit": kunit_lane,
    "kunit-live": kunit_live_lane,
    "dmatest": dmatest_lane,
    "reload": reload_lane,
    "survive": survive_lane,
    "raid": raid_lane,
    "observe": observe_lane,
    "probe": probe_lane,
    "build": build_lane,
    "qtest": qtest_lane,
    "lint": lint_lane,
    "scripts": scripts_lane,
}

# What takes too long for every day.
FULL_LANES = {
    "hostile": hostile_lane,
    "stock": stock_lane,
    "storm": storm_lane,
    "soak": soak_lane,
    "power": power_lane,
    "isolation": isolation_lane,
    "kcsan": kcsan_lane,
    "matrix": matrix_lane,
    "clang": clang_lane,
    "rt": rt_lane,
} | LANES | {
    "kunit-fake": kunit_fake_lane,
    "kunit-public": kunit_public_lane,
    "inject": inject_lane,
    "qtest-tsan": lambda: qtest_lane("thread"),
    "qtest-asan": lambda: qtest_lane("address"),
    "qemu-old": qemu_old_lane,
    "own": own_lane,
    "fuzz": fuzz_lane,
}

# What a lane needs to be built before it starts.
NEEDS_VARIANT = {"kcsan": matrix.KCSAN, "clang": matrix.CLANG, "rt": matrix.RT}
NEEDS_GUEST = {"kunit-live", "kunit-fake", "kunit-public", "hostile", "storm", "soak", "inject",
               "power", "isolation", "dmatest", "reload", "survive", "raid", "observe",
               "stock", "probe", "matrix", "qemu-old", "own", *NEEDS_VARIANT}
NEEDS_KUNIT_KERNEL = NEEDS_GUEST - {"dmatest", "survive", "power", "isolation", "raid",
                                     "stock", "qemu-old", "own", *NEEDS_VARIANT}
NEEDS_STOCK_KERNELS = {"build", "dmatest", "reload", "survive", "power", "isolation", "raid",
                       "observe", "stock", "matrix", "rt", "qemu-old"}


# --- running them -------------------------------------------------------------

def prepare(lanes):
    """Builds, one after the other with all cores, what lanes wait for."""
    if lanes & (NEEDS_GUEST | {"qtest", "lint"}):
        common.qemu()
    if lanes & {"qtest-asan", "fuzz"}:
        common.build_qemu(common.ROOT, "address")
    if "qtest-tsan" in lanes:
        common.build_qemu(common.ROOT, "thread")
    if "qemu-old" in lanes:
        for release in OLD_QEMU:
            common.build_qemu(common.ROOT, release=release)
    if lanes & (NEEDS_KUNIT_KERNEL | {"kunit", "lint"}):
        kernel.source()
    if lanes & NEEDS_KUNIT_KERNEL:
        kunit.x86_kernel()
    if "own" in lanes:
        kunit.own_kernel()
    for lane, cell in {**NEEDS_VARIANT, "matrix": matrix.NEWEST}.items():
        if lane in lanes:
            matrix.build(cell)
    if lanes & NEEDS_STOCK_KERNELS:
        for cell in [*kernel.cells(), *(kernel.rt_cells() if "rt" in lanes else [])]:
            kernel.fetch(cell)
            if lanes & {"dmatest", "reload", "observe", "stock", "power", "matrix", "rt",
                        "qemu-old"}:
                kernel.dmatest(cell)
            if "power" in lanes:
                kernel.modules_directory(cell)
    if lanes & NEEDS_GUEST:
        guest.busybox()
    if "raid" in lanes:
        raid.fetch(kernel.cells()[0])


class Lane:
    """A lane and what came out of it."""

    def __init__(self, name):
        self.name = name
        self.cases = []
        self.seconds = 0.0
        self.open = 0

    def count(self, status):
        return sum(1 for case in self.cases if case.status == status)


class Runner:
    """Runs the tasks of all lanes on all cores, and says how far it is."""

    def __init__(self, names, tasks=None):
        self.lanes = {name: Lane(name) for name in names}
        self.tasks = tasks or FULL_LANES
        self.lock = threading.Lock()
        self.running = []

    def task(self, lane, name, function):
        title = f"{lane.name} {name}" if name != lane.name else name
        start = time.monotonic()
        with self.lock:
            self.running.append(title)
        log = common.LOGS / "check" / (re.sub(r"[^\w.-]+", "-", title) + ".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w", encoding="utf-8") as stream, common.output_to(stream):
            try:
                cases = function()
                if not cases:
                    cases = [Case(name, "FAIL", "nothing was tested")]
            except Fail as e:
                cases = [Case(name, "FAIL", str(e))]
            except OSError as e:
                cases = [Case(name, "FAIL", f"{e.strerror}: {e.filename or ''}")]
            except Exception as e:      # one lane's bug must not hide the others' results
                traceback.print_exc(file=stream)
                cases = [Case(name, "FAIL", f"{type(e).__name__}: {e} "
                              f"(log: {common.relative(log)})")]
        if common.ending.is_set():
            return      # it was interrupted, of which nobody need be told in detail
        with self.lock:
            self.running.remove(title)
            lane.cases += cases
            lane.seconds += time.monotonic() - start
            lane.open -= 1
            bad = [case for case in cases if case.status == "FAIL"]
            self.clear()
            for case in bad[:5]:
                common.say(f"  FAIL {lane.name}: {case.name}: {case.reason}")
            if len(bad) > 5:
                common.say(f"  FAIL {lane.name}: {len(bad) - 5} more")
            common.say(f"  {title}: {'failed' if bad else 'done'}, "
                       f"{time.monotonic() - start:.1f} s")

    def clear(self):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)

    def clock(self, stop):
        start = time.monotonic()
        while not stop.wait(common.TICK):
            with self.lock:
                self.clear()
                print(f"  {', '.join(self.running)} ... "
                      f"{time.monotonic() - start:.0f} s", end="", file=sys.stderr,
                      flush=True)

    def run(self):
        stop = threading.Event()
        ticker = threading.Thread(target=self.clock, args=(stop,), daemon=True)
        if sys.stderr.isatty():
            ticker.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(max(2, common.jobs())) as pool:
                begun = []
                for name, lane in self.lanes.items():
                    tasks = self.tasks[name]()
                    lane.open = len(tasks)
                    for title, function in tasks.items():
                        begun.append(pool.submit(self.task, lane, title, function))
                try:
                    concurrent.futures.wait(begun)
                except BaseException:
                    # Those that have begun end without their children; the rest need not
                    # begin.
                    common.end_children()
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            stop.set()
            if ticker.is_alive():
                ticker.join()
            self.clear()


def fail_if_many_are_lost(cases):
    """Fails all that was not judged if it is too much."""
    lost = [case for case in cases
            if case.status == "SKIP" and guest.NOT_JUDGED in case.reason]
    if len(lost) > NOT_JUDGED_AT_MOST:
        for case in lost:
            case.status = "FAIL"


def report(lanes, seconds, name="check"):
    fail_if_many_are_lost([case for lane in lanes for case in lane.cases])
    print(f"{'lane':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'time':>8}")
    for lane in lanes:
        print(f"{lane.name:<12} {lane.count('PASS'):>7} {lane.count('FAIL'):>7} "
              f"{lane.count('SKIP'):>8} {lane.seconds:>6.0f} s")
    print()
    for lane in lanes:
        for case in lane.cases:
            if case.status != "PASS":
                print(f"{case.status} {lane.name}: {case.name}: {case.reason}")
    totals = [sum(lane.count(status) for lane in lanes)
              for status in ("PASS", "FAIL", "SKIP")]
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    common.write_atomically(common.REPORTS / f"{name}.json", json.dumps({
        "passed": totals[0], "failed": totals[1], "skipped": totals[2],
        "seconds": round(seconds, 1),
        "lanes": {lane.name: {"seconds": round(lane.seconds, 1), "cases": [
            dataclasses.asdict(case) for case in lane.cases]} for lane in lanes},
        # For support.py.
        "guests": [dataclasses.asdict(one) for one in guest.ran],
        "kernels_built": sorted(kernels_built),
        "qemus_built": [common.qemu_version(common.qemu())] if guest.ran else [],
    }, indent=1) + "\n")
    print(f"time {seconds:.0f} s, reports in build/reports/, logs in build/logs/")
    summary = f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped"
    common.write_atomically(common.REPORTS / "summary.txt", summary + "\n")
    print(summary, flush=True)
    return 1 if totals[1] or not totals[0] else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", metavar="NAME,...", help="only these lanes")
    parser.add_argument("--full", action="store_true", help="the slow lanes, too")
    parser.add_argument("--list", action="store_true", help="list the lanes and leave")
    args = parser.parse_args()
    if args.list:
        print("\n".join(FULL_LANES))
        return 0
    names = re.split(r"[,\s]+", args.lanes.strip()) if args.lanes else \
        list(FULL_LANES if args.full else LANES)
    unknown = [name for name in names if name not in FULL_LANES]
    if unknown:
        parser.error(f"no lane '{unknown[0]}': choose from {', '.join(FULL_LANES)}")
    start = time.monotonic()
    shutil.rmtree(common.LOGS / "check", ignore_errors=True)
    common.say(f"stock kernels of {' '.join(kernel.release())}: "
               f"{', '.join(cell.kver for cell in kernel.cells())}")
    for name in {"6.1", "6.12"} - {cell.name for cell in kernel.cells()}:
        common.say(f"this release has no {name} kernel: nothing is tested on {name}")
    prepare(set(names))
    runner = Runner([name for name in FULL_LANES if name in names])
    runner.run()
    return report(runner.lanes.values(), time.monotonic() - start)


if __name__ == "__main__":
    common.main(main)
