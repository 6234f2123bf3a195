# SPDX-License-Identifier: GPL-2.0-only
"""Unordered channels: the newest transaction first, and each retired by its status."""

import random

from qtest.lib import migration
from qtest.lib.dma import (CHAIN, DONE, INT, PENDING, Cells, Channel, Result, aborted, copy, fill,
                           nop, pattern, refused)
from qtest.lib.hw import HW, ONES
from qtest.lib.migration import begin, migrate, receive
from qtest.lib.qemu import MS, expect, require
from qtest.lib.reset import RESETS
from qtest.lib.suite import BOTH, MODES, device, each

UNORDERED = "ordered=off,loopback=off"
BAD = 0xd0000000            # no memory


def enabled(dev, index=0, log2=6):
    return Channel(dev, index, log2, unordered=True).enable()


def held(dev, log2=6):
    """An unordered channel that executes a descriptor for each step."""
    ch = enabled(dev, log2=log2)
    ch.set(HW.CH_TC_HOLD, 1)
    return ch


def step(ch, count=1):
    ch.set(HW.CH_TC_STEP, count)
    ch.m.settle()


def statuses(ch, count):
    return "".join(".oA"[min(ch.result(n).status, 2)] for n in range(count))


def reaches(ch, want):
    """The statuses of the first descriptors become these."""
    ch.m.until(lambda: statuses(ch, len(want)) == want, f"statuses {want}")


# --- the order ------------------------------------------------------------------


@each("mode, extra", MODES)
def test_newest_first(bench, mode, extra):
    """Of the transactions that are there as a whole, the newest is first."""
    dev = bench.device(f"engines=1,{UNORDERED}", mode, extra=extra)
    for unordered, last in ((True, 1), (False, 32), (True, 1)):
        ch = Channel(dev, 0, log2=6, unordered=unordered).enable()
        expect(ch.get(HW.CH_CONTROL), ch.control, "CH_CONTROL")
        cells = Cells(ch, 1)
        ch.outcome(*((cells.fill(0, n + 1), DONE) for n in range(32)))
        cells.expect(last)
        ch.works()
        ch.disable()
        expect(ch.get(HW.CH_CONTROL), 0, "CH_CONTROL, disabled")


@device(UNORDERED)
def test_window(dev):
    """It looks at 32 descriptors from the oldest that is not retired."""
    ch = held(dev)
    ch.submit(*[nop()] * 40)
    step(ch)
    expect(statuses(ch, 40), "." * 31 + "o" + "." * 8, "after a step")
    step(ch, 30)
    expect(statuses(ch, 40), "." + "o" * 31 + "." * 8, "after 31 steps")
    expect(ch.done(), 0, "done")
    step(ch)
    expect(ch.done(), 32, "done, the oldest is retired")
    step(ch, 2)
    expect(statuses(ch, 40), "o" * 32 + "." * 6 + "oo", "after 34 steps")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()


@device(UNORDERED)
def test_status_before_done(dev):
    """A status tells that a descriptor is retired; done waits for the oldest."""
    ch = held(dev)
    ch.submit(nop(), nop(), nop())
    step(ch)
    ch.expect_results(0, PENDING, PENDING, DONE)
    expect(ch.done(), 0, "done")
    ch.submit(nop())
    step(ch)
    ch.expect_results(0, PENDING, PENDING, DONE, DONE)
    step(ch)
    ch.expect_results(0, PENDING, DONE, DONE, DONE)
    expect(ch.done(), 0, "done")
    step(ch)
    ch.wait(4)


@device(UNORDERED)
def test_interrupt(dev):
    """INT interrupts when its descriptor is retired, wherever done is."""
    dev.use_msix()
    ch = held(dev)
    ch.submit(nop(INT), nop(INT), nop(INT))
    for arm in range(1, 4):
        step(ch)
        dev.wait_message(0)
        ch.arm(arm)
    ch.wait(3)


# --- transactions ---------------------------------------------------------------


