# SPDX-License-Identifier: GPL-2.0-only
"""Channel states: enabling, doorbell, channel errors."""

from qtest.lib.dma import DONE, INT, Channel, copy, nop, pattern
from qtest.lib.hw import HW, ONES
from qtest.lib.machine import UNASSIGNED
from qtest.lib.pci import BAR
from qtest.lib.qemu import HIGH, MIB, expect, require
from qtest.lib.suite import both, device, each

ROM = 0xfffff000


def test_enable(dev):
    """ENABLE 0 to 1 with a good configuration: RUNNING, nothing touched, all counts 0."""
    ch = Channel(dev, 0)
    ch.m.write(ch.comp, b"\xa5" * HW.COMP_SIZE)
    ch.m.write(ch.ring, b"\xa5" * (HW.DESC_SIZE << ch.log2))
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    expect(ch.get(HW.CH_STATUS), HW.STATE_RUNNING, "CH_STATUS")
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE, "CH_CONTROL")
    dev.m.settle()
    expect(ch.m.read(ch.comp, HW.COMP_SIZE), b"\xa5" * HW.COMP_SIZE, "completion record")
    require(ch.m.read(ch.ring, HW.DESC_SIZE) == b"\xa5" * HW.DESC_SIZE, "ring was written")
    expect(dev.read(HW.EVENT), 0, "EVENT")


def test_enable_again(dev):
    """Writing the value that ENABLE has does nothing."""
    ch = Channel(dev, 0).enable()
    ch.run(nop(), nop(), nop())
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    expect(ch.state(), HW.STATE_RUNNING, "state")
    ch.works()
    ch.disable()
    ch.set(HW.CH_CONTROL, 0)
    expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS")


@both
def test_enable_anew(dev):
    """Enabling sets all counts to 0; configuration registers keep their values."""
    ch = Channel(dev, 0).enable()
    ch.run(*[nop()] * 7)
    ch.disable()
    expect(ch.get(HW.CH_RING_LO), ch.ring & ONES, "CH_RING_LO")
    expect(ch.get(HW.CH_RING_SIZE), ch.log2, "CH_RING_SIZE")
    expect(ch.get(HW.CH_COMP_LO), ch.comp & ONES, "CH_COMP_LO")
    ch.m.write(ch.comp, bytes(HW.COMP_SIZE))
    ch.head = 0
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.outcome((nop(), DONE))
    expect(ch.done(), 1, "done")


BAD = {
    "ring_unaligned": {"CH_RING_LO": lambda ch: ch.ring + 32},
    "ring_odd": {"CH_RING_LO": lambda ch: ch.ring + 1},
    "size_zero": {"CH_RING_SIZE": lambda ch: 0},
    "size_large": {"CH_RING_SIZE": lambda ch: 11},
    "size_huge": {"CH_RING_SIZE": lambda ch: 0x104},
    "size_ones": {"CH_RING_SIZE": lambda ch: ONES},
    "comp_unaligned": {"CH_COMP_LO": lambda ch: ch.comp + 64},
    "comp_odd": {"CH_COMP_LO": lambda ch: ch.comp + 2},
    "vector": {"CH_VECTOR": lambda ch: 5},
    "vector_ones": {"CH_VECTOR": lambda ch: ONES},
    "ring_high": {"CH_RING_HI": lambda ch: 1 << 8},
    "ring_far": {"CH_RING_HI": lambda ch: ONES},
    "ring_end": {"CH_RING_HI": lambda ch: 0xff, "CH_RING_LO": lambda ch: -0x3c0 & ONES},
    "comp_high": {"CH_COMP_HI": lambda ch: 1 << 8},
    "comp_far": {"CH_COMP_HI": lambda ch: 0x80000000},
}


@device("channels=4,ring-max=1024,addr-bits=40")
@each("bad", {name: bad for name, bad in BAD.items()})
def test_enable_bad(dev, bad):
    """Enabling with an unusable configuration: ERROR, CONFIG; left by ENABLE = 0."""
    ch = Channel(dev, 2)
    ch.configure()
    for name, value in bad.items():
        ch.set(getattr(HW, name), value(ch))
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.expect_error("CONFIG")
    expect(dev.read(HW.CHANNEL_ERRORS), 1 << 2, "CHANNEL_ERRORS")
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE, "CH_CONTROL in ERROR")
    ch.leave_error()
    ch.works()


@device("addr-bits=40")
@each("name, offset", {"ring_last": ("CH_RING", -0x400), "comp_last": ("CH_COMP", -0x80)})
def test_enable_at_the_end(dev, name, offset):
    """All of the ring and the record must lie below 2^ADDR_BITS, and may end there."""
    ch = Channel(dev, 0)
    ch.configure()
    ch.set(getattr(HW, name + "_LO"), offset & ONES)
    ch.set(getattr(HW, name + "_HI"), 0xff)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    expect(ch.get(HW.CH_STATUS), HW.STATE_RUNNING, "CH_STATUS")


