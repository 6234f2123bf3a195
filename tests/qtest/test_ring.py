# SPDX-License-Identifier: GPL-2.0-only
"""The ring, transactions, several channels."""

from qtest.lib.dma import (CHAIN, DONE, INT, PENDING, Channel, copy, descriptor, nop, pattern,
                           refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.qemu import expect, require
from qtest.lib.suite import both, device, each

BAD = descriptor(0, 11)
BAD_CHAIN = descriptor(CHAIN, 11)
REFUSED = refused(HW.ST_OPCODE, 11)


def skipped(length):
    return refused(HW.ST_SKIPPED, length)


def all_ok(ch, first, count):
    for n in range(first, first + count):
        expect(ch.result(n), DONE, f"descriptor {n}")


@both
@each("log2", {"2": 1, "4": 2, "8": 3})
def test_wrap(dev, log2):
    """The descriptor with count c lies in slot c & (size - 1)."""
    ch = Channel(dev, 0, log2).enable()
    size = 1 << log2
    for n in range(5 * size):
        data = pattern(200, n)
        src, dst = dev.m.buffer(data, align=8), dev.m.alloc(200, align=8)
        ch.outcome(*[(nop(), DONE)] * (n % size), (copy(src, dst, 200), DONE))
        require(dev.m.read(dst, 200) == data, f"round {n}: the data differs")


@both
def test_wrap_largest(dev):
    """The largest ring, full, and once around."""
    log2 = dev.read(HW.RING_LIMITS) >> 8
    size = 1 << log2
    ch = Channel(dev, 0, log2).enable()
    dev.m.write(ch.ring, nop() * size)
    for head in (size, size + 10, 2 * size + 10):
        dev.m.write(ch.ring, nop() * size)
        ch.set(HW.CH_DOORBELL, head)
        ch.wait(head)
    statuses = dev.m.read(ch.ring, size * HW.DESC_SIZE)[48::HW.DESC_SIZE]
    require(statuses == bytes([HW.ST_OK]) * size, "a slot was left out")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), (2 * size + 10) & 0xffffffff, "descriptors")


@both
@device("ring-max=16")
def test_only_what_is_rung(dev):
    """What the doorbell has not passed belongs to the driver."""
    ch = Channel(dev, 0, 4).enable()
    ch.post(*[nop()] * 16)
    ch.set(HW.CH_DOORBELL, 5)
    ch.stuck(5, "doorbell 5")
    all_ok(ch, 0, 5)
    ch.expect_results(5, PENDING)


# --- transactions -------------------------------------------------------------

@both
def test_chain(dev):
    """A transaction without an error is executed in full."""
    ch = Channel(dev, 0).enable()
    ch.outcome((nop(CHAIN), DONE), (nop(CHAIN), DONE), (nop(), DONE), (nop(), DONE))


@both
@each("bad", {"first": 0, "middle": 2, "last": 3})
def test_chain_fails(dev, bad):
    """After a failure the rest of the transaction is SKIPPED, what follows is not."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    chain_of = [copy(src, dst, 10 + n, CHAIN if n < 3 else 0) for n in range(4)]
    chain_of[bad] = BAD_CHAIN if bad < 3 else BAD
    wanted = [DONE if n < bad else REFUSED if n == bad else skipped(10 + n) for n in range(4)]
    ch.outcome(*zip(chain_of, wanted), (copy(src, dst, 9), DONE))
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), bad + 2, "CH_CNT_DESCRIPTORS")


@both
def test_skipped_are_not_executed(dev):
    """A skipped descriptor is not executed, nor checked; a NOP is skipped, too."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(64)), dev.m.buffer(bytes(64))
    ch.outcome((BAD_CHAIN, REFUSED), (copy(src, dst, 64, CHAIN), skipped(64)),
               (nop(CHAIN), skipped(0)), (descriptor(77 | CHAIN, 5, arg=1), skipped(5)),
               (copy(1 << 60, dst, 0xffffffff), skipped(0xffffffff)), (nop(), DONE))
    expect(dev.m.read(dst, 64), bytes(64), "destination")


