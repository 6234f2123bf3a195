# SPDX-License-Identifier: GPL-2.0-only
"""The judge of guests: what it sees in a kernel log, and how guests end, told apart."""

import re
from pathlib import Path

import pytest

from lib import guest

COMPLAINTS = """\
[    1.0] BUG: KASAN: slab-use-after-free in foo+0x1/0x2 [loopdma]
[    1.0] BUG: sleeping function called from invalid context at mm/slab.c:1
[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    1.0] BUG: scheduling while atomic: swapper/0/0/0x00000002
[    1.0] WARNING: CPU: 0 PID: 1 at drivers/dma/loopdma/core.c:1 foo+0x1/0x2
[    1.0] WARNING: possible circular locking dependency detected
[    1.0] WARNING: possible recursive locking detected
[    1.0] WARNING: inconsistent lock state
[    1.0] WARNING: suspicious RCU usage
[    1.0] UBSAN: shift-out-of-bounds in foo.c:1:2
[    1.0] DMA-API: loopdma 0000:00:02.0: device driver frees DMA memory with wrong size
[    1.0] DMA-API: loopdma 0000:00:02.0: mapping error not checked
[    1.0] INFO: task dma0chan0-copy0:55 blocked for more than 120 seconds.
[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[    1.0] INFO: lockdep is turned off.
[    1.0] Call Trace:
[    1.0] Oops: 0000 [#1] PREEMPT SMP
[    1.0] general protection fault, probably for non-canonical address
[    1.0] Kernel panic - not syncing: Fatal exception
[    1.0] Disabling lock debugging due to kernel taint
[    1.0] DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000
[    1.0] DMAR: DRHD: handling fault status reg 2
[    1.0] pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received
[    1.0] irq 11: nobody cared (try booting with the "irqpoll" option)
[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!
[    1.0] list_add corruption. next->prev should be prev
[    1.0] refcount_t: underflow; use-after-free.
[    1.0] ODEBUG: free active (active state 0) object: timer_list
[    1.0] loopdma: Unknown symbol foo (err -2)
[    1.0] DMAR: VT-d detected Invalidation Queue Error: Reason f
[    1.0] __common_interrupt: 1.33 No irq handler for vector
[    1.0] loopdma 0000:00:02.0: swiotlb buffer is full (sz: 4096 bytes)
[    1.0] genirq: Flags mismatch irq 11. 00000000 (loopdma) vs. 00000080 (other)
[    1.0] kobject: kobject_add_internal failed for dma0chan0 with -EEXIST
[    1.0] Device 'dma0chan0' does not have a release() function, it is broken
[    1.0] loopdma 0000:00:02.0: channel 0: impossible count; restarting it
[    1.0] loopdma 0000:00:02.0: channel 0 does not stop; reset the function
[    1.0] loopdma 0000:00:02.0: channel 0: ring memory not freed
[    1.0] loopdma 0000:00:02.0: no end of reset at removal
"""

QUIET = """\
[    1.0] DMAR: Intel(R) Virtualization Technology for Directed I/O
[    1.0] DMAR: dmar0: Using Queued invalidation
[    1.0] DMA-API: preallocated 65536 debug entries
[    1.0] DMA-API: debugging enabled by kernel config
[    1.0] kasan: KernelAddressSanitizer initialized (generic)
[    1.0] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[    1.0] rcu: Preemptible hierarchical RCU implementation.
[    1.0] loopdma: loading out-of-tree module taints kernel.
[    1.0] Spectre V2 : Mitigation: Retpolines
"""


@pytest.mark.parametrize("line", COMPLAINTS.splitlines())
def test_complaint(line):
    """Each kind of complaint in a kernel log."""
    assert guest.complaints(line)


def test_quiet():
    """A kernel log without a complaint."""
    assert not guest.complaints(QUIET)


GOOD = ["@@ start 6.1", "@@ taint 12288", "@@ exit 0"]
DEBUG = ["@@ taint 266240", "@@ dma-api-errors 0", "@@ dma-api-disabled N",
         "@@ debug-locks 1", "@@ exit 0"]
KASAN = "kasan: KernelAddressSanitizer initialized (generic)\n"
KCSAN = "kcsan: enabled early\n"


def race(first, second, caller):
    """A report of KCSAN, with what is said of modules behind functions."""
    line = "=" * 66
    return f"""\
[    1.0] {line}
[    1.0] BUG: KCSAN: data-race in a{first} / b{second}
[    1.0]
[    1.0] write to 0xffff888100887cc8 of 4 bytes by interrupt on cpu 0:
[    1.0]  a+0x29/0x50{first}
[    1.0]  tasklet_action_common+0xa7/0xd0
[    1.0]  loopdma_watchdog+0x12/0x34 [loopdma]
[    1.0]
[    1.0] read to 0xffff888100887cc8 of 4 bytes by task 7 on cpu 1:
[    1.0]  b+0x7/0x50{second}
[    1.0]  c+0xf/0x50{caller}
[    1.0]  kthread+0x1/0x3
[    1.0]
[    1.0] value changed: 0x00000000 -> 0x00000001
[    1.0] {line}
"""