@device(UNORDERED)
def test_transaction_in_order(dev):
    """A transaction is executed as a whole, and in order."""
    ch = held(dev)
    cells = Cells(ch, 2)
    ch.submit(cells.fill(0, 1, CHAIN), cells.fill(0, 2, CHAIN), cells.fill(1, 3),
              cells.fill(0, 4, CHAIN), cells.fill(1, 5))
    step(ch)
    expect(statuses(ch, 5), "...o.", "the newer has begun")
    ch.submit(cells.fill(1, 6))
    step(ch)
    expect(statuses(ch, 6), "...oo.", "what has begun is ended first")
    step(ch)
    expect(statuses(ch, 6), "...ooo", "then what is newest")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()
    cells.expect(2, 3)


@device(UNORDERED)
def test_transaction_incomplete(dev):
    """One of which the end is not there yet begins only when it is the oldest."""
    ch = enabled(dev)
    cells = Cells(ch, 2)
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(), cells.fill(0, 1, CHAIN), cells.fill(0, 2, CHAIN))
    step(ch)
    expect(statuses(ch, 3), "o..", "what is there as a whole")
    step(ch, 2)
    ch.wait(3)
    ch.stuck(3, "its end is not there")
    ch.submit(cells.fill(0, 3), cells.fill(1, 4))
    step(ch)
    expect(statuses(ch, 5), "oooo.", "its end is there")
    step(ch)
    ch.wait()
    cells.expect(3, 4)


@device(UNORDERED)
def test_transaction_skipped(dev):
    """The rest of a transaction that fails is skipped, and nothing else."""
    ch = enabled(dev)
    cells = Cells(ch, 3)
    ch.outcome((cells.fill(0, 1), DONE),
               (fill(BAD, 1, 1, CHAIN), Result(HW.ST_WRITE, 1, BAD)),
               (cells.fill(1, 1, CHAIN), refused(HW.ST_SKIPPED, 1)),
               (cells.fill(1, 2), refused(HW.ST_SKIPPED, 1)), (cells.fill(2, 3), DONE))
    cells.expect(1, 0, 3)


@each("mode, extra", MODES)
def test_transaction_long(bench, mode, extra):
    """One that is longer than the window is executed when it is the oldest."""
    dev = bench.device(UNORDERED, mode, extra=extra)
    ch = Channel(dev, 0, log2=7, unordered=True).enable()
    cells = Cells(ch, 2)
    ch.outcome((cells.fill(0, 1), DONE),
               *((cells.fill(0, n, CHAIN), DONE) for n in range(2, 42)),
               (cells.fill(0, 42), DONE), (cells.fill(1, 1), DONE))
    cells.expect(42, 1)


@each("mode, extra", MODES)
def test_random(bench, mode, extra):
    """Whatever the order, each transaction moves its own data, and all of it."""
    dev = bench.device(f"{UNORDERED},max-len=2M", mode, extra=extra, memory=128)
    ch = Channel(dev, 0, log2=6, unordered=True).enable()
    data = pattern(2 << 20)
    src, dst = dev.m.buffer(data), dev.m.alloc(8 << 20)
    rng = random.Random(1)
    for _ in range(12):
        wanted, at = [], 0
        while len(wanted) < 60 and at < (6 << 20):
            links = rng.choice((1, 1, 1, 2, 3, 7))
            for link in range(links):
                length = rng.choice((1, 100, 4096, 4096, 70000, 1500000))
                wanted.append((copy(src, dst + at, length, CHAIN if link + 1 < links else 0),
                               at, length))
                at += length
        wanted = wanted[:63]
        last, place, length = wanted.pop()
        wanted.append((copy(src, dst + place, length), place, length))
        ch.outcome(*((one, DONE) for one, _, _ in wanted))
        for _, place, length in wanted:
            require(dev.m.read(dst + place, length) == data[:length], "data differs")
        dev.m.write(dst, bytes(at))


# --- abort, pause, errors, resets -----------------------------------------------


@device(UNORDERED)
def test_abort(dev):
    """An abort leaves what is retired as it is."""
    ch = held(dev)
    ch.submit(*[nop()] * 5)
    step(ch, 2)
    ch.set(HW.CH_ABORT, 5)
    ch.wait(5)
    ch.expect_results(0, aborted(0), aborted(0), aborted(0), DONE, DONE)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


