# SPDX-License-Identifier: GPL-2.0-only
"""Test controls that came with CAPS.FAULTS, but for stuck channels and removal."""

from qtest.lib.dma import (CHAIN, DONE, INT, Cells, Channel, Pair, Result, copy, descriptor, fail,
                           fill, nop, pattern, refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.migration import begin, migrate
from qtest.lib.parity import pq, source_list, xor, xor_check
from qtest.lib.qemu import MIB, MS, US, expect, require
from qtest.lib.reset import RESETS, after_reset
from qtest.lib.suite import MODES, both, device, each

ALL = {"CH_TC_DELAY": 500, "CH_TC_REORDER": 5, "CH_TC_SPURIOUS": 7, "CH_TC_EARLY": 3,
       "CH_TC_ADDR_BITS": 20}


# --- all of them --------------------------------------------------------------


@device(f"x-caps-mask={HW.CAPS_FAULTS}")
def test_absent(dev):
    """Without CAPS.FAULTS there is no TC_GONE; the older test controls are there."""
    expect(dev.read(HW.CAPS) & (HW.CAPS_TESTCTL | HW.CAPS_FAULTS), HW.CAPS_TESTCTL, "CAPS")
    ch = Channel(dev, 0).enable()
    with dev.no_guest_error("TC_GONE"):
        dev.write(HW.TC_GONE, HW.TC_GONE_MAGIC)
        expect(dev.read(HW.TC_GONE), 0, "TC_GONE")
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    ch.set(HW.CH_TC_HOLD, 1)
    expect(ch.get(HW.CH_TC_HOLD), 1, "CH_TC_HOLD")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


@device(f"x-caps-mask={HW.CAPS_TESTCTL}")
def test_not_alone(dev):
    """CAPS.FAULTS is not set without CAPS.TESTCTL."""
    expect(dev.read(HW.CAPS) & (HW.CAPS_TESTCTL | HW.CAPS_FAULTS), 0, "CAPS")


@both
@each("reset", {reset.__name__: reset for reset in RESETS})
def test_reset_clears(dev, reset):
    """A reset clears the test controls, and what they do."""
    ch = Channel(dev, 0).enable()
    for name, value in ALL.items():
        ch.set(getattr(HW, name), value)
    ch.submit(nop(INT), nop())
    reset(dev, [ch])
    after_reset(ch)
    ch.enable().works()


@both
def test_disable_keeps(dev):
    """They survive disabling, and are in force when the channel is enabled again."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.submit(nop())
    dev.m.settle()
    ch.disable()
    ch.enable()
    expect(ch.get(HW.CH_TC_DELAY), 1000, "CH_TC_DELAY")
    # It has to wait for all of the time anew.
    dev.m.clock(400 * US)
    ch.submit(nop())
    ch.stuck(0, "waiting")
    dev.m.clock(999 * US)
    ch.stuck(0, "waiting")
    dev.m.clock(US)
    ch.wait()


# --- CH_TC_DELAY --------------------------------------------------------------

class Late:
    """A channel whose descriptors wait for 1 ms each."""

    def __init__(self, dev):
        self.m = dev.m
        self.ch = Channel(dev, 0).enable()
        self.ch.set(HW.CH_TC_DELAY, 1000)

    def before(self, count):
        """The next is that with this count, and has still to wait when nearly all is over."""
        self.ch.stuck(count, "waiting")
        self.m.clock(MS - 1)
        self.ch.stuck(count, "waiting still")

    def after(self, count):
        """Its time has come: so many are done."""
        self.m.clock(1)
        self.ch.wait(count)


@each("mode, extra", MODES)
def test_delay(bench, mode, extra):
    """A descriptor starts when it has been the next to start for so many microseconds."""
    dev = bench.device("engines=1", mode, extra=extra)
    late, other = Late(dev), Channel(dev, 1).enable()
    ch = late.ch
    data = pattern(100)
    src, dst = dev.m.buffer(data), dev.m.alloc(100)
    ch.submit(nop(), copy(src, dst, 100), descriptor(HW.OP_INVALID))
    for n in range(3):
        late.before(n)
        require(n > 1 or dev.m.read(dst, 100) == bytes(100), "the copy did not wait")
        other.works()
        late.after(n + 1)
    ch.expect_results(0, DONE, DONE, refused(HW.ST_OPCODE, 0))
    require(dev.m.read(dst, 100) == data, "data differs")
    # With nothing to start there is nothing to wait for.
    dev.m.clock(5 * MS)
    ch.submit(nop())
    late.before(3)
    late.after(4)
    ch.set(HW.CH_TC_DELAY, 0)
    ch.works()


@both
@each("value, start",
      {"shorter": (300, 300), "over": (100, 200), "longer": (5000, 5000), "off": (0, 200)})
def test_delay_changed(dev, value, start):
    """While a descriptor is being waited for, a new value is in force at once."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.submit(nop())
    ch.stuck(0, "waiting")
    dev.m.clock(200 * US)
    ch.set(HW.CH_TC_DELAY, value)
    if start > 200:
        dev.m.clock((start - 200) * US - 1)
        ch.stuck(0, "1 ns to wait")
        dev.m.clock(1)
    ch.wait()


@both
def test_delay_longest(dev):
    """10 seconds are the longest."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, HW.CH_TC_DELAY_MAX)
    ch.submit(nop())
    ch.stuck(0, "waiting")
    dev.m.clock(10000 * MS - 1)
    ch.stuck(0, "1 ns to wait")
    dev.m.clock(1)
    ch.wait()


@each("mode, extra", MODES)
def test_delay_abort(bench, mode, extra):
    """What waits can be aborted; what is aborted or skipped does not wait."""
    dev = bench.device("engines=1", mode, extra=extra)
    late = Late(dev)
    ch = late.ch
    ch.submit(nop(), nop(), descriptor(CHAIN), nop(CHAIN), nop(), nop())
    late.before(0)
    ch.set(HW.CH_ABORT, 2)
    ch.wait(2)
    # The next has become the next just now.
    late.before(2)
    late.after(5)
    late.before(5)
    late.after(6)
    aborted, skipped = refused(HW.ST_ABORTED, 0), refused(HW.ST_SKIPPED, 0)
    ch.expect_results(0, aborted, aborted, refused(HW.ST_OPCODE, 0), skipped, skipped, DONE)


@both
def test_delay_paused(dev):
    """Time goes on while the channel is paused."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.submit(nop(), nop())
    ch.stuck(0, "waiting")
    dev.m.clock(600 * US)
    ch.pause()
    dev.m.clock(600 * US)
    dev.m.settle()
    expect(ch.done(), 0, "done, paused")
    ch.go_on()
    ch.wait(1)
    ch.stuck(1, "the second waits")
    dev.m.clock(MS)
    ch.wait()


@both
def test_delay_held(dev):
    """A descriptor that has waited needs a credit as others, and takes one."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.set(HW.CH_TC_STEP, 1)
    ch.set(HW.CH_TC_FAIL, fail(2, HW.ST_READ))
    ch.submit(nop(), nop(), nop())
    ch.stuck(0, "waiting")
    expect(ch.get(HW.CH_TC_FAIL), fail(2, HW.ST_READ), "CH_TC_FAIL, while it waits")
    dev.m.clock(MS)
    ch.wait(1)
    ch.stuck(1, "waiting")
    dev.m.clock(5 * MS)
    ch.stuck(1, "no credit")
    ch.set(HW.CH_TC_STEP, 1)
    ch.wait(2)
    ch.expect_results(0, DONE, refused(HW.ST_READ, 0))


def test_delay_migration(bench):
    """Migration: what has waited does not begin anew."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, 1000)
    ch.submit(nop(), nop())
    ch.stuck(0, "waiting")
    # The clock of a machine under qtest begins with 0, as this one's still does; and while it
    # is paused, a channel cannot begin to wait.
    ch.pause()
    there = migrate(bench, dev)
    ch = ch.moved_to(there)
    there.m.clock(400 * US)
    ch.go_on()
    ch.stuck(0, "600 us to wait")
    there.m.clock(600 * US - 1)
    ch.stuck(0, "1 ns to wait")
    there.m.clock(1)
    ch.wait(1)
    there.m.clock(MS)
    ch.wait()


def test_delay_clock_behind(bench):
    """One whose stream comes from a later time does not wait for that."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DELAY, 1000)
    dev.m.clock(1000 * MS)
    ch.submit(nop())
    ch.stuck(0, "waiting")
    there = migrate(bench, dev)
    ch = ch.moved_to(there)
    there.m.clock(MS - 1)
    ch.stuck(0, "1 ns to wait")
    there.m.clock(1)
    ch.wait()


@both
def test_delay_of_a_burst(dev):
    """CH_RATE has the next burst wait as ever; the two do not get in each other's way."""
    pair = Pair(dev)
    src, dst = pair.source(200), dev.m.alloc(200)
    pair.a.set(HW.CH_RATE, 1000)
    pair.a.set(HW.CH_TC_DELAY, 5000)
    pair.b.submit(rx(dst, 200))
    pair.a.submit(tx(src, 200, 0, 100))
    dev.m.settle()
    expect(pair.a.get(HW.CH_CNT_BYTES_LO), 0, "bytes before the start")
    dev.m.clock(5 * MS)
    dev.m.settle()
    expect(pair.a.get(HW.CH_CNT_BYTES_LO), 100, "bytes after the first burst")
    # It was late by 5 ms, on which it may catch up.
    dev.m.clock(95 * MS - 1)
    dev.m.settle()
    expect(pair.a.get(HW.CH_CNT_BYTES_LO), 100, "bytes before the second burst")
    dev.m.clock(1)
    pair.a.wait()
    pair.b.wait()
    pair.received(dst, 200)


# --- CH_TC_REORDER ------------------------------------------------------------

@each("mode, extra", MODES)
def test_reorder(bench, mode, extra):
    """Of the descriptors that are there, a window at a time, the last comes first."""
    dev = bench.device("engines=1", mode, extra=extra)
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_TC_REORDER, 3)
    cells = Cells(ch, 3)
    ch.outcome(*((cells.fill(n // 3, n + 1), DONE) for n in range(7)))
    cells.expect(1, 4, 7)
    ch.set(HW.CH_TC_REORDER, HW.CH_TC_REORDER_MAX)
    cells = Cells(ch, 1)
    ch.outcome(*((cells.fill(0, n + 1), DONE) for n in range(32)))
    cells.expect(1)
    for window in (0, 1):
        ch.set(HW.CH_TC_REORDER, window)
        ch.outcome(*((cells.fill(0, n + 1), DONE) for n in range(5)))
        cells.expect(5)


@both
@each("barrier", {"nop": nop, "chain": lambda: nop(CHAIN)})
def test_reorder_barrier(dev, barrier):
    """What is no COPY or FILL, or has CHAIN, starts when all before it is retired."""
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_TC_REORDER, 32)
    cells = Cells(ch, 4)
    ch.outcome((cells.fill(0, 1), DONE), (cells.fill(0, 2), DONE), (cells.fill(1, 1), DONE),
               (barrier(), DONE),
               (cells.fill(0, 3), DONE), (cells.fill(0, 4), DONE), (cells.fill(1, 5), DONE),
               (barrier(), DONE), (barrier(), DONE), (cells.fill(2, 6), DONE))
    cells.expect(3, 5, 6, 0)


@both
def test_reorder_chain(dev):
    """A transaction is executed in order, and skipped as ever."""
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_TC_REORDER, 32)
    cells = Cells(ch, 3)
    ch.outcome((cells.fill(0, 1), DONE), (cells.fill(0, 2), DONE),
               (cells.fill(0, 3, CHAIN), DONE), (cells.fill(0, 4), DONE),
               (cells.fill(1, 1), DONE), (cells.fill(1, 2), DONE))
    # The end of a transaction has no CHAIN: it is a neighbour of what follows.
    cells.expect(4, 1, 0)
    ch.outcome((fill(0xd0000000, 1, 1, CHAIN), Result(HW.ST_WRITE, 1, 0xd0000000)),
               (cells.fill(2, 1), refused(HW.ST_SKIPPED, 1)), (cells.fill(2, 2), DONE))
    cells.expect(4, 1, 2)


@both
def test_reorder_peripheral(dev):
    """TX and RX keep their places."""
    pair = Pair(dev)
    pair.a.set(HW.CH_TC_REORDER, 32)
    pair.b.set(HW.CH_TC_REORDER, 32)
    src, dst = pair.source(300), dev.m.alloc(300)
    pair.a.submit(*(tx(src + at, 100) for at in (0, 100, 200)))
    pair.b.submit(*(rx(dst + at, 100) for at in (0, 100, 200)))
    pair.a.wait()
    pair.b.wait()
    pair.received(dst, 300)


@both
def test_reorder_errors(dev):
    """Each of a run has its own outcome."""
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_TC_REORDER, 32)
    cells = Cells(ch, 2)
    bad = 0xd0000000
    ch.outcome((cells.fill(0, 1), DONE), (fill(bad, 1, 1), Result(HW.ST_WRITE, 1, bad)),
               (copy(bad, cells.at, 1), Result(HW.ST_READ, 1, bad)),
               (descriptor(HW.OP_COPY, 0), refused(HW.ST_LENGTH, 0)), (cells.fill(0, 2), DONE),
               (cells.fill(1, 3), DONE))
    cells.expect(1, 3)


@both
@device("max-len=8M", memory=128)
def test_reorder_large(dev):
    """What is too long for a run ends it, and is executed in its place."""
    ch = Channel(dev, 0, log2=6).enable()
    ch.set(HW.CH_TC_REORDER, 32)
    half = MIB // 2
    one, two = dev.m.alloc(half), dev.m.alloc(half)
    ch.outcome((fill(one, half, 1), DONE), (fill(one, half, 2), DONE), (fill(two, half, 3), DONE),
               (fill(one + 5, 1, 4), DONE))
    require(dev.m.read(one, half) == b"\1" * 5 + b"\4" + b"\1" * (half - 6), "data differs")
    require(dev.m.read(two, half) == b"\3" * half, "data differs")
    data = pattern(5 * MIB)
    src, dst = dev.m.buffer(data), dev.m.alloc(5 * MIB)
    ch.outcome((fill(dst, 10, 1), DONE), (copy(src, dst, 5 * MIB), DONE),
               (fill(dst + 7, 1, 0x55), DONE), (fill(dst + 7, 1, 0x66), DONE))
    require(dev.m.read(dst, 5 * MIB) == data[:7] + b"\x55" + data[8:], "data differs")


@both
@each("name, value", {"hold": ("CH_TC_HOLD", 1), "fail": ("CH_TC_FAIL", fail(100, HW.ST_READ)),
                      "early": ("CH_TC_EARLY", 1), "delay": ("CH_TC_DELAY", 1)})
def test_reorder_not(dev, name, value):
    """Nothing is reordered while a control is in force that counts or holds descriptors."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_REORDER, 32)
    ch.set(getattr(HW, name), value)
    ch.set(HW.CH_TC_STEP, 100)
    cells = Cells(ch, 1)
    ch.submit(nop(), cells.fill(0, 1), cells.fill(0, 2))
    for _ in range(3):
        dev.m.settle()
        dev.m.clock(US)
    ch.wait()
    cells.expect(1 if name == "CH_TC_EARLY" else 2)


@each("mode, extra, how", {f"{name}.{how}": (*MODES[name], how) for name in ("async", "iommu")
                           for how in ("abort", "disable", "pause")})
def test_reorder_cut(bench, mode, extra, how):
    """A cut comes before or behind what is executed in another order: none of it twice."""
    dev = bench.device("engines=2", mode, extra=extra)
    ch = Channel(dev, 0, log2=8).enable()
    ch.set(HW.CH_TC_REORDER, 16)
    size = 60000
    src, dst = dev.m.alloc(100 * size), dev.m.alloc(100 * size)
    cuts = {"abort": lambda: ch.write_line(HW.CH_ABORT, ch.head),
            "pause": lambda: ch.write_line(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE |
                                           HW.CH_CONTROL_PAUSE),
            "disable": lambda: ch.write_line(HW.CH_CONTROL, 0)}
    for n in range(60):
        before, count = ch.get(HW.CH_CNT_BYTES_LO), ch.get(HW.CH_CNT_DESCRIPTORS)
        first = ch.post(*(copy(src + at * size, dst + at * size, size) for at in range(100)))
        # From before an engine has woken up to when it is in the middle of it.
        dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head), *["inb 0x80"] * n,
                           cuts[how]()])
        if how == "disable":
            ch.disable()
        else:
            ch.go_on()
            ch.wait()
            require(all(ch.result(first + at) in (DONE, refused(HW.ST_ABORTED, size))
                        for at in range(100)), "an outcome that cannot be")
        done = ch.get(HW.CH_CNT_DESCRIPTORS) - count
        expect(ch.get(HW.CH_CNT_BYTES_LO) - before & 0xffffffff, size * done, "bytes moved")
        if how == "disable":
            ch.enable()


# --- CH_TC_EARLY --------------------------------------------------------------

@each("mode, extra", MODES)
def test_early(bench, mode, extra):
    """The next n are retired with OK and residue 0, and nothing is moved."""
    dev = bench.device("engines=1", mode, extra=extra)
    ch = Channel(dev, 0).enable()
    data = pattern(5000)
    src, dst = dev.m.buffer(data), dev.m.buffer(bytes(5000))
    ch.set(HW.CH_TC_EARLY, 2)
    ch.outcome((copy(src, dst, 5000), DONE), (fill(dst, 5000, 1), DONE), (nop(), DONE))
    require(dev.m.read(dst, 5000) == bytes(5000), "something was moved")
    expect(ch.get(HW.CH_TC_EARLY), 0, "CH_TC_EARLY")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 3, "CH_CNT_DESCRIPTORS")
    ch.outcome((copy(src, dst, 5000), DONE))
    require(dev.m.read(dst, 5000) == data, "data differs")


@both
def test_early_counts(dev):
    """Counts down as descriptors start; a refused one keeps its status, as does a failed."""
    ch = Channel(dev, 0).enable()
    src = dev.m.alloc(64)
    ch.set(HW.CH_TC_EARLY, 5)
    for left, data, want in ((4, nop(), DONE),
                             (3, descriptor(HW.OP_INVALID, 5), refused(HW.ST_OPCODE, 5)),
                             (2, copy(0xd0000000, src, 64), DONE)):
        ch.outcome((data, want))
        expect(ch.get(HW.CH_TC_EARLY), left, "CH_TC_EARLY")
    ch.set(HW.CH_TC_FAIL, fail(1, HW.ST_READ))
    ch.outcome((copy(src, src, 64), Result(HW.ST_READ, 64, src)))
    expect(ch.get(HW.CH_TC_EARLY), 1, "CH_TC_EARLY")
    ch.outcome((copy(src, src, 64, CHAIN), DONE), (nop(), DONE))
    expect(ch.get(HW.CH_TC_EARLY), 0, "CH_TC_EARLY")


@both
def test_early_aborted(dev):
    """One that is aborted does not count, and says so."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_EARLY, 1)
    src = dev.m.alloc(64)
    ch.submit(copy(src, src, 64))
    ch.set(HW.CH_ABORT, 1)
    ch.wait()
    ch.expect_results(0, refused(HW.ST_ABORTED, 64))
    expect(ch.get(HW.CH_TC_EARLY), 1, "CH_TC_EARLY")


@both
def test_early_others(dev):
    """TX sends nothing, RX takes nothing, parity is not computed and checks are right."""
    pair = Pair(dev)
    ch = pair.a
    src, dst = pair.source(100), dev.m.buffer(bytes(100))
    sources = dev.m.buffer(source_list([src, src + 50], [1, 2]))
    ch.set(HW.CH_TC_EARLY, 5)
    ch.outcome((tx(src, 100, meta=b"meta"), DONE), (rx(dst, 100, meta=True), DONE),
               (xor(sources, dst, 50, 2), DONE), (pq(sources, dst, dst + 50, 50, 2), DONE),
               (xor_check(sources, 50, 2), DONE))
    expect(dev.m.read(dst, 100), bytes(100), "destination")
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL")
    ch.outcome((xor_check(sources, 50, 2), refused(HW.ST_OK | HW.STATUS_P_WRONG, 0)))


# --- CH_TC_SPURIOUS -----------------------------------------------------------

LATEST = 1 * MS


def spurious_message(dev, vector):
    """One for nothing comes, on its own, within the time for that, and then no other."""
    dev.m.settle()
    require(not dev.took(vector), "the one for nothing came together with the other")
    dev.m.clock(LATEST)
    dev.wait_message(vector)
    dev.m.clock(10 * LATEST)
    dev.no_message(vector, "one for nothing is enough")


@each("mode, extra", MODES)
def test_spurious(bench, mode, extra):
    """Each of the next n interrupts is followed by one for nothing; counts down."""
    dev = bench.device("engines=1", mode, extra=extra)
    dev.use_msix()
    ch = Channel(dev, 2, vector=5).enable()
    ch.set(HW.CH_TC_SPURIOUS, 2)
    for n in (1, 2):
        ch.arm(n)
        ch.run(nop(INT))
        dev.wait_message(5)
        spurious_message(dev, 5)
        expect(ch.get(HW.CH_TC_SPURIOUS), 2 - n, "CH_TC_SPURIOUS")
        expect(ch.get(HW.CH_CNT_INTERRUPTS), 2 * n, "CH_CNT_INTERRUPTS")
        expect(dev.read(HW.CNT_INTERRUPTS), 2 * n, "CNT_INTERRUPTS")
    # It does not count for the suppression protocol.
    ch.run(nop(INT))
    dev.no_message(5, "arm has not changed")
    ch.arm(9)
    ch.run(nop(INT))
    dev.wait_message(5)
    dev.m.clock(LATEST)
    dev.no_message(5, "CH_TC_SPURIOUS is 0")


@both
def test_spurious_msi(dev):
    """So it is with MSI."""
    dev.use_msi(0)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_SPURIOUS, 1)
    ch.run(nop(INT))
    dev.wait_msi(0)
    dev.m.clock(LATEST)
    dev.wait_msi(0)