@both
def test_chain_after_memory_error(dev):
    """A failure in execution skips as a failed check does."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.alloc(64)
    results = ch.run(copy(0xd0000000, dst, 64, CHAIN), nop(CHAIN), nop(), nop())
    expect([result.status for result in results],
           [HW.ST_READ, HW.ST_SKIPPED, HW.ST_SKIPPED, HW.ST_OK], "statuses")


@both
def test_chain_over_doorbells(dev):
    """Skipping holds across doorbells."""
    ch = Channel(dev, 0).enable()
    ch.outcome((nop(CHAIN), DONE), (BAD_CHAIN, REFUSED))
    ch.outcome((nop(CHAIN), skipped(0)))
    ch.outcome((nop(CHAIN), skipped(0)), (nop(), skipped(0)), (nop(CHAIN), DONE))
    ch.outcome((nop(), DONE))


@both
def test_chain_ends_with_enable(dev):
    """After enable no chain is being skipped."""
    ch = Channel(dev, 0).enable()
    ch.outcome((BAD_CHAIN, REFUSED))
    ch.disable()
    ch.enable().outcome((nop(), DONE))


@both
def test_chain_over_the_wrap(dev):
    """A transaction may go around the end of the ring."""
    ch = Channel(dev, 0, log2=2).enable()
    ch.run(nop(), nop(), nop())
    ch.outcome((BAD_CHAIN, REFUSED), (nop(CHAIN), skipped(0)), (nop(), skipped(0)),
               (nop(), DONE))


@both
def test_skipped_interrupt(dev):
    """The INT of a skipped descriptor is honoured."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.outcome((BAD_CHAIN, REFUSED), (nop(), skipped(0)))
    dev.no_message(0, "no descriptor has INT")
    ch.outcome((BAD_CHAIN, REFUSED), (nop(CHAIN), skipped(0)), (nop(INT), skipped(0)))
    dev.wait_message(0)


# --- several channels ---------------------------------------------------------

@both
@device("channels=32")
def test_all_channels(dev):
    """32 channels, each with work, none disturbs another."""
    channels = [Channel(dev, n).enable() for n in range(32)]
    places = []
    for ch in channels:
        for n in range(8):
            data = pattern(1000 + n, ch.index * 8 + n)
            src, dst = dev.m.buffer(data, align=8), dev.m.alloc(len(data), align=8)
            ch.post(copy(src, dst, len(data)))
            places.append((dst, data))
    for ch in channels:
        ch.ring_bell()
    for ch in channels:
        ch.wait()
        all_ok(ch, 0, 8)
    for dst, data in places:
        require(dev.m.read(dst, len(data)) == data, f"data at {dst:#x} differs")


def test_fairness(dev):
    """Channels that can make progress are served in turn."""
    log2 = 14
    channels = [Channel(dev, n, log2).enable() for n in range(4)]
    for ch in channels:
        ch.set(HW.CH_TC_HOLD, 1)
        dev.m.write(ch.ring, nop() * (1 << log2))
        ch.set(HW.CH_DOORBELL, 1 << log2)
    dev.m.settle()
    dev.m.qtest.batch(ch.write_line(HW.CH_TC_HOLD, 0) for ch in channels)
    channels[0].wait(1 << log2)
    for ch in channels[1:]:
        require(ch.done() > 1 << (log2 - 1), f"channel {ch.index} has retired {ch.done()} of "
                f"{1 << log2} when channel 0 is through")
        ch.wait(1 << log2)


@device("channels=2,engines=1,sync=off")
def test_fairness_of_an_engine(dev):
    """A channel with little to do does not wait for one with much."""
    log2, length = 14, 1 << 18
    src, dst = dev.m.alloc(length), dev.m.alloc(length)
    busy = Channel(dev, 0, log2).enable()
    dev.m.write(busy.ring, copy(src, dst, length) * (1 << log2))
    busy.set(HW.CH_DOORBELL, 1 << log2)
    Channel(dev, 1).enable().works()
    # 4 GiB, some tenths of a second at the best: far more than a turn.
    require(busy.done() < 1 << log2, "the other channel had to wait for all of it")
    busy.disable()


@device("channels=4,engines=1,sync=off")
def test_held_occupies_no_engine(dev):
    """A held channel occupies no engine."""
    held = [Channel(dev, 0).enable(), Channel(dev, 1).enable(), Channel(dev, 2).enable()]
    dst = dev.m.alloc(64)
    held[0].submit(rx(dst, 64))
    held[1].submit(tx(dst, 64), rx(dst, 64))
    held[2].set(HW.CH_TC_HOLD, 1)
    held[2].submit(nop())
    held[0].wait()
    free = Channel(dev, 3).enable()
    for _ in range(20):
        free.works()
    expect((held[1].done(), held[2].done()), (1, 0), "done of those that are held")
