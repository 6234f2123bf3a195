# SPDX-License-Identifier: GPL-2.0-only
"""COPY: the data, and memory that cannot be accessed."""

from qtest.lib.dma import (DONE, GUARD, Channel, Result, copy, nop, partly, pattern, refused, rx,
                           tx)
from qtest.lib.hw import HW
from qtest.lib.machine import NOT_RAM, ROM, UNASSIGNED
from qtest.lib.pci import BAR
from qtest.lib.qemu import HIGH, expect, require
from qtest.lib.suite import both, device, each


class Guarded:
    """Source and destination with bytes around them that must not change."""

    def __init__(self, dev, length, offset, seed):
        self.m = dev.m
        self.data = pattern(length, seed)
        self.src = dev.m.buffer(GUARD + bytes(offset) + self.data + GUARD) + 64 + offset
        self.dst = dev.m.buffer(GUARD + b"\xee" * length + GUARD, align=64) + 64

    def check(self, what):
        length = len(self.data)
        require(self.m.read(self.dst, length) == self.data, f"{what}: the data differs")
        require(self.m.read(self.src, length) == self.data, f"{what}: the source changed")
        for at in (self.dst - 64, self.dst + length, self.src + length):
            require(self.m.read(at, 64) == GUARD, f"{what}: guard at {at:#x} was hit")


def test_lengths(dev):
    """COPY: memory at src to memory at dst, any length, nothing beside it."""
    ch = Channel(dev, 0).enable()
    for length in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 127, 4095, 4096, 4097,
                   65535, 65536, 65537, 131072, 200001, 1 << 20, (1 << 20) + 1):
        made = Guarded(dev, length, 0, length)
        ch.outcome((copy(made.src, made.dst, length), DONE))
        made.check(f"{length} bytes")


def test_offsets(dev):
    """Without COPY_LIMITS.ALIGN any src and dst will do."""
    ch = Channel(dev, 0, log2=6).enable()
    for offset in range(9):
        made = [Guarded(dev, length, offset, length) for length in (1, 3, 8, 100, 4096, 70001)]
        ch.outcome(*((copy(one.src, one.dst, len(one.data)), DONE) for one in made))
        for one in made:
            one.check(f"{len(one.data)} bytes from offset {offset}")


def test_largest(dev):
    """MAX_LEN bytes in one descriptor."""
    Channel(dev, 0).enable().copies(pattern(dev.read(HW.MAX_LEN)))


def test_onto_itself(dev):
    """src equal to dst: the data stays as it is."""
    ch = Channel(dev, 0).enable()
    data = pattern(100000)
    src = dev.m.buffer(data)
    ch.outcome((copy(src, src, len(data)), DONE))
    require(dev.m.read(src, len(data)) == data, "the data differs")


def test_overlap(dev):
    """Overlapping buffers: undefined in the destination, nothing else is affected."""
    ch = Channel(dev, 0).enable()
    base = dev.m.buffer(pattern(300000))
    for src, dst in ((0, 1), (1, 0), (0, 70000), (70000, 0), (0, 199999)):
        ch.outcome((copy(base + 4096 + src, base + 4096 + dst, 200000), DONE))
    require(dev.m.read(base, 4096) == pattern(300000)[:4096], "bytes before were hit")
    ch.works()


@both
def test_in_order(dev):
    """Whatever descriptor c wrote to memory, c + 1 reads."""
    ch = Channel(dev, 0, log2=6).enable()
    data = pattern(3000)
    places = [dev.m.buffer(data), *(dev.m.alloc(3000) for _ in range(40))]
    ch.outcome(*((copy(src, dst, 3000), DONE) for src, dst in zip(places, places[1:])))
    require(dev.m.read(places[-1], 3000) == data, "the data differs")