@both
def test_spurious_intx(dev):
    """Under INTx the bit is set again when the driver clears it, once for each."""
    dev.watch_line()
    ch, other = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    ch.set(HW.CH_TC_SPURIOUS, 1)
    other.run(nop(INT))
    ch.run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS) == 3, "both bits")
    dev.m.clock(10 * LATEST)
    dev.write(HW.INT_STATUS, 2)
    expect(dev.read(HW.INT_STATUS), 1, "INT_STATUS, the other's bit cleared")
    dev.write(HW.INT_STATUS, 1)
    expect(dev.read(HW.INT_STATUS), 1, "INT_STATUS, for nothing")
    require(dev.line(), "the line is down")
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 2, "CH_CNT_INTERRUPTS")
    expect(ch.get(HW.CH_TC_SPURIOUS), 0, "CH_TC_SPURIOUS")
    dev.write(HW.INT_STATUS, 1)
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS, cleared")
    require(not dev.line(), "the line is up")


def test_spurious_now(dev):
    """Bit 31: one for nothing at once, in any state; the rest of the value is the count."""
    dev.use_msix()
    ch = Channel(dev, 3)
    ch.set(HW.CH_VECTOR, 4)
    ch.set(HW.CH_TC_SPURIOUS, HW.CH_TC_SPURIOUS_NOW | 7)
    require(dev.took(4), "no message")
    expect(ch.get(HW.CH_TC_SPURIOUS), 7, "CH_TC_SPURIOUS")
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 1, "CH_CNT_INTERRUPTS")
    dev.m.clock(LATEST)
    dev.no_message(4, "it is followed by no other")
    # A vector that there is not harms nobody.
    ch.set(HW.CH_VECTOR, 0xffffffff)
    ch.set(HW.CH_TC_SPURIOUS, HW.CH_TC_SPURIOUS_NOW)
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 1, "CH_CNT_INTERRUPTS")
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.works()
    ch.set(HW.CH_TC_SPURIOUS, HW.CH_TC_SPURIOUS_NOW)
    require(dev.took(3), "no message of the channel that runs")


