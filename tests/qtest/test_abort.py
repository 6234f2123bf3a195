# SPDX-License-Identifier: GPL-2.0-only
"""Abort."""

from qtest.lib.dma import (CHAIN, DONE, INT, Channel, aborted, copy, descriptor, nop, pattern,
                           refused, rx, tx)
from qtest.lib.hw import HW, ONES
from qtest.lib.qemu import expect
from qtest.lib.suite import both, each


class Held:
    """A channel held by CH_TC_HOLD, with copies of 100, 101, ... bytes."""

    def __init__(self, dev, count, flags=0):
        self.ch = Channel(dev, 0).enable()
        self.ch.set(HW.CH_TC_HOLD, 1)
        self.data = pattern(200)
        self.src = dev.m.buffer(self.data)
        self.dst = [dev.m.alloc(200, align=8) for _ in range(count)]
        self.ch.submit(*(copy(self.src, dst, 100 + n, flags)
                         for n, dst in enumerate(self.dst)))
        self.ch.stuck(0, "held")

    def release(self):
        self.ch.set(HW.CH_TC_HOLD, 0)

    def untouched(self, *which):
        for n in which:
            expect(self.ch.m.read(self.dst[n], 200), bytes(200), f"destination {n}")


@both
def test_idle(dev):
    """n equal to done: nothing to retire, the interrupt is requested at once."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_ABORT, 0)
    dev.wait_message(0)
    ch.run(nop(), nop())
    ch.arm(1)
    ch.set(HW.CH_ABORT, 2)
    dev.wait_message(0)
    expect(ch.state(), HW.STATE_RUNNING, "state")
    expect(ch.done(), 2, "done")
    ch.works()


@both
def test_held_by_test_control(dev):
    """A descriptor held by CH_TC_HOLD is retired as ABORTED, residue len."""
    dev.use_msix()
    held = Held(dev, 4)
    held.ch.set(HW.CH_ABORT, 4)
    held.ch.wait(4)
    held.ch.expect_results(0, *(aborted(100 + n) for n in range(4)))
    dev.wait_message(0)
    held.untouched(0, 1, 2, 3)
    expect(held.ch.get(HW.CH_CNT_DESCRIPTORS), 0, "CH_CNT_DESCRIPTORS")
    expect(held.ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")
    held.release()
    held.ch.works()
    held.untouched(0, 1, 2, 3)


@both
def test_part(dev):
    """Descriptors from n on are executed; the channel stays RUNNING."""
    held = Held(dev, 4)
    held.ch.set(HW.CH_ABORT, 2)
    held.ch.stuck(2, "aborted below 2")
    held.release()
    held.ch.wait(4)
    held.ch.expect_results(0, aborted(100), aborted(101), DONE, DONE)
    held.untouched(0, 1)
    expect(dev.m.read(held.dst[3], 103), held.data[:103], "destination 3")


@both
def test_takes_no_credit(dev):
    """CH_TC_STEP: one that is aborted takes no credit."""
    held = Held(dev, 4)
    held.ch.set(HW.CH_ABORT, 2)
    held.ch.set(HW.CH_TC_STEP, 1)
    held.ch.stuck(3, "one credit")


@both
def test_fifo_full(dev):
    """A TX held by a full FIFO: ABORTED with what is left; what was sent stays."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    data = pattern(6000)
    src, dst = dev.m.buffer(data), dev.m.alloc(6000)
    depth = dev.read(HW.FIFO_DEPTH)
    ch.submit(tx(src, 6000), nop())
    ch.stuck(0, "FIFO full")
    ch.set(HW.CH_ABORT, 1)
    ch.wait(2)
    ch.expect_results(0, aborted(6000 - depth), DONE)
    peer.outcome((rx(dst, depth), DONE))
    expect(dev.m.read(dst, depth), data[:depth], "data received")
    expect(ch.get(HW.CH_CNT_BYTES_LO), depth, "CH_CNT_BYTES_LO")