@device(UNORDERED)
def test_abort_below(dev):
    """An abort ends what has begun, wherever it is, and what is below the count."""
    ch = held(dev)
    ch.submit(nop(), nop(), nop(), nop(CHAIN), nop(CHAIN), nop())
    step(ch)
    expect(statuses(ch, 6), "...o..", "the newest has begun")
    ch.set(HW.CH_ABORT, 2)
    ch.wait(2)
    ch.expect_results(0, aborted(0), aborted(0), PENDING, DONE, aborted(0), aborted(0))
    step(ch)
    ch.wait(6)
    ch.expect_results(2, DONE)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


@device(UNORDERED)
def test_abort_begun(dev):
    """An abort ends what has begun also if nothing is below the count, and all of it."""
    ch = held(dev)
    ch.submit(nop(), nop(CHAIN), nop(CHAIN), nop())
    step(ch)
    expect(statuses(ch, 4), ".o..", "the newest has begun")
    ch.set(HW.CH_ABORT, 0)
    ch.m.settle()
    expect(statuses(ch, 4), ".oAA", "after the abort")
    expect(ch.done(), 0, "done")
    step(ch)
    ch.wait(4)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


@device(UNORDERED)
@each("count", {f"count{n}": n for n in range(1, 5)})
def test_abort_within(dev, count):
    """So does one to a count within what has begun: nothing of it is executed afterwards."""
    ch = held(dev)
    ch.submit(nop(CHAIN), nop(CHAIN), nop(CHAIN), nop())
    step(ch)
    ch.set(HW.CH_ABORT, count)
    ch.m.settle()
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait(4)
    got = statuses(ch, 4)
    require(got[0] == "o" and not set("o.") & set(got[1:]), f"after the abort: {got}")
    ch.works()


@device(UNORDERED)
def test_abort_across(dev):
    """A transaction that has not begun, and reaches across the count, goes on there as a new one."""
    ch = enabled(dev)
    ch.pause()
    ch.submit(*[nop(CHAIN)] * 49, nop())
    ch.set(HW.CH_ABORT, 40)
    ch.go_on()
    ch.wait()
    expect(statuses(ch, 50), "A" * 40 + "o" * 10, "after the abort")
    ch.works()


@device(UNORDERED)
def test_delay(dev):
    """CH_TC_DELAY: each has to wait, also if what is older waits longer."""
    ch = enabled(dev)
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.submit(nop(), nop(), nop())
    for before, after in (("...", "..o"), ("..o", ".oo"), (".oo", "ooo")):
        dev.m.settle()
        dev.m.clock(MS - 1)
        dev.m.settle()
        expect(statuses(ch, 3), before, "1 ns to wait")
        dev.m.clock(1)
        reaches(ch, after)


@device(f"{UNORDERED},max-len=8M", memory=128)
def test_progress(dev):
    """progress is about the descriptor that has begun."""
    ch = enabled(dev)
    ch.set(HW.CH_TC_HOLD, 1)
    src, dst = dev.m.alloc(3 << 20), dev.m.alloc(3 << 20)
    ch.submit(nop(), nop(), copy(src, dst, 3 << 20))
    ch.pause()
    step(ch)
    ch.go_on()
    dev.m.until(lambda: ch.result(2) == DONE, "the end of the copy")
    expect(ch.progress()[0], 2, "COUNT of progress")
    step(ch, 2)
    ch.wait()


@device(UNORDERED)
def test_fetch_error(dev):
    """A ring that cannot be read stops the channel as ever."""
    ch = Channel(dev, 0, log2=6, unordered=True)
    ch.ring = BAD
    ch.enable()
    ch.set(HW.CH_DOORBELL, 3)
    ch.expect_error("FETCH")


@device(UNORDERED)
@each("reset", {reset.__name__: reset for reset in RESETS})
def test_reset(dev, reset):
    """A reset, and what is enabled behind it, knows nothing of what was ahead."""
    ch = held(dev)
    ch.submit(*[nop()] * 5)
    step(ch, 2)
    reset(dev, [ch])
    expect(ch.get(HW.CH_CONTROL), 0, "CH_CONTROL")
    ch.enable()
    ch.outcome(*[(nop(), DONE)] * 5)


# --- without, and migration -----------------------------------------------------