def test_spurious_now_intx(dev):
    """Under INTx it sets the bit."""
    dev.watch_line()
    ch = Channel(dev, 3)
    ch.set(HW.CH_TC_SPURIOUS, HW.CH_TC_SPURIOUS_NOW)
    expect(dev.read(HW.INT_STATUS), 8, "INT_STATUS")
    require(dev.line(), "the line is down")
    dev.write(HW.INT_STATUS, 8)
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")


@both
def test_spurious_dropped(dev):
    """An interrupt that is swallowed is followed by none."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DROP_IRQ, 1)
    ch.set(HW.CH_TC_SPURIOUS, 1)
    ch.run(nop(INT))
    dev.m.clock(LATEST)
    dev.no_message(0, "the interrupt was swallowed")
    expect(ch.get(HW.CH_TC_SPURIOUS), 1, "CH_TC_SPURIOUS")
    ch.arm(1)
    ch.run(nop(INT))
    dev.wait_message(0)
    spurious_message(dev, 0)


@both
def test_spurious_reset(dev):
    """A reset forgets the one that is to follow, disabling does not."""
    dev.use_msix()
    for way, control in ((0, 0), (1, HW.CH_CONTROL_RESET)):
        ch = Channel(dev, way).enable()
        ch.set(HW.CH_TC_SPURIOUS, 1)
        ch.run(nop(INT))
        dev.wait_message(way)
        ch.set(HW.CH_CONTROL, control)
        dev.m.clock(LATEST)
        if way:
            dev.no_message(way, "the channel was reset")
            dev.no_message(0, "the channel was reset")
        else:
            dev.wait_message(way)


@each("messages", {"msix": True, "intx": False})
def test_spurious_migration(bench, messages):
    """Migration: the one that is to follow does."""
    dev = begin(bench)
    if messages:
        dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_SPURIOUS, 1)
    ch.run(nop(INT))
    if messages:
        dev.wait_message(0)
    there = migrate(bench, dev)
    if messages:
        spurious_message(there, 0)
    else:
        there.write(HW.INT_STATUS, 1)
        expect(there.read(HW.INT_STATUS), 1, "INT_STATUS, for nothing")
        there.write(HW.INT_STATUS, 1)
        expect(there.read(HW.INT_STATUS), 0, "INT_STATUS")


# --- CH_TC_ADDR_BITS ----------------------------------------------------------

EDGE = 32 * MIB


def across(dev, data):
    """Memory that begins 100 bytes below 2^25."""
    dev.m.write(EDGE - 100, data)
    dev.m.next = EDGE + MIB
    return EDGE - 100


@each("mode, extra", MODES)
def test_addr_bits(bench, mode, extra):
    """Data cannot be reached at 2^n and above; what lies below is moved."""
    dev = bench.device("engines=1", mode, extra=extra)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_ADDR_BITS, 25)
    data = pattern(1000)
    low, dst = dev.m.buffer(data), dev.m.buffer(bytes(1000))
    edge = across(dev, data)
    high = dev.m.buffer(data)
    ch.outcome((copy(edge, dst, 1000), Result(HW.ST_READ, 900, EDGE)),
               (copy(high, dst, 1000), Result(HW.ST_READ, 1000, high)))
    expect(dev.m.read(dst, 1000), data[:100] + bytes(900), "destination")
    dev.m.write(edge, bytes(1000))
    ch.outcome((copy(low, edge, 1000), Result(HW.ST_WRITE, 900, EDGE)),
               (fill(high, 1000, 1), Result(HW.ST_WRITE, 1000, high)),
               (copy(low, edge, 100), DONE), (copy(low, dst, 1000), DONE))
    expect(dev.m.read(edge, 1000), data[:100] + bytes(900), "destination at the edge")
    require(dev.m.read(high, 1000) == data, "memory above the edge was written")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 1300, "CH_CNT_BYTES_LO")
    ch.set(HW.CH_TC_ADDR_BITS, 0)
    ch.outcome((copy(low, edge, 1000), DONE))
    require(dev.m.read(edge, 1000) == data, "data differs")


@both
def test_addr_bits_data_only(dev):
    """Ring, completion record and source lists are not affected."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_ADDR_BITS, 20)
    src, dst = dev.m.alloc(64), dev.m.alloc(64)
    sources = dev.m.buffer(source_list([src], [1]))
    ch.outcome((nop(), DONE), (xor(sources, dst, 64, 1), Result(HW.ST_READ, 64, src)),
               (fill(dst, 64, 1), Result(HW.ST_WRITE, 64, dst)), (fill(0x8000, 64, 0x77), DONE))
    # RAM below 1 MiB is not all of the test's memory, but it is RAM.
    expect(dev.m.read(0x8000, 64), b"\x77" * 64, "memory below the edge")