@both
def test_descriptor_made_by_dma(dev):
    """A descriptor is read when it starts, or before: whole in either case."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    other = dev.m.buffer(copy(src, dst, 32))
    ch.post(copy(other, ch.slot(1), 48), copy(src, dst, 64))
    ch.ring_bell()
    ch.wait()
    ch.expect_results(0, DONE, DONE)
    got = dev.m.read(dst, 64)
    require(got in (pattern(64), pattern(64)[:32] + bytes(32)), "the data is of neither")


@both
def test_counters(dev):
    """CH_CNT_BYTES: bytes moved; CH_CNT_DESCRIPTORS: retired as executed."""
    ch = Channel(dev, 0).enable()
    for length in (1, 4096, 100000):
        ch.copies(pattern(length))
    expect(ch.get(HW.CH_CNT_BYTES_LO), 104097, "CH_CNT_BYTES_LO")
    expect(ch.get(HW.CH_CNT_BYTES_HI), 0, "CH_CNT_BYTES_HI")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 3, "CH_CNT_DESCRIPTORS")
    expect(Channel(dev, 1).get(HW.CH_CNT_DESCRIPTORS), 0, "of another channel")


def test_counter_carries(dev):
    """CH_CNT_BYTES is 64 bits wide."""
    ch = Channel(dev, 0, log2=11).enable()
    length = dev.read(HW.MAX_LEN)
    src = dev.m.alloc(length)
    count = (1 << 32) // length + 1
    ch.run(*[copy(src, src, length)] * count)
    total = count * length
    expect(ch.get(HW.CH_CNT_BYTES_HI), total >> 32, "CH_CNT_BYTES_HI")
    expect(ch.get(HW.CH_CNT_BYTES_LO), total & 0xffffffff, "CH_CNT_BYTES_LO")


# --- memory errors ------------------------------------------------------------

@both
@each("address", NOT_RAM)
def test_read_error(dev, address):
    """READ: memory at fault_addr could not be read, nothing is moved."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.buffer(GUARD)
    ch.outcome((copy(address, dst, 64), Result(HW.ST_READ, 64, address)),
               (copy(address + 4, dst, 1), Result(HW.ST_READ, 1, address + 4)))
    expect(dev.m.read(dst, 64), GUARD, "destination")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")
    ch.works()


@both
@each("address", NOT_RAM)
def test_write_error(dev, address):
    """WRITE: memory at fault_addr could not be written."""
    ch = Channel(dev, 0).enable()
    src = dev.m.buffer(GUARD)
    ch.outcome((copy(src, address, 64), Result(HW.ST_WRITE, 64, address)),
               (copy(src, address + 4, 1), Result(HW.ST_WRITE, 1, address + 4)))
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    ch.works()


@both
def test_rom(dev):
    """ROM can be read, a write to it fails."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(GUARD), dev.m.alloc(64)
    words = dev.m.qtest.command(f"read {ROM:#x} 64")
    ch.outcome((copy(ROM, dst, 64), DONE), (copy(src, ROM, 64), Result(HW.ST_WRITE, 64, ROM)))
    expect(dev.m.read(dst, 64).hex(), words[0][2:], "what was read")
    expect(dev.m.qtest.command(f"read {ROM:#x} 64"), words, "ROM")


@both
@each("good", {"page": 4096, "odd": 1001, "chunks": 300001})
def test_read_error_later(dev, good):
    """fault_addr is the first byte that could not be accessed; what counts was moved."""
    ch = Channel(dev, 0).enable()
    end = dev.m.size
    data = pattern(good)
    dev.m.write(end - good, data)
    dst = dev.m.buffer(b"\xee" * (good + 5000))
    moved = partly(ch, copy(end - good, dst, good + 5000), HW.ST_READ, good + 5000, end, good)
    require(dev.m.read(dst, moved) == data[:moved], "what was moved differs")
    require(dev.m.read(dst + good, 5000) == b"\xee" * 5000, "moved beyond the fault")


@both
@each("good", {"page": 4096, "odd": 1001, "chunks": 300001})
def test_write_error_later(dev, good):
    """The same for the destination."""
    ch = Channel(dev, 0).enable()
    end = dev.m.size
    data = pattern(good + 5000)
    src = dev.m.buffer(data)
    moved = partly(ch, copy(src, end - good, good + 5000), HW.ST_WRITE, good + 5000, end, good)
    require(dev.m.read(end - good, moved) == data[:moved], "what was moved differs")


@both
def test_both_sides(dev):
    """The side that fails first is reported; the source, if both do."""
    ch = Channel(dev, 0).enable()
    end = dev.m.size
    partly(ch, copy(end - 8192, end - 4096, 20000), HW.ST_WRITE, 20000, end, 4096)
    partly(ch, copy(end - 4096, end - 8192, 20000), HW.ST_READ, 20000, end, 4096)
    ch.outcome((copy(UNASSIGNED, BAR, 64), Result(HW.ST_READ, 64, UNASSIGNED)))


@device("addr-bits=40")
def test_address_width(dev):
    """An address at or above 2^ADDR_BITS cannot be accessed."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(GUARD), dev.m.alloc(64)
    for bit in range(40, 64):
        far = 1 << bit
        ch.outcome((copy(far | src, dst, 64), Result(HW.ST_READ, 64, far | src)),
                   (copy(src, far | dst, 64), Result(HW.ST_WRITE, 64, far | dst)),
                   (tx(far | src, 64), Result(HW.ST_READ, 64, far | src)))


