# SPDX-License-Identifier: GPL-2.0-only
"""Test controls."""

from qtest.lib.dma import (CHAIN, DONE, INT, Channel, Result, copy, descriptor, fail, nop,
                           pattern, refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.qemu import expect, require
from qtest.lib.suite import both, each


@both
def test_hold(dev):
    """CH_TC_HOLD = 1: no descriptor starts; 0: the channel runs."""
    ch, other = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(), nop())
    ch.stuck(0, "held")
    other.works()
    ch.submit(nop())
    ch.stuck(0, "held")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()


@both
def test_step(dev):
    """CH_TC_STEP = n adds n credits, each for one descriptor."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 12)
    at = 0
    for credits_ in (2, 1, 5):
        ch.set(HW.CH_TC_STEP, credits_)
        at += credits_
        ch.wait(at)
        ch.stuck(at, f"{credits_} credits")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()


@both
def test_step_adds_up(dev):
    """Credits add up, also before there is a descriptor."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_STEP, 2)
    ch.set(HW.CH_TC_STEP, 3)
    ch.submit(*[nop()] * 8)
    ch.wait(5)
    ch.stuck(5, "5 credits")


@both
def test_step_dropped(dev):
    """CH_TC_HOLD = 0 drops the credits; while not held CH_TC_STEP is ignored."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_STEP, 10)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.set(HW.CH_TC_STEP, 10)
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop())
    ch.stuck(0, "credits were dropped")


@both
def test_step_users(dev):
    """One refused by a check takes a credit, one that is skipped takes none."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    first = ch.submit(descriptor(CHAIN), nop(CHAIN), nop(), nop(), nop())
    ch.set(HW.CH_TC_STEP, 1)
    ch.wait(3)
    ch.stuck(3, "one credit")
    ch.set(HW.CH_TC_STEP, 1)
    ch.wait(4)
    ch.stuck(4, "another credit")
    skipped = refused(HW.ST_SKIPPED, 0)
    ch.expect_results(first, refused(HW.ST_OPCODE, 0), skipped, skipped, DONE)


@both
def test_hold_in_progress(dev):
    """A descriptor that has started runs to its end."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    buffer = dev.m.alloc(64)
    ch.submit(rx(buffer, 64), nop())
    ch.stuck(0, "FIFO empty")
    ch.set(HW.CH_TC_HOLD, 1)
    peer.run(tx(buffer, 64))
    ch.wait(1)
    ch.stuck(1, "held")


@both
def test_hold_survives_disable(dev):
    """Test controls survive disabling."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_FAIL, fail(7, HW.ST_READ))
    ch.disable()
    ch.enable()
    expect(ch.get(HW.CH_TC_HOLD), 1, "CH_TC_HOLD")
    expect(ch.get(HW.CH_TC_FAIL), fail(7, HW.ST_READ), "CH_TC_FAIL")
    ch.submit(nop())
    ch.stuck(0, "held")


# --- CH_TC_FAIL ---------------------------------------------------------------

@both
@each("status", {name[3:].lower(): getattr(HW, name) for name in
                 ("ST_OPCODE", "ST_RESERVED", "ST_LENGTH", "ST_ALIGN", "ST_READ", "ST_WRITE",
                  "ST_PERIPH", "ST_ABORTED", "ST_SKIPPED")})
def test_fail_status(dev, status):
    """CH_TC_FAIL: moves so many bytes, retires with STATUS; fault_addr for READ, WRITE."""
    ch = Channel(dev, 0).enable()
    data = pattern(5000)
    src, dst = dev.m.buffer(data), dev.m.buffer(bytes(5000))
    ch.set(HW.CH_TC_FAIL, fail(1, status))
    ch.set(HW.CH_TC_FAIL_BYTES, 1234)
    fault = {HW.ST_READ: src + 1234, HW.ST_WRITE: dst + 1234}.get(status, 0)
    ch.outcome((copy(src, dst, 5000), Result(status, 5000 - 1234, fault)), (nop(), DONE))
    expect(dev.m.read(dst, 5000), data[:1234] + bytes(5000 - 1234), "destination")
    expect(ch.get(HW.CH_TC_FAIL) & HW.CH_TC_FAIL_AFTER, 0, "CH_TC_FAIL.AFTER")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 1234, "CH_CNT_BYTES_LO")
    expect(ch.state(), HW.STATE_RUNNING, "state")


@both
def test_fail_counts(dev):
    """AFTER counts down as descriptors start, refused ones too, and can be read."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_FAIL, fail(4, HW.ST_PERIPH))
    for left, data, want in ((3, nop(), DONE),
                             (2, descriptor(HW.OP_INVALID), refused(HW.ST_OPCODE, 0)),
                             (1, nop(), DONE), (0, nop(), refused(HW.ST_PERIPH, 0)),
                             (0, nop(), DONE)):
        ch.outcome((data, want))
        expect(ch.get(HW.CH_TC_FAIL) & HW.CH_TC_FAIL_AFTER, left, "AFTER")


@both
def test_fail_counts_in_one_go(dev):
    """The n-th descriptor fails, however many one doorbell reveals."""
    ch = Channel(dev, 0, log2=7).enable()
    ch.set(HW.CH_TC_FAIL, fail(70, HW.ST_LENGTH))
    results = ch.run(*[nop()] * 100)
    expect([n for n, result in enumerate(results, 1) if result != DONE], [70], "which failed")


def test_fail_spares_the_refused(dev):
    """One that is refused by a check keeps its own status."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_FAIL, fail(1, HW.ST_PERIPH))
    ch.outcome((descriptor(HW.OP_INVALID, 5), refused(HW.ST_OPCODE, 5)), (nop(), DONE))
    expect(ch.get(HW.CH_TC_FAIL) & HW.CH_TC_FAIL_AFTER, 0, "AFTER")