def test_absent(dev):
    """Without CAPS.UNORDERED the bit is reserved, and the channel is ordered."""
    require(not dev.read(HW.CAPS) & HW.CAPS_UNORDERED, "the bit in CAPS is set")
    ch = Channel(dev, 0, log2=6)
    ch.configure()
    with dev.guest_error("CH_CONTROL.UNORDERED"):
        ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE | HW.CH_CONTROL_UNORDERED)
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE, "CH_CONTROL")
    cells = Cells(ch, 1)
    ch.outcome(*((cells.fill(0, n), DONE) for n in range(1, 9)))
    cells.expect(8)


@device(UNORDERED)
def test_taken_over(dev):
    """The bit is taken over when the channel is enabled, and not later."""
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE | HW.CH_CONTROL_UNORDERED)
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE, "CH_CONTROL")
    cells = Cells(ch, 1)
    ch.outcome(*((cells.fill(0, n), DONE) for n in range(1, 9)))
    cells.expect(8)


def test_needs_no_loopback(bench):
    """ordered=off with the peripheral is refused, with what to do."""
    message = bench.boot("ordered=off").refuses()
    require("ordered=off needs loopback=off" in message, f"it says: {message}")


@each("mode", BOTH)
def test_migrated(bench, mode):
    """Migration: what is retired ahead, and what has begun, are kept."""
    dev = begin(bench, UNORDERED, mode=mode)
    ch = held(dev)
    cells = Cells(ch, 3)
    ch.submit(cells.fill(0, 1), cells.fill(1, 2, CHAIN), cells.fill(1, 3), cells.fill(2, 4))
    step(ch, 2)
    reaches(ch, ".o.o")
    there = migrate(bench, dev, properties=UNORDERED, mode=mode)
    ch = ch.moved_to(there)
    expect(ch.get(HW.CH_CONTROL), ch.control, "CH_CONTROL")
    ch.submit(nop())
    step(ch)
    reaches(ch, ".ooo.")
    step(ch, 2)
    ch.wait(5)
    ch.expect_results(0, *[DONE] * 5)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


def begun(bench):
    """A channel that is amid a transaction behind the oldest."""
    ch = held(begin(bench, f"channels=2,{UNORDERED}"))
    ch.submit(nop(), nop(CHAIN), nop(CHAIN), nop(), nop())
    step(ch, 2)
    return ch


def stream(bench, ch=None):
    migration.save((ch or begun(bench)).m, bench.directory / "stream")
    return migration.Stream(bench.directory / "stream")


def test_stream_good(bench):
    """What test_damaged damages is taken as it is."""
    made = stream(bench)
    for field, value in (("at", 2), ("ahead", 0b10010), ("chained", 1)):
        expect(made.get(f"ch[0].order.{field}"), value, field)
    made.save(bench.directory / "good")
    receive(bench, "good", f"channels=2,{UNORDERED}").connect()


@each("field, value", {
    "at_far": ("at", 6), "at_behind": ("at", ONES), "at_retired": ("at", 4),
    "oldest_ahead": ("ahead", 1), "ahead_of_tail": ("ahead", 1 << 5), "all": ("ahead", ONES),
})
def test_damaged(bench, field, value):
    """A stream with an order that cannot be is refused with a message."""
    stream(bench).set(f"ch[0].order.{field}", value).save(bench.directory / "damaged")
    message = receive(bench, "damaged", f"channels=2,{UNORDERED}").refuses()
    require("bad order" in message, f"it says: {message}")


def test_abort_without_end(bench):
    """An abort does not wait for the rest of a transaction that is not there."""
    ch = begun(bench)
    # As if the guest had made the last descriptor go on while the device took it.
    stream(bench, ch).set("ch[0].order.at", 5).save(bench.directory / "endless")
    ch = ch.moved_to(migration.load(bench, bench.directory / "endless", ch.dev,
                                    f"channels=2,{UNORDERED}", memory=migration.MEMORY))
    ch.set(HW.CH_ABORT, 5)
    ch.wait()
    expect(statuses(ch, 5), "AoAAo", "after the abort")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


def test_migrated_without(bench):
    """A stream of an unordered channel is refused where there is none."""
    stream(bench)
    receive(bench, "stream", "channels=2,loopback=off").refuses()