@device("addr-bits=64")
def test_enable_wraps(dev):
    """A ring that goes on at address 0 does not lie below 2^ADDR_BITS."""
    ch = Channel(dev, 0)
    ch.configure()
    ch.set(HW.CH_RING_LO, -0x3c0 & ONES)
    ch.set(HW.CH_RING_HI, ONES)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.expect_error("CONFIG")


def enter_error(ch):
    ch.set(HW.CH_DOORBELL, ch.head + 1000)
    ch.expect_error("DOORBELL")


@both
@each("leave", {"enable_0": lambda ch: ch.set(HW.CH_CONTROL, 0),
                "channel_reset": lambda ch: ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET),
                "device_reset": lambda ch: ch.dev.write(HW.CONTROL, HW.CONTROL_RESET)})
def test_error_left(dev, leave):
    """ERROR is left by ENABLE = 0 or a reset; both clear STATUS.ERROR and CHANNEL_ERRORS."""
    ch, other = Channel(dev, 0).enable(), Channel(dev, 5).enable()
    enter_error(ch)
    enter_error(other)
    expect(dev.read(HW.CHANNEL_ERRORS), 1 << 5 | 1, "CHANNEL_ERRORS")
    leave(ch)
    dev.m.until(lambda: ch.get(HW.CH_STATUS) == 0, "DISABLED")
    expect(dev.read(HW.CHANNEL_ERRORS) & 1, 0, "CHANNEL_ERRORS")
    ch.enable().works()


@both
def test_error_stays(dev):
    """In ERROR, ENABLE = 1, doorbell and abort do nothing; EVENT stays until W1C."""
    ch = Channel(dev, 0).enable()
    enter_error(ch)
    status = ch.get(HW.CH_STATUS)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.post(nop())
    with dev.guest_error("doorbell in ERROR"):
        ch.ring_bell()
    with dev.guest_error("abort in ERROR"):
        ch.set(HW.CH_ABORT, 0)
    dev.m.settle()
    expect(ch.get(HW.CH_STATUS), status, "CH_STATUS")
    expect(ch.done(), 0, "done")
    ch.disable()
    expect(dev.read(HW.EVENT), HW.EVENT_CHANNEL_ERROR, "EVENT")
    dev.write(HW.EVENT, HW.EVENT_CHANNEL_ERROR)
    expect(dev.read(HW.EVENT), 0, "EVENT")


@both
def test_error_stops_work(dev):
    """On ERROR the channel is stopped: nothing of its memory is touched any more."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    first = ch.submit(nop(), nop())
    dev.m.settle()
    enter_error(ch)
    ch.set(HW.CH_TC_HOLD, 0)
    dev.m.settle()
    expect(ch.done(), 0, "done")
    expect(ch.result(first).status, HW.ST_PENDING, "status")


def test_reset_wins(dev):
    """ENABLE of the same write as RESET is taken as 0."""
    ch = Channel(dev, 0)
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE | HW.CH_CONTROL_RESET)
    dev.m.until(lambda: not ch.get(HW.CH_CONTROL), "end of the reset")
    expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS")
    expect(ch.get(HW.CH_RING_LO), 0, "CH_RING_LO")


# --- doorbell -----------------------------------------------------------------

def test_doorbell_disabled(dev):
    """Doorbell and abort writes in DISABLED are ignored and guest errors."""
    ch = Channel(dev, 0)
    ch.configure()
    ch.post(nop())
    with dev.guest_error("doorbell in DISABLED"):
        ch.ring_bell()
    with dev.guest_error("abort in DISABLED"):
        ch.set(HW.CH_ABORT, 0)
    expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS")
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.stuck(0, "after a doorbell while disabled")
    expect(ch.get(HW.CH_CNT_DOORBELLS), 0, "CH_CNT_DOORBELLS")


@both
def test_doorbell_equal(dev):
    """If the doorbell value equals tail nothing happens."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_DOORBELL, 0)
    ch.stuck(0, "doorbell 0")
    ch.run(nop(), nop())
    ch.post(nop())
    ch.set(HW.CH_DOORBELL, 2)
    ch.stuck(2, "doorbell 2 again")


@both
@each("value, before",
      {"beyond": (5, 0), "far": (0x80000000, 0), "backwards": (-1, 2), "one_behind": (1, 2)})
def test_doorbell_bad(dev, value, before):
    """A doorbell value backwards or beyond the ring: ERROR, DOORBELL."""
    ch = Channel(dev, 0, log2=2).enable()
    if before:
        ch.run(*[nop()] * before)
    with dev.guest_error("bad doorbell"):
        ch.set(HW.CH_DOORBELL, value & ONES)
    ch.expect_error("DOORBELL")
    ch.leave_error()
    ch.works()


