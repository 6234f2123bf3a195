# SPDX-License-Identifier: GPL-2.0-only
"""Stopping: disable, the resets, from every state."""

from qtest.lib import hw
from qtest.lib.dma import (CHAIN, DONE, INT, PENDING, Channel, copy, descriptor, nop, pattern, rx,
                           tx)
from qtest.lib.hw import HW
from qtest.lib.pci import CAP_MSIX
from qtest.lib.qemu import expect, require
from qtest.lib.reset import (RESETS, after_reset, channel_reset, device_reset, function_reset,
                             good_as_new)
from qtest.lib.suite import both, each


# --- states -------------------------------------------------------------------

def unused(dev, ch):
    del dev
    ch.set(HW.CH_CONTROL, 0)


def idle(dev, ch):
    del dev
    ch.run(nop(INT), nop())


def held(dev, ch):
    ch.set(HW.CH_TC_HOLD, 1)
    src = dev.m.buffer(pattern(64))
    ch.submit(copy(src, dev.m.alloc(64), 64), nop(), nop())
    dev.m.settle()


def fifo_empty(dev, ch):
    ch.submit(rx(dev.m.alloc(64), 64), nop())
    dev.m.settle()


def fifo_full(dev, ch):
    ch.submit(tx(dev.m.buffer(pattern(8192)), 8192, 0, 100), nop())
    dev.m.settle()


def skipping(dev, ch):
    del dev
    ch.run(descriptor(CHAIN))


def error(dev, ch):
    del dev
    ch.set(HW.CH_DOORBELL, 0x1000)
    ch.expect_error("DOORBELL")


STATES = [unused, idle, held, fifo_empty, fifo_full, skipping, error]


# --- resets -------------------------------------------------------------------


@both
@each("reset, state", {f"{reset.__name__}.{state.__name__}": (reset, state)
                       for reset in RESETS for state in STATES})
def test_reset_from(dev, reset, state):
    """A reset works in any state: all registers at reset, no memory touched after it."""
    channels = [Channel(dev, 0).enable(), Channel(dev, 3).enable()]
    for ch in channels:
        state(dev, ch)
        ch.set(HW.CH_TC_DROP_IRQ, 5)
        ch.set(HW.CH_TC_FAIL, 0x20005)
    reset(dev, channels)
    with dev.m.untouched("after the reset"):
        for ch in channels:
            after_reset(ch)
        expect(dev.read(HW.CHANNEL_ERRORS), 0, "CHANNEL_ERRORS")
        expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
        if reset is not channel_reset:
            expect(dev.read(HW.EVENT), 0, "EVENT")
            expect(dev.read(HW.CNT_INTERRUPTS), 0, "CNT_INTERRUPTS")
    for ch in channels:
        good_as_new(ch)


def test_device_reset_keeps(dev):
    """A device reset keeps configuration space, MSI-X table and BARs."""
    dev.use_msix()
    dev.write(HW.EVENT_VECTOR, 3)
    device_reset(dev, None)
    expect(dev.read(HW.EVENT_VECTOR), 0, "EVENT_VECTOR")
    expect(dev.config(dev.capability(CAP_MSIX) + 2, 2) >> 15, 1, "MSI-X enable")
    Channel(dev, 2).enable().run(nop(INT))
    dev.wait_message(2)


@both
def test_function_reset_interrupts(dev):
    """FLR resets the PCI configuration space: MSI-X is off after it, the line down."""
    dev.watch_line()
    dev.use_msix()
    dev.flr()
    expect(dev.config(dev.capability(CAP_MSIX) + 2, 2) >> 15, 0, "MSI-X enable")
    dev.setup()
    Channel(dev, 2).enable().run(nop(INT))
    dev.m.until(dev.line, "INTx")
    dev.flr()
    require(not dev.line(), "the line is up after the FLR")


@both
def test_function_reset_many(dev):
    """FLR is the way out of every state, again and again."""
    for _ in range(10):
        for index, state in enumerate(STATES):
            state(dev, Channel(dev, index).enable())
        function_reset(dev, None)
    Channel(dev, 0).enable().works()


# --- disable ------------------------------------------------------------------

@both
@each("state", {state.__name__: state for state in STATES})
def test_disable_from(dev, state):
    """DISABLED: the device touches no memory of the channel any more, and it works again."""
    ch = Channel(dev, 0).enable()
    state(dev, ch)
    ch.disable()
    ch.set(HW.CH_TC_HOLD, 0)
    with dev.m.untouched("after DISABLED"):
        expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS")
    ch.enable().works()


@both
def test_disable_keeps(dev):
    """Configuration registers, test controls and counters keep their values."""
    ch = Channel(dev, 0).enable()
    ch.works()
    ch.set(HW.CH_TC_DROP_IRQ, 7)
    names = hw.CH_CONFIG + hw.CH_COUNTERS + hw.CH_TEST
    before = [ch.get(getattr(HW, name)) for name in names]
    ch.disable()
    expect([ch.get(getattr(HW, name)) for name in names], before, "registers")


@both
def test_disable_leaves_others(dev):
    """Disabling or resetting a channel leaves the others alone."""
    channels = [Channel(dev, n).enable() for n in range(4)]
    for ch in channels:
        ch.set(HW.CH_TC_HOLD, 1)
        ch.submit(nop())
    channels[1].disable()
    channel_reset(dev, channels[2:3])
    for ch in (channels[0], channels[3]):
        ch.stuck(0, "held")
        ch.set(HW.CH_TC_HOLD, 0)
        ch.wait()
        ch.expect_results(0, DONE)
    for ch in channels[1:3]:
        expect(ch.done(), 0, "done")
        ch.expect_results(0, PENDING)


@both
def test_disable_counts(dev):
    """done counts what was retired before; one with a status was executed as it says."""
    ch = Channel(dev, 0, log2=8).enable()
    src, dst = dev.m.buffer(pattern(60000)), dev.m.alloc(60000)
    ch.post(*[copy(src, dst, 60000)] * 200)
    for _ in range(8):
        dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, 200)])
        ch.disable()
        done = ch.done()
        statuses = [ch.result(n).status for n in range(200)]
        require(all(status == HW.ST_OK for status in statuses[:done]), "done runs ahead")
        require(all(status in (HW.ST_OK, HW.ST_PENDING) for status in statuses), "statuses")
        ch.enable()
        ch.post(*[copy(src, dst, 60000)] * 200)


@both
def test_channel_counters(dev):
    """Channel counters are cleared by a channel reset, all by a device reset."""
    channels = [Channel(dev, n).enable() for n in (0, 1)]
    for ch in channels:
        ch.run(nop(INT))
    dev.m.settle()
    channel_reset(dev, channels[:1])
    expect([ch.get(HW.CH_CNT_DESCRIPTORS) for ch in channels], [0, 1], "CH_CNT_DESCRIPTORS")
    expect(dev.read(HW.CNT_INTERRUPTS), 2, "CNT_INTERRUPTS")
    device_reset(dev, None)
    expect(channels[1].get(HW.CH_CNT_DESCRIPTORS), 0, "CH_CNT_DESCRIPTORS")
    expect(dev.read(HW.CNT_INTERRUPTS), 0, "CNT_INTERRUPTS")