@both
@each("count, residue",
      {"none": (0, 1000), "all": (1000, 0), "more": (0xffffffff, 0), "chunks": (70000, 30000)})
def test_fail_bytes(dev, count, residue):
    """min(CH_TC_FAIL_BYTES, len) bytes are moved."""
    ch = Channel(dev, 0).enable()
    length = 100000 if count == 70000 else 1000
    data = pattern(length)
    src, dst = dev.m.buffer(data), dev.m.buffer(bytes(length))
    ch.set(HW.CH_TC_FAIL, fail(1, HW.ST_LENGTH))
    ch.set(HW.CH_TC_FAIL_BYTES, count)
    ch.outcome((copy(src, dst, length), refused(HW.ST_LENGTH, residue)))
    require(dev.m.read(dst, length) == data[:length - residue] + bytes(residue),
            "destination differs")


@both
def test_fail_chain(dev):
    """The transaction is skipped as after any failure; the INT at its end is honoured."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_FAIL, fail(2, HW.ST_READ))
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    ch.outcome((nop(CHAIN), DONE), (copy(src, dst, 64, CHAIN), Result(HW.ST_READ, 64, src)),
               (nop(CHAIN), refused(HW.ST_SKIPPED, 0)),
               (nop(INT), refused(HW.ST_SKIPPED, 0)), (nop(), DONE))
    dev.wait_message(0)


@both
def test_fail_tx_rx(dev):
    """TX and RX that fail move so many bytes into and out of the FIFO."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    data = pattern(1000)
    src, dst = dev.m.buffer(data), dev.m.buffer(bytes(1000))
    for one in (ch, peer):
        one.set(HW.CH_TC_FAIL, fail(1, HW.ST_WRITE))
        one.set(HW.CH_TC_FAIL_BYTES, 300)
    ch.outcome((tx(src, 1000, burst=256), Result(HW.ST_WRITE, 700, 300)))
    peer.outcome((rx(dst, 500), Result(HW.ST_WRITE, 200, dst + 300)))
    expect(dev.m.read(dst, 1000), data[:300] + bytes(700), "destination")
    peer.submit(rx(dst, 1))
    peer.stuck(1, "FIFO empty")


def test_fail_ok(dev):
    """STATUS is the status that it is retired with, OK too; that breaks no transaction."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_FAIL, fail(1, HW.ST_OK))
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    ch.outcome((copy(src, dst, 64, CHAIN), refused(HW.ST_OK, 64)), (nop(), DONE))


# --- CH_TC_DROP_IRQ, CH_TC_LIE ------------------------------------------------

@both
def test_drop_irq(dev):
    """The next n interrupts are swallowed; they count as raised for suppression only."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DROP_IRQ, 2)
    ch.run(nop(INT))
    dev.no_message(0, "CH_TC_DROP_IRQ 2")
    expect(ch.get(HW.CH_TC_DROP_IRQ), 1, "CH_TC_DROP_IRQ")
    ch.run(nop(INT))
    dev.no_message(0, "arm has not changed")
    expect(ch.get(HW.CH_TC_DROP_IRQ), 1, "CH_TC_DROP_IRQ")
    ch.arm(1)
    ch.run(nop(INT))
    dev.no_message(0, "CH_TC_DROP_IRQ 1")
    ch.arm(2)
    ch.run(nop(INT))
    dev.wait_message(0)
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 1, "CH_CNT_INTERRUPTS")
    expect(dev.read(HW.CNT_INTERRUPTS), 1, "CNT_INTERRUPTS")


@both
def test_drop_irq_intx(dev):
    """Under INTx a swallowed interrupt sets no bit of INT_STATUS."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_DROP_IRQ, 1)
    ch.run(nop(INT))
    dev.m.settle()
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")


def test_drop_irq_channel_only(dev):
    """Events and RAISE are not swallowed."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    dev.write(HW.EVENT_VECTOR, 3)
    ch.set(HW.CH_TC_DROP_IRQ, 5)
    dev.write(HW.RAISE, 0)
    dev.wait_message(0)
    ch.set(HW.CH_DOORBELL, 1000)
    dev.wait_message(3)
    expect(ch.get(HW.CH_TC_DROP_IRQ), 5, "CH_TC_DROP_IRQ")


@both
@each("value", {"ahead": 3, "wild": 0xffffff00})
def test_lie(dev, value):
    """The next write of done is done + n; the device's own count and the next are true."""
    ch = Channel(dev, 0).enable()
    ch.run(nop())
    ch.set(HW.CH_TC_LIE, value)
    ch.submit(nop())
    ch.wait((2 + value) & 0xffffffff)
    expect(ch.get(HW.CH_TC_LIE), 0, "CH_TC_LIE")
    ch.submit(nop())
    ch.wait(3)
    ch.works()
