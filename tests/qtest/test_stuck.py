# SPDX-License-Identifier: GPL-2.0-only
"""CH_TC_STUCK: channels that do not do what they are told."""

from qtest.lib import migration
from qtest.lib.dma import DONE, INT, PENDING, Channel, Pair, copy, nop, pattern, refused, rx, tx
from qtest.lib.hw import HW
from qtest.lib.migration import MEMORY, begin, migrate, receive
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import (after_reset, channel_reset, device_reset, function_reset,
                             good_as_new, system_reset)
from qtest.lib.suite import BOTH, MODES, SYNC, both, each

WORK, STOP, RESET, DEVICE = range(1, 5)
STOPPING = HW.STATE_STOPPING


def by_register(ch, level):
    ch.set(HW.CH_TC_STUCK, level)


def by_host(ch, level):
    ch.m.qmp.command("qom-set", path="/machine/peripheral/dma",
                     property=f"stuck[{ch.index}]", value=level)


def stuck_at(dev, level, index=0):
    """A channel that is, with descriptors to execute."""
    ch = Channel(dev, index).enable()
    ch.set(HW.CH_TC_STUCK, level)
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    ch.submit(copy(src, dst, 64, INT), nop())
    return ch


def still(ch, state=STOPPING, control=0):
    """It remains in this state, and nothing is touched."""
    with ch.m.untouched("while stuck"):
        ch.m.settle()
        expect(ch.get(HW.CH_STATUS), state, "CH_STATUS")
        expect(ch.get(HW.CH_CONTROL), control, "CH_CONTROL")


# --- levels -------------------------------------------------------------------


@each("mode, extra, level", {f"{name}.{level}": (*mode, level) for name, mode in MODES.items()
                             for level in range(WORK, DEVICE + 1)})
def test_work(bench, mode, extra, level):
    """It executes nothing, nor does an abort have an effect; at 0 what has waited goes on."""
    dev = bench.device("engines=1", mode, extra=extra)
    other = Channel(dev, 1).enable()
    ch = stuck_at(dev, level)
    still(ch, HW.STATE_RUNNING, HW.CH_CONTROL_ENABLE)
    other.works()
    ch.set(HW.CH_TC_STUCK, 0)
    ch.wait()
    ch.expect_results(0, DONE, DONE)
    ch.set(HW.CH_TC_STUCK, level)
    first = ch.submit(*[nop()] * 3)
    ch.set(HW.CH_ABORT, first + 2)
    still(ch, HW.STATE_RUNNING, HW.CH_CONTROL_ENABLE)
    ch.set(HW.CH_TC_STUCK, 0)
    ch.wait()
    ch.expect_results(first, refused(HW.ST_ABORTED, 0), refused(HW.ST_ABORTED, 0), DONE)


@both
def test_work_in_progress(dev):
    """The descriptor in progress is cut, without a status, and goes on where it was."""
    pair = Pair(dev)
    src, dst = pair.source(8000), dev.m.alloc(8000)
    pair.a.submit(tx(src, 8000, 0, 10))
    pair.a.fills(pair.b, 4090)
    pair.a.set(HW.CH_TC_STUCK, WORK)
    pair.b.outcome((rx(dst, 4090), DONE))
    still(pair.a, HW.STATE_RUNNING, HW.CH_CONTROL_ENABLE)
    expect(pair.a.result(0), PENDING, "status")
    pair.a.set(HW.CH_TC_STUCK, 0)
    pair.b.outcome((rx(dst + 4090, 3910), DONE))
    pair.a.wait()
    pair.received(dst, 8000)


@each("mode, extra", {name: MODES[name] for name in ("async", "iommu")})
def test_work_while_copying(bench, mode, extra):
    """Once the level is written the device touches no memory, whatever it was doing."""
    dev = bench.device("engines=2,max-len=4M", mode, extra=extra)
    ch = Channel(dev, 0, log2=8).enable()
    src, dst = dev.m.buffer(pattern(4 * MIB)), dev.m.alloc(4 * MIB)
    for n in range(20):
        ch.submit(*[copy(src, dst, 4 * MIB)] * 20)
        if n % 2:
            dev.m.until(lambda: ch.progress() != (0, 0), "progress")
        ch.set(HW.CH_TC_STUCK, WORK)
        still(ch, HW.STATE_RUNNING, HW.CH_CONTROL_ENABLE)
        ch.set(HW.CH_ABORT, ch.head)
        ch.set(HW.CH_TC_STUCK, 0)
        ch.wait()