START = ["@@ start 6.1"]
LOADED = "loopdma: loading out-of-tree module taints kernel.\n"
COMMAND_LINE = "Kernel command line: loopdma.dyndbg=+p\n"
DIED = "Oops: int3: 0000\nKernel panic - not syncing: Fatal exception\n"
EARLY = "the guest's kernel died before loopdma was loaded; not judged"


def judge(lines=GOOD, log="", status=0, hung=False, debug=False, kcsan=False,
          errors="qemu: error: no such device", **more):
    g = guest.Guest(kernel=Path("/dev/null"), job="", debug_kernel=debug, kcsan=kcsan, **more)
    return guest.judge(g, lines, log, status, hung, errors)


def without(key):
    return [line for line in DEBUG if not line.startswith(f"@@ {key} ")]


VERDICTS = [
    ("^$", judge()),
    ("^$", judge(DEBUG, KASAN, debug=True)),
    ("^guest hangs, ended after", judge(hung=True)),
    ("^guest hangs before loopdma was loaded; not judged, ended after",
     judge([], hung=True)),
    ("^QEMU crashed, signal 11", judge(status=-11)),
    ("^QEMU crashed, signal 6", judge(status=-6, errors="dma: Assertion `x' failed.")),
    ("^QEMU crashed by a fault of its own, .*; not judged", judge(
        status=-6, errors="physmem.c:7: iotlb_to_section: Assertion `x' failed.")),
    ("^QEMU failed, status 1: qemu: error: no such", judge(status=1)),
    (f"^{EARLY}: Kernel panic .*; try again: make run$",
     judge([], "Kernel panic - not syncing: foo\n", again="make run")),
    # Its log ends where it was reset.
    (f"^{EARLY}; try again: sh build/guest/guest/command$", judge([])),
    (f"^{EARLY}: Oops: int3", judge(START, COMMAND_LINE + "Oops: int3: 0000\n")),
    ("^guest panic: Oops: int3", judge(START, LOADED + DIED)),
    # A guest that has no device is not to load the driver.
    ("^guest panic: Oops: int3", judge(START, DIED, device=None)),
    ("^kernel log: Oops: int3", judge(log=COMMAND_LINE + "Oops: int3: 0000\n")),
    ("^guest ended before its job", judge(START)),
    ("^kernel log: WARNING: CPU", judge(log="WARNING: CPU: 0\n")),
    ("^kernel tainted: 512", judge(["@@ taint 512", "@@ exit 0"])),
    ("^kernel tainted", judge(["@@ taint 262144", "@@ exit 0"])),
    ("^job failed, status 3: oh", judge(["oh", "@@ taint 0", "@@ exit 3"])),
    ("^DMA API: 2 errors", judge(["@@ dma-api-errors 2", *GOOD])),
    ("^lockdep is off", judge(without("debug-locks"), KASAN, debug=True)),
    ("^the check of the DMA API is off",
     judge(without("dma-api-disabled"), KASAN, debug=True)),
    ("^KASAN is not on", judge(DEBUG, debug=True)),
    ("^KCSAN is not on", judge(kcsan=True)),
    ("^KCSAN is not on", judge(["@@ kcsan 0", *GOOD], KCSAN, kcsan=True)),
    ("^$", judge(["@@ kcsan 1", *GOOD], KCSAN, kcsan=True)),
    ("^$", judge(["@@ kcsan 1", *GOOD], KCSAN + race("", "", ""), kcsan=True)),
    *(("^kernel log: .*KCSAN",
       judge(["@@ kcsan 1", *GOOD], KCSAN + race(*frames), kcsan=True))
      for frames in (("", "", " [loopdma]"), ("", " [loopdma]", ""),
                     (" [loopdma]", "", ""))),
    ("^$", judge(["@@ kcsan 1", *GOOD], KCSAN + race("", "", " [loopdma]").replace(
        "a / b", "hrtimer_wakeup / usleep_range_state"), kcsan=True)),
    ("^kernel log: .*KCSAN", judge(log=race("", "", ""))),
]


@pytest.mark.parametrize("wanted, told", VERDICTS, ids=map(str, range(len(VERDICTS))))
def test_verdict(wanted, told):
    """How guests end, told apart; what says nothing of loopdma is not judged."""
    reason, judged = told
    assert re.search(wanted, reason)
    assert judged == ("not judged" not in reason)