@both
@each("sent", {"empty": 0, "some": 500})
def test_fifo_empty(dev, sent):
    """An RX held by an empty FIFO: ABORTED with what is left."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    data = pattern(500)
    src, dst = dev.m.buffer(data), dev.m.buffer(bytes(2000))
    if sent:
        peer.run(tx(src, sent))
    ch.submit(rx(dst, 2000, burst=100))
    ch.stuck(0, "FIFO empty")
    ch.set(HW.CH_ABORT, 1)
    ch.wait()
    ch.expect_results(0, aborted(2000 - sent))
    expect(dev.m.read(dst, 2000), data[:sent] + bytes(2000 - sent), "destination")
    peer.run(tx(src, 64))
    ch.outcome((rx(dst, 64), DONE))


@both
def test_mid_chain(dev):
    """A transaction that reaches across n goes on as a new one with descriptor n."""
    held = Held(dev, 3, CHAIN)
    held.ch.set(HW.CH_ABORT, 1)
    held.ch.stuck(1, "aborted below 1")
    held.release()
    held.ch.wait(3)
    held.ch.expect_results(0, aborted(100), DONE, DONE)


@both
def test_ends_skipping(dev):
    """At n, skipping ends."""
    ch = Channel(dev, 0).enable()
    ch.outcome((descriptor(CHAIN), refused(HW.ST_OPCODE, 0)), (nop(CHAIN),
                                                              refused(HW.ST_SKIPPED, 0)))
    ch.set(HW.CH_ABORT, 2)
    dev.m.settle()
    ch.outcome((nop(), DONE))


@both
def test_ends_skipping_at_once(dev):
    """The same for what is there before the channel has looked at the abort."""
    ch = Channel(dev, 0).enable()
    ch.outcome((descriptor(CHAIN), refused(HW.ST_OPCODE, 0)))
    ch.post(nop(CHAIN), nop())
    dev.m.qtest.batch([ch.write_line(HW.CH_ABORT, 1), ch.write_line(HW.CH_DOORBELL, 3)])
    ch.wait()
    ch.expect_results(1, DONE, DONE)


def test_while_skipping(dev):
    """Descriptors of a transaction being skipped are retired as SKIPPED or ABORTED."""
    ch = Channel(dev, 0).enable()
    ch.outcome((descriptor(CHAIN), refused(HW.ST_OPCODE, 0)))
    ch.post(nop(CHAIN), nop(CHAIN), nop(CHAIN), nop())
    dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, 5), ch.write_line(HW.CH_ABORT, 3)])
    ch.wait()
    for count in (1, 2):
        expect(ch.result(count).status in (HW.ST_SKIPPED, HW.ST_ABORTED), True,
               f"{ch.result(count)} is SKIPPED or ABORTED")
    ch.expect_results(3, DONE, DONE)


@each("first, second", {"extended": (2, 4), "same": (4, 4), "earlier": (4, 2)})
def test_twice(dev, first, second):
    """Of two aborts that are pending the later count is in force."""
    dev.use_msix()
    held = Held(dev, 4)
    dev.m.qtest.batch([held.ch.write_line(HW.CH_ABORT, first),
                       held.ch.write_line(HW.CH_ABORT, second)])
    held.ch.wait(4)
    held.ch.expect_results(0, *(aborted(100 + n) for n in range(4)))
    dev.wait_message(0)
    expect(held.ch.state(), HW.STATE_RUNNING, "state")


@both
def test_one_after_the_other(dev):
    """An abort after an abort that is through."""
    held = Held(dev, 4)
    for n in (1, 1, 3, 4):
        held.ch.set(HW.CH_ABORT, n)
        held.ch.wait(n)
    held.release()
    held.ch.works()


def test_with_doorbell(dev):
    """What is aborted before it could start is not executed."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(64)), dev.m.buffer(bytes(64))
    ch.post(copy(src, dst, 64), copy(src, dst, 64), nop())
    dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, 3), ch.write_line(HW.CH_ABORT, 2)])
    ch.wait()
    ch.expect_results(0, aborted(64), aborted(64), DONE)
    expect(dev.m.read(dst, 64), bytes(64), "destination")


@both
@each("count", {"beyond_tail": 4, "below_done": 1, "far": 0x80000000, "minus_one": ONES})
def test_bad_count(dev, count):
    """A count that is not between done and tail: ERROR, ABORT."""
    ch = Channel(dev, 0).enable()
    ch.run(nop(), nop())
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop())
    dev.m.settle()
    with dev.guest_error("bad abort"):
        ch.set(HW.CH_ABORT, count)
    ch.expect_error("ABORT")
    dev.m.settle()
    expect(ch.done(), 2, "done")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.leave_error()
    ch.works()


@both
def test_request_is_suppressed(dev):
    """The request of an abort is subject to suppression as any other."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.wait_message(0)
    ch.set(HW.CH_ABORT, 1)
    dev.no_message(0, "arm has not changed")
    ch.arm(9)
    ch.set(HW.CH_ABORT, 1)
    dev.wait_message(0)


@both
def test_full_ring(dev):
    """All slots of a full ring can be aborted at once."""
    ch = Channel(dev, 0, log2=3).enable()
    ch.run(*[nop()] * 5)
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 8)
    ch.stuck(5, "held")
    ch.set(HW.CH_ABORT, 13)
    ch.wait()
    ch.expect_results(5, *[aborted(0)] * 8)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()