@both
def test_work_goes_on_otherwise(dev):
    """Pausing works, doorbells are accepted, a bad one is an ERROR."""
    ch = stuck_at(dev, DEVICE)
    ch.pause()
    ch.go_on()
    ch.pause()
    ch.set(HW.CH_TC_STUCK, 0)
    dev.m.settle()
    expect(ch.done(), 0, "done while paused")
    ch.go_on()
    ch.wait()
    ch.set(HW.CH_TC_STUCK, DEVICE)
    ch.set(HW.CH_DOORBELL, 1000)
    ch.expect_error("DOORBELL")
    # It has stopped by itself already.
    ch.leave_error()
    ch.set(HW.CH_TC_STUCK, 0)
    ch.works()


@both
@each("level", {"work": WORK, "stop": STOP, "reset": RESET, "device": DEVICE})
def test_disable(dev, level):
    """From STOP on it is not DISABLED when it is told to, but at 0; nothing was done."""
    ch = stuck_at(dev, level)
    ch.set(HW.CH_CONTROL, 0)
    if level > WORK:
        still(ch)
        for offset in (HW.CH_RING_LO, HW.CH_VECTOR):
            before = ch.get(offset)
            with dev.guest_error("configuration written while STOPPING"):
                ch.set(offset, before ^ 0x40)
            expect(ch.get(offset), before, "configuration")
        with dev.guest_error("enabled while STOPPING"):
            ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
        with dev.guest_error("doorbell while STOPPING"):
            ch.set(HW.CH_DOORBELL, 2)
        with dev.guest_error("abort while STOPPING"):
            ch.set(HW.CH_ABORT, 2)
        still(ch)
        ch.set(HW.CH_TC_STUCK, 0)
    expect(ch.get(HW.CH_STATUS), HW.STATE_DISABLED, "CH_STATUS")
    ch.set(HW.CH_TC_STUCK, 0)
    expect((ch.done(), ch.result(0)), (0, PENDING), "done and status")
    good_as_new(ch)


@both
def test_disable_empties(dev):
    """The FIFO is empty when it is DISABLED, whatever was sent while it was STOPPING."""
    pair = Pair(dev)
    pair.b.set(HW.CH_TC_STUCK, STOP)
    pair.a.run(tx(pair.source(100), 100))
    pair.b.set(HW.CH_CONTROL, 0)
    pair.a.run(tx(pair.source(100), 100))
    pair.b.set(HW.CH_TC_STUCK, WORK)
    expect(pair.b.get(HW.CH_STATUS), HW.STATE_DISABLED, "CH_STATUS")
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL")


@both
@each("level, ends", {"work": (WORK, True), "stop": (STOP, True), "reset": (RESET, False),
                      "device": (DEVICE, False)})
def test_reset_channel(dev, level, ends):
    """A channel reset helps up to STOP, and clears the level; from RESET on it does not end."""
    ch = stuck_at(dev, level)
    ch.set(HW.CH_CONTROL, 0)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    if not ends:
        still(ch, STOPPING, HW.CH_CONTROL_RESET)
        for control in (HW.CH_CONTROL_ENABLE, 0, HW.CH_CONTROL_RESET):
            ch.set(HW.CH_CONTROL, control)
            still(ch, STOPPING, HW.CH_CONTROL_RESET)
        # What is written amid a reset is gone with it.
        ch.set(HW.CH_TC_DELAY, 5)
        ch.set(HW.CH_RATE, 5)
        ch.set(HW.CH_TC_STUCK, RESET)
        still(ch, STOPPING, HW.CH_CONTROL_RESET)
        ch.set(HW.CH_TC_STUCK, STOP)
    after_reset(ch)
    good_as_new(ch)


@both
@each("level, ends", {"reset": (RESET, True), "device": (DEVICE, False)})
def test_reset_device(dev, level, ends):
    """A device reset helps up to RESET; at DEVICE it does not end, and nothing is touched."""
    dev.watch_line()
    other = Channel(dev, 2).enable()
    other.run(nop(INT))
    ch = stuck_at(dev, level)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    other.submit(rx(dev.m.alloc(64), 64))
    dev.write(HW.CONTROL, HW.CONTROL_RESET)
    if not ends:
        with dev.m.untouched("amid the reset"):
            for _ in range(2):
                expect(dev.read(HW.CONTROL), HW.CONTROL_RESET, "CONTROL")
                dev.write(HW.CONTROL, HW.CONTROL_RESET)
            expect(ch.state(), STOPPING, "state")
            require(not dev.line(), "the line is up")
            for one in (ch, other):
                one.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
                one.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
            dev.write(HW.EVENT_VECTOR, 2)
            require(other.state() != HW.STATE_RUNNING, "enabled amid a reset")
        ch.set(HW.CH_TC_STUCK, 0)
    expect(dev.read(HW.CONTROL), 0, "CONTROL")
    expect(dev.read(HW.EVENT_VECTOR), 0, "EVENT_VECTOR")
    for one in (ch, other):
        after_reset(one)
        good_as_new(one)