@both
def test_addr_bits_peripheral(dev):
    """TX and RX likewise."""
    pair = Pair(dev)
    data = pattern(200)
    edge = across(dev, data)
    for ch in (pair.a, pair.b):
        ch.set(HW.CH_TC_ADDR_BITS, 25)
    pair.a.outcome((tx(edge, 200), Result(HW.ST_READ, 100, EDGE)))
    pair.b.outcome((rx(edge + 50, 100), Result(HW.ST_WRITE, 50, EDGE)))
    expect(dev.m.read(edge + 50, 150), data[:50] + data[100:], "destination")


@device("addr-bits=32")
def test_addr_bits_wide(dev):
    """More bits than the device has change nothing."""
    ch = Channel(dev, 0).enable()
    for bits in (32, 33, 63, 64):
        ch.set(HW.CH_TC_ADDR_BITS, bits)
        ch.works()
        dst = dev.m.alloc(1)
        ch.outcome((copy(1 << 32, dst, 1), Result(HW.ST_READ, 1, 1 << 32)))


@both
def test_addr_bits_in_progress(dev):
    """In force for what is left of the descriptor in progress, too."""
    pair = Pair(dev)
    data = pattern(8000)
    edge = across(dev, data)
    pair.a.submit(tx(edge, 8000, 0, 10))
    pair.a.fills(pair.b, 4090)
    pair.a.set(HW.CH_TC_ADDR_BITS, 25)
    pair.a.wait()
    pair.a.expect_results(0, Result(HW.ST_READ, 8000 - 4090, edge + 4090))
    pair.a.set(HW.CH_TC_ADDR_BITS, 0)
    dst = dev.m.alloc(4090)
    pair.b.outcome((rx(dst, 4090), DONE))
    require(dev.m.read(dst, 4090) == data[:4090], "data differs")


def test_migration_kept(bench):
    """Migration: counts and limits are in force on the other side."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_ADDR_BITS, 20)
    there = migrate(bench, dev)
    ch = ch.moved_to(there)
    src = there.m.alloc(64)
    ch.outcome((copy(src, 0x8000, 64), Result(HW.ST_READ, 64, src)))
    ch.set(HW.CH_TC_ADDR_BITS, 0)
    ch.set(HW.CH_TC_EARLY, 1)
    there = migrate(bench, there)
    ch = ch.moved_to(there)
    ch.outcome((copy(0xd0000000, 0x8000, 64), DONE),
               (copy(0xd0000000, 0x8000, 64), Result(HW.ST_READ, 64, 0xd0000000)))