@device("addr-bits=32", memory=5 * 1024)
def test_address_width_ram(dev):
    """The same where there is RAM behind, and for a buffer across the end."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.buffer(bytes(8192))
    ch.outcome((copy(HIGH, dst, 64), Result(HW.ST_READ, 64, HIGH)),
               (copy(dst, HIGH, 64), Result(HW.ST_WRITE, 64, HIGH)))
    partly(ch, copy(HIGH - 4096, dst, 8192), HW.ST_READ, 8192, HIGH, 4096)


@device("addr-bits=64")
def test_address_wrap(dev):
    """A buffer does not go on at address 0."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.alloc(4096)
    last = (1 << 64) - 16
    ch.outcome((copy(last, dst, 4096), Result(HW.ST_READ, 4096, last)),
               (copy(dst, last, 4096), Result(HW.ST_WRITE, 4096, last)))


@both
def test_bus_master_off(dev):
    """Every access while Bus Master Enable is clear fails: ERROR, FETCH."""
    ch = Channel(dev, 0).enable()
    ch.post(copy(ch.ring, ch.ring, 64))
    before = dev.m.read(ch.ring, HW.DESC_SIZE)
    dev.master(False)
    ch.ring_bell()
    ch.expect_error("FETCH")
    dev.m.settle()
    expect(dev.m.read(ch.ring, HW.DESC_SIZE), before, "descriptor")
    dev.master(True)
    ch.leave_error()
    ch.works()


@both
def test_bus_master_after_reset(dev):
    """FLR clears Bus Master Enable: nothing is accessed before it is set again."""
    dev.flr()
    dev.setup(master=False)
    ch = Channel(dev, 0).enable()
    ch.submit(nop())
    ch.expect_error("FETCH")
    dev.master(True)
    ch.leave_error()
    ch.works()


@both
def test_bus_master_off_in_flight(dev):
    """Clearing Bus Master Enable stops memory access; work runs into errors."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src = dev.m.buffer(pattern(10000))
    ch.submit(tx(src, 10000))
    dev.m.settle()
    dev.master(False)
    before = dev.m.read(ch.ring, HW.DESC_SIZE)
    # Its FIFO is emptied: the sender may go on, and cannot.
    peer.disable()
    ch.expect_error("WRITEBACK")
    expect(dev.m.read(ch.ring, HW.DESC_SIZE), before, "descriptor")
    expect(ch.done(), 0, "done")
    dev.master(True)
    ch.leave_error()
    ch.works()


@both
def test_periph_errors(dev):
    """TX: what counts as moved has entered the FIFO. RX: has left it."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    end = dev.m.size
    data = pattern(100)
    dev.m.write(end - 100, data)
    dst = dev.m.alloc(4096)
    moved = partly(ch, tx(end - 100, 164, burst=4), HW.ST_READ, 164, end, 100)
    if moved:
        peer.outcome((rx(dst, moved), DONE))
        expect(dev.m.read(dst, moved), data[:moved], "data in the FIFO")
    peer.submit(rx(dst, 1))
    peer.stuck(1 if moved else 0, "FIFO empty")
    ch.outcome((tx(end - 100, 100), DONE), (tx(end - 64, 64), DONE))
    peer.wait()
    moved = partly(peer, rx(end - 50, 150, burst=10), HW.ST_WRITE, 150, end, 50)
    expect(dev.m.read(end - 50, moved), (data[1:] + data[36:])[:moved], "data received")


def test_status_not_in_use(dev):
    """Residue is len, and fault_addr 0, for a descriptor refused by a check."""
    ch = Channel(dev, 0).enable()
    ch.outcome((copy(UNASSIGNED, BAR, 0), refused(HW.ST_LENGTH, 0)),
               (copy(UNASSIGNED, BAR, 0xffffffff), refused(HW.ST_LENGTH, 0xffffffff)))