@both
def test_reset_device_of_two(dev):
    """The reset ends when no channel holds it any more."""
    channels = [stuck_at(dev, DEVICE, index) for index in (0, 2, 3)]
    dev.write(HW.CONTROL, HW.CONTROL_RESET)
    for ch, level in zip(channels, (WORK, RESET, STOP)):
        expect(dev.read(HW.CONTROL), HW.CONTROL_RESET, "CONTROL")
        ch.set(HW.CH_TC_STUCK, level)
    expect(dev.read(HW.CONTROL), 0, "CONTROL")
    for ch in channels:
        after_reset(ch)
        ch.enable().works()


WAITS = {
    "running": lambda dev, ch: None,
    "stopping": lambda dev, ch: ch.set(HW.CH_CONTROL, 0),
    "reset": lambda dev, ch: ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET),
    "device": lambda dev, ch: dev.write(HW.CONTROL, HW.CONTROL_RESET),
}


@both
@each("reset, wait",
      {f"{reset.__name__}.{name}": (reset, wait)
       for reset in (function_reset, system_reset) for name, wait in WAITS.items()})
def test_reset_function(dev, reset, wait):
    """Function-level reset and a reset of the bus always help."""
    ch = stuck_at(dev, DEVICE)
    wait(dev, ch)
    reset(dev, None)
    expect(dev.read(HW.CONTROL), 0, "CONTROL")
    after_reset(ch)
    good_as_new(ch)


@both
@each("by, wait", {f"{by.__name__}.{name}": (by, wait)
                   for by in (by_register, by_host) for name, wait in WAITS.items()})
def test_ends_later(dev, by, wait):
    """When 0 is written, by the driver or the host, what waits goes on, or ends."""
    ch = Channel(dev, 0).enable()
    by(ch, DEVICE)
    ch.submit(nop())
    wait(dev, ch)
    before = ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), dev.read(HW.CONTROL)
    dev.m.settle()
    expect((ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), dev.read(HW.CONTROL)), before,
           "CH_STATUS, CH_CONTROL, CONTROL")
    by(ch, 0)
    if ch.state() == HW.STATE_RUNNING:
        ch.wait()
    else:
        expect((ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), dev.read(HW.CONTROL)), (0, 0, 0),
               "CH_STATUS, CH_CONTROL, CONTROL")
    channel_reset(dev, [ch])
    device_reset(dev, None)
    good_as_new(ch)


# --- migration ----------------------------------------------------------------

@each("mode, waits",
      {f"{name}.{waits}": (mode, waits) for name, mode in BOTH.items()
       for waits in WAITS})
def test_migrated(bench, mode, waits):
    """Migration: a channel stays stuck, in the state that it is in, and comes free."""
    dev = begin(bench, mode=mode)
    ch = stuck_at(dev, DEVICE)
    WAITS[waits](dev, ch)
    before = ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), dev.read(HW.CONTROL)
    there = migrate(bench, dev, mode=mode)
    ch = ch.moved_to(there)
    with there.m.untouched("while stuck"):
        there.m.settle()
        expect((ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), there.read(HW.CONTROL)), before,
               "CH_STATUS, CH_CONTROL, CONTROL")
    ch.set(HW.CH_TC_STUCK, 0)
    if waits == "running":
        ch.wait()
        ch.expect_results(0, DONE, DONE)
    else:
        expect((ch.get(HW.CH_STATUS), ch.get(HW.CH_CONTROL), there.read(HW.CONTROL)), (0, 0, 0),
               "CH_STATUS, CH_CONTROL, CONTROL")
        ch.enable().works()


DAMAGE = {
    "stopping_free": ("stopping", "ch[0].stuck", WORK),
    "stopping_enabled": ("stopping", "ch[0].enabled", 1),
    "stopping_error": ("stopping", "ch[0].error", 1),
    "stopping_paused": ("stopping", "ch[0].paused", 1),
    "stopping_carried": ("stopping", "ch[0].carried", 1),
    "reset_free": ("reset", "ch[0].stuck", STOP),
    "reset_disabled": ("reset", "ch[0].state", HW.STATE_DISABLED),
    "device_free": ("device", "ch[0].stuck", RESET),
    "gone": ("stopping", "gone", 1),
}


@each("waits, field, value", DAMAGE)
def test_migrated_badly(bench, waits, field, value):
    """A stream with a channel that waits for what does not hold it is refused."""
    dev = begin(bench, "channels=2")
    WAITS[waits](dev, stuck_at(dev, DEVICE))
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set(field, value).save(bench.directory / "damaged")
    message = receive(bench, "damaged").refuses()
    require("loopdma" in message, f"the message does not name the device: {message}")


def test_migrated_without(bench):
    """A stream of a device that is gone is refused by one that cannot be."""
    properties = f"channels=2,x-caps-mask={HW.CAPS_FAULTS}"
    dev = bench.device(properties, SYNC, memory=MEMORY)
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set("gone", 1).save(bench.directory / "damaged")
    receive(bench, "damaged", properties).refuses()