@both
def test_doorbell_full(dev):
    """All slots can be in use; one more than is free is beyond the ring."""
    ch = Channel(dev, 0, log2=2).enable()
    ch.run(nop(), nop(), nop())
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 4)
    ch.stuck(3, "held")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 4)
    dev.m.settle()
    ch.set(HW.CH_DOORBELL, ch.head + 1)
    ch.expect_error("DOORBELL")


@both
def test_doorbell_backwards_full(dev):
    """A doorbell may not go back, even when the count is within the ring."""
    ch = Channel(dev, 0, log2=4).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 8)
    dev.m.settle()
    ch.set(HW.CH_DOORBELL, 4)
    ch.expect_error("DOORBELL")


@both
def test_doorbell_many(dev):
    """One doorbell may reveal any number; several doorbells go on from each other."""
    ch = Channel(dev, 0).enable()
    for count in (1, 16, 7, 2):
        ch.run(*[nop()] * count)
    for _ in range(5):
        ch.post(nop())
        ch.ring_bell()
    ch.wait()
    expect(ch.get(HW.CH_CNT_DOORBELLS), 9, "CH_CNT_DOORBELLS")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 31, "CH_CNT_DESCRIPTORS")


# --- ring and record not accessible -------------------------------------------

@both
@each("ring", {"unassigned": UNASSIGNED, "own_bar": BAR, "ioapic": 0xfec00000, "far": 1 << 51})
def test_fetch(dev, ring):
    """A descriptor that could not be read: ERROR, FETCH."""
    ch = Channel(dev, 0).enable()
    ch.disable()
    good, ch.ring = ch.ring, ring
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.set(HW.CH_DOORBELL, 1)
    ch.expect_error("FETCH")
    ch.ring = good
    ch.leave_error()
    ch.works()


@both
def test_fetch_end(dev):
    """A ring that runs out of RAM half-way: what comes before is executed, then FETCH."""
    ch = Channel(dev, 0)
    ch.ring = dev.m.size - 2 * HW.DESC_SIZE
    ch.enable()
    ch.submit(nop(), nop())
    ch.wait()
    ch.set(HW.CH_DOORBELL, 3)
    ch.expect_error("FETCH")
    expect(ch.done(), 2, "done")


@both
def test_fetch_end_at_once(dev):
    """The same with one doorbell for what is there and what is not."""
    ch = Channel(dev, 0)
    ch.ring = dev.m.size - 2 * HW.DESC_SIZE
    ch.enable()
    ch.post(nop(), nop())
    ch.set(HW.CH_DOORBELL, 4)
    ch.expect_error("FETCH")
    expect(ch.done(), 2, "done")
    ch.expect_results(0, DONE, DONE)


@both
@each("comp", {"unassigned": UNASSIGNED, "own_bar": BAR + HW.MSIX_TABLE, "rom": ROM,
               "hpet": 0xfed00000})
def test_writeback_done(dev, comp):
    """A done count that could not be written: ERROR, WRITEBACK."""
    ch = Channel(dev, 0)
    good, ch.comp = ch.comp, comp
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.submit(nop())
    ch.expect_error("WRITEBACK")
    ch.comp = good
    ch.leave_error()
    ch.works()


@both
def test_writeback_status(dev):
    """A status that could not be written (a ring in ROM): ERROR, WRITEBACK."""
    ch = Channel(dev, 0)
    ch.ring = ROM
    ch.enable()
    ch.set(HW.CH_DOORBELL, 1)
    ch.expect_error("WRITEBACK")


@both
def test_errors_are_alone(dev):
    """A channel in ERROR leaves the others alone."""
    ch, other = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    enter_error(ch)
    for _ in range(3):
        other.works()
    expect(dev.read(HW.CHANNEL_ERRORS), 1, "CHANNEL_ERRORS")


# --- where rings may be -------------------------------------------------------

@device(memory=5 * 1024)
def test_above_4g(dev):
    """CH_RING_HI, CH_COMP_HI, 64-bit src and dst: all of it above 4 GiB."""
    ch = Channel(dev, 0, high=True).enable()
    require(ch.ring >= HIGH and ch.comp >= HIGH, "not high")
    ch.copies(pattern(100000), high=True)
    low = dev.m.buffer(pattern(5000, 1))
    high = dev.m.alloc(5000, high=True)
    back = dev.m.alloc(5000)
    ch.outcome((copy(low, high, 5000), DONE), (copy(high, back, 5000, INT), DONE))
    require(dev.m.read(back, 5000) == pattern(5000, 1), "the data differs")


@device(memory=5 * 1024)
def test_above_4g_far(dev):
    """The last bytes of RAM, far above 4 GiB, can be source and destination."""
    ch = Channel(dev, 0).enable()
    end = HIGH + dev.m.size - dev.m.low
    data = pattern(MIB)
    dev.m.write(end - 2 * MIB, data)
    ch.outcome((copy(end - 2 * MIB, end - MIB, MIB), DONE))
    require(dev.m.read(end - MIB, MIB) == data, "the data differs")
