#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots a stock kernel with a loopdma device and shows DMA at work.

Builds what is missing, boots a guest behind an IOMMU in strict mode, loads the
driver, shows the device, its channels and interrupts, runs the kernel's dmatest
on all channels, sends a scattered buffer round the device's loopback, compares
copies by DMA with copies by the CPU, and lets the sample clients do the work of a
disk and a network card in both ways.  The last line is the verdict.

With --shell the same guest is handed over instead.
"""

import argparse
import sys
import time

import common
import guest
import kernel
import modules
from common import Fail

LOAD = """\
title() { echo; echo "== $* =="; }
fail() { echo "reason: $*"; exit 1; }
insmod /loopdma.ko || fail "loopdma.ko does not load"
device=$(ls -d /sys/bus/pci/drivers/loopdma/0000:* 2>/dev/null) ||
	fail "the driver is bound to no device"
slot=${device##*/}
"""

SHOW = LOAD + guest.DMATEST_DONE + """\
channels=$(ls /sys/class/dma | wc -l)
[ $channels -gt 0 ] || fail "no DMA channel was registered"
[ "$(cat $device/iommu_group/type)" = DMA ] || fail "the IOMMU is not in strict mode"

title "Linux $(uname -r), $(nproc) CPUs, loopdma behind an IOMMU in strict mode"
lspci -vv -s $slot 2>/dev/null | grep -v -E '^$|Subsystem:|Status:|DevSta|DevCtl|LnkS|LnkC'

title "$channels channels: /sys/class/dma"
ls /sys/class/dma | tr '\\n' ' '
echo

title "interrupts: /proc/interrupts"
grep -E 'CPU0|loopdma' /proc/interrupts

title "dmatest: $channels channels, 20 copies, XORs and P+Qs each of up to 16 KiB, all verified"
insmod /dmatest.ko || fail "dmatest.ko does not load"
cd /sys/module/dmatest/parameters || fail "dmatest has no parameters"
echo 60000 >timeout
echo 20 >iterations
for channel in /sys/class/dma/*; do
	echo ${channel##*/} >channel || fail "dmatest refuses ${channel##*/}"
done
echo 1 >run || fail "dmatest does not start"
dmatest_done /tmp/said
sed -n 's/^dmatest: \\(.*: summary .*\\)/\\1/p' /tmp/said
grep . /sys/class/dma/*/memcpy_count /sys/class/dma/*/bytes_transferred
grep -q -x 0 /sys/class/dma/*/memcpy_count /sys/class/dma/*/bytes_transferred &&
	fail "a channel counts no copies or bytes in /sys/class/dma"
title "what they have done: loopdmactl stats"
loopdmactl stats >/tmp/stats || fail "loopdmactl fails"
cat /tmp/stats
awk 'NR > 1 && !($2 > 0 && $3 > 0 && $4 == 0) { exit 1 }' /tmp/stats ||
	fail "a channel has done nothing, or counts errors"
good=$(grep -c ": summary 20 tests, 0 failures" /tmp/said)
cd /
title "the channels as dmatest leaves them: /sys/kernel/debug/dmaengine/summary"
cat /sys/kernel/debug/dmaengine/summary
[ $(grep -c "^ dma.* ring 0 of " /sys/kernel/debug/dmaengine/summary) = $channels ] ||
	fail "the summary does not tell that all channels are idle"
rmmod dmatest || fail "dmatest does not unload"
threads=$(awk '/ Started / { n += $3 } END { print n + 0 }' /tmp/said)
[ $threads -ge $channels ] && [ $good = $threads ] ||
	fail "dmatest: $good of $threads threads without a failure"

show() { # what, module, parameters
	title "$1"
	module=$2
	shift 2
	dmesg -c >/dev/null
	insmod /$module.ko $*
	status=$?
	dmesg | sed -n "s/^.*$module: //p"
	[ $status = 0 ] || fail "$module $* failed"
	rmmod $module || fail "$module does not unload"
}
# What dmesg -c takes from the log, the console keeps for the host to judge.
show "a scattered buffer round the loopback, compared" loopdma_bench mode=loopback
show "copies by DMA and by the CPU" loopdma_bench mode=table
show "a disk is read by the CPU, and by DMA" loopdma_disk
show "a network card's frames, moved by the CPU, and by DMA" loopdma_nic

title "interrupts so far"
grep -E 'CPU0|loopdma' /proc/interrupts
rmmod loopdma || fail "loopdma does not unload"
echo "summary: dmatest on $channels channels, loopback, copies and sample clients verified"
"""

SHELL = LOAD + """\
cat <<EOF

Linux $(uname -r), loopdma at ${slot#0000:}, $(ls /sys/class/dma | wc -l) channels.  Try:
  lspci -vv -s $slot; cat /proc/interrupts; ls /sys/class/dma
  insmod /dmatest.ko run=1 iterations=5 wait=1; dmesg | tail
  insmod /loopdma_bench.ko mode=table; dmesg | tail -20
  loopdmactl list; loopdmactl selftest -m /dmatest.ko; loopdmactl stats
Leave with 'exit', or with Ctrl-A X at once.

EOF
"""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shell", action="store_true", help="give me the guest")
    parser.add_argument("--kernel", metavar="NAME", help="stock kernel to boot, as "
                        "listed by kernel.py list (default: the release's own)")
    parser.add_argument("--device-opts", default="", metavar="PROP=VALUE,...",
                        help="properties of the loopdma device")
    args = parser.parse_args()
    if args.shell and not sys.stdin.isatty():
        raise Fail("a shell needs a terminal: use scripts/guest.py to run a command "
                   "in a guest")
    start = time.monotonic()
    try:
        cell = kernel.cell(args.kernel) if args.kernel else kernel.cells()[0]
        common.qemu()
        kdir = kernel.kdir(cell)
        top, _ = modules.build(kdir)
        files = guest.module_files(top) | guest.lspci()
        files["dmatest.ko"] = modules.build_dmatest(kdir, kernel.dmatest(cell))
        files["bin/loopdmactl"] = common.ROOT / "scripts" / "loopdmactl"
        machine = guest.Guest(kernel=kernel.image(cell), files=files, name="run",
                              job=SHELL if args.shell else SHOW,
                              device=args.device_opts, steady=False)
        if args.shell:
            common.say("  booting ...")
            return guest.interact(machine)
        with common.step(f"guest with Linux {cell.kver} ({guest.accelerator()})"):
            outcome = guest.run(machine)
    except Fail as e:
        if args.shell:
            raise
        print(f"loopdma: FAIL: {e}")
        return 1
    said = ""
    for line in outcome.lines:
        for prefix in ("reason: ", "summary: "):
            if line.startswith(prefix):
                said = line.removeprefix(prefix)
                break
        else:
            print(line)
    seconds = time.monotonic() - start
    if outcome.ok:
        print(f"loopdma: PASS: {said}, kernel log clean, {seconds:.0f} s")
        return 0
    reason = outcome.reason
    if said and reason.startswith("job failed"):
        reason = f"{said} (log: {common.relative(machine.log)})"
    print(f"loopdma: FAIL: {reason}")
    return 1


if __name__ == "__main__":
    common.main(main)
