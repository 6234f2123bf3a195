# SPDX-License-Identifier: GPL-2.0-only
"""What holds for each register of a channel that is written and read back."""

from qtest.lib import migration
from qtest.lib.dma import Channel
from qtest.lib.hw import HW, ONES
from qtest.lib.migration import MEMORY, receive
from qtest.lib.qemu import expect, require
from qtest.lib.registers import REGISTERS, field
from qtest.lib.reset import RESETS
from qtest.lib.suite import device, each


def in_error(ch):
    ch.set(HW.CH_DOORBELL, 1000)
    ch.expect_error("DOORBELL")


# How a channel comes to each from the one before.
STATES = {"DISABLED": Channel.disable, "RUNNING": Channel.enable, "ERROR": in_error}


@device("channels=4")
@each("name", {name: name for name in REGISTERS})
def test_values(dev, name):
    """RW: reads return what was written, each channel its own, in any state."""
    register = getattr(HW, name)
    values = (0, *REGISTERS[name].good)
    channels = [Channel(dev, index) for index in range(4)]
    for state, enter in STATES.items():
        for ch in channels:
            enter(ch)
        for shift in range(4):
            written = [values[(ch.index + shift) % len(values)] for ch in channels]
            for ch, value in zip(channels, written):
                ch.set(register, value)
            for ch, value in zip(channels, written):
                expect(ch.get(register), value, f"{name} of channel {ch.index}, {state}")
        for ch in channels:
            ch.set(register, 0)
    for ch in channels:
        ch.leave_error()
        ch.works()


@each("name", {name: name for name, one in REGISTERS.items() if one.bad or one.ignored})
def test_bad(dev, name):
    """Reserved bits and values that there are not: a guest error; what is good is taken."""
    ch, register, one = Channel(dev, 0), getattr(HW, name), REGISTERS[name]
    tries = [(0, *pair) for pair in one.bad.items()]
    tries += [(value, bad, value) for value in (0, *one.good) for bad in one.ignored]
    for before, bad, after in tries:
        ch.set(register, before)
        with dev.guest_error(f"{name} {bad:#x}"):
            ch.set(register, bad)
        expect(ch.get(register), after, f"{name} after {bad:#x}")


@each("name", {name: name for name in REGISTERS})
def test_absent(bench, name):
    """Without its capability a register reads 0 and ignores writes."""
    one = REGISTERS[name]
    dev = bench.device(one.mask)
    require(not dev.read(HW.CAPS) & one.caps, "the bit in CAPS is set")
    ch = Channel(dev, 0).enable()
    with dev.no_guest_error(name):
        ch.set(getattr(HW, name), ONES)
        expect(ch.get(getattr(HW, name)), 0, name)
    ch.works()


@each("reset", {reset.__name__: reset for reset in RESETS})
def test_reset(dev, reset):
    """Disabling a channel leaves them all; a reset clears each."""
    ch = Channel(dev, 0)
    for name, one in REGISTERS.items():
        register = getattr(HW, name)
        ch.enable()
        ch.set(register, one.good[-1])
        ch.disable()
        expect(ch.get(register), one.good[-1], f"{name}, disabled")
        reset(dev, [ch])
        expect(ch.get(register), 0, f"{name}, reset")
    ch.enable().works()


@each("name", {name: name for name in REGISTERS})
def test_migrated_without(bench, name):
    """A stream with what the device does not have is refused."""
    one = REGISTERS[name]
    properties = f"channels=2,{one.mask}"
    dev = bench.device(properties, memory=MEMORY)
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set(f"ch[1].{field(name)}", one.good[-1]).save(bench.directory / "damaged")
    receive(bench, "damaged", properties).refuses()
