# SPDX-License-Identifier: GPL-2.0-only
"""FILL."""

from qtest.lib.dma import (CHAIN, DONE, GUARD, INT, Channel, Result, copy, descriptor, fill, nop,
                           partly, pattern, refused)
from qtest.lib.hw import HW
from qtest.lib.machine import NOT_RAM, ROM
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, both, device, each

MAX_LEN = 100000


class Guarded:
    """A destination with bytes around it that must not change."""

    def __init__(self, dev, length, offset=0):
        self.m = dev.m
        self.length = length
        self.dst = dev.m.buffer(GUARD + bytes(offset) + pattern(length) + GUARD) + 64 + offset

    def check(self, byte):
        require(self.m.read(self.dst, self.length) == bytes([byte]) * self.length,
                f"{self.length} bytes were not filled with {byte:#x}")
        expect(self.m.read(self.dst + self.length, 64), GUARD, "bytes behind")
        expect(self.m.read(self.dst - 64, 64)[:32], GUARD[:32], "bytes before")


def test_lengths(dev):
    """FILL: memory at dst is filled with a byte, any length, nothing beside it."""
    ch = Channel(dev, 0).enable()
    for length in (1, 2, 3, 7, 8, 9, 63, 64, 65, 4095, 4096, 4097, 65535, 65536, 65537,
                   200001, MIB, MIB + 1, 3 * MIB + 5):
        made = Guarded(dev, length)
        ch.outcome((fill(made.dst, length, 0xc3), DONE))
        made.check(0xc3)


def test_offsets(dev):
    """Without COPY_LIMITS.ALIGN any dst will do."""
    ch = Channel(dev, 0, log2=5).enable()
    for offset in range(1, 9):
        made = [Guarded(dev, length, offset) for length in (1, 3, 8, 100, 4096, 70001)]
        ch.outcome(*((fill(one.dst, one.length, offset), DONE) for one in made))
        for one in made:
            one.check(offset)


def test_every_byte(dev):
    """BYTE: any value."""
    ch = Channel(dev, 0, log2=9).enable()
    dst = dev.m.alloc(256 * 3)
    ch.outcome(*((fill(dst + 3 * byte, 3, byte), DONE) for byte in range(256)))
    expect(dev.m.read(dst, 256 * 3), bytes(n // 3 for n in range(256 * 3)), "memory")


def test_counters(dev):
    """Bytes filled count as moved."""
    ch = Channel(dev, 0).enable()
    ch.outcome((fill(dev.m.alloc(70001), 70001, 0), DONE))
    expect(ch.get(HW.CH_CNT_BYTES_LO), 70001, "CH_CNT_BYTES_LO")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 1, "CH_CNT_DESCRIPTORS")


@both
def test_in_order(dev):
    """What is filled can be copied by the next descriptor."""
    ch = Channel(dev, 0, log2=7).enable()
    dst, other = dev.m.alloc(5000), dev.m.alloc(100 * 5000)
    ch.outcome(*((one, DONE) for n in range(50)
                 for one in (fill(dst, 5000, n), copy(dst, other + 5000 * n, 5000))))
    require(dev.m.read(other, 250000) == b"".join(bytes([n]) * 5000 for n in range(50)),
            "the data differs")


# --- checks -------------------------------------------------------------------

@device(f"max-len={MAX_LEN},copy-align=4")
def test_checks(dev):
    """RESERVED, LENGTH and ALIGN of a FILL, in this order."""
    ch = Channel(dev, 0, log2=6).enable()
    dst = dev.m.buffer(GUARD)
    good = {"ctrl": HW.OP_FILL, "length": 64, "dst": dst, "arg": 7}

    def refuse(status, *changes):
        ch.outcome(*((descriptor(**{**good, **change}),
                      refused(status, change.get("length", 64))) for change in changes))

    refuse(HW.ST_RESERVED, *({"ctrl": HW.OP_FILL | 1 << bit} for bit in range(10, 32)))
    refuse(HW.ST_RESERVED, *({"arg": 1 << bit} for bit in range(8, 32)))
    refuse(HW.ST_RESERVED, *({"periph": 1 << bit} for bit in range(32)))
    for field in ("src", "dst2", "src_off"):
        refuse(HW.ST_RESERVED, *({field: 1 << bit, "length": 0} for bit in range(0, 64, 7)))
    refuse(HW.ST_LENGTH, *({"length": n, "dst": dst + 1}
                           for n in (0, MAX_LEN + 1, 0x80000000, 0xffffffff)))
    refuse(HW.ST_ALIGN, {"dst": dst + 1}, {"dst": dst + 8}, {"length": 8}, {"length": 65},
           {"dst": 0xd0000008})
    expect(dev.m.read(dst, 64), GUARD, "destination")
    ch.outcome((descriptor(**good), DONE), (fill(dst + 16, 32, 8, INT | CHAIN), DONE),
               (nop(), DONE))
    expect(dev.m.read(dst, 64), b"\7" * 16 + b"\x08" * 32 + b"\7" * 16, "destination")


# --- memory errors ------------------------------------------------------------

@both
@each("address", {**NOT_RAM, "rom": ROM})
def test_write_error(dev, address):
    """WRITE: memory at fault_addr could not be written, nothing is moved."""
    ch = Channel(dev, 0).enable()
    ch.outcome((fill(address, 64, 1), Result(HW.ST_WRITE, 64, address)),
               (fill(address + 4, 1, 1, CHAIN), Result(HW.ST_WRITE, 1, address + 4)),
               (nop(), refused(HW.ST_SKIPPED, 0)))
    expect(ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")
    ch.works()


@both
@each("good", {"page": 4096, "odd": 1001, "chunks": 300001})
def test_write_error_later(dev, good):
    """fault_addr is the first byte that could not be accessed; what counts was filled."""
    ch = Channel(dev, 0).enable()
    end = dev.m.size
    moved = partly(ch, fill(end - good, good + 5000, 9), HW.ST_WRITE, good + 5000, end, good)
    require(dev.m.read(end - good, moved) == b"\x09" * moved, "what was filled differs")


# --- in the middle ------------------------------------------------------------

@both
@each("count", {"none": 0, "some": 1234, "all": 70000})
def test_fail_bytes(dev, count):
    """CH_TC_FAIL_BYTES bytes are filled; fault_addr is dst + moved."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.buffer(bytes(70000))
    ch.set(HW.CH_TC_FAIL, HW.ST_WRITE << 16 | 1)
    ch.set(HW.CH_TC_FAIL_BYTES, count)
    ch.outcome((fill(dst, 70000, 5), Result(HW.ST_WRITE, 70000 - count, dst + count)))
    require(dev.m.read(dst, 70000) == b"\5" * count + bytes(70000 - count), "memory")


def test_aborted(bench):
    """A FILL is cut like any other descriptor, and what it says was filled was."""
    length = 32 * MIB
    dev = bench.device(f"engines=1,max-len={length}", ASYNC)
    ch = Channel(dev, 0).enable()
    dst = dev.m.alloc(length)
    for byte in range(1, 4):
        first = ch.submit(fill(dst, length, byte))
        dev.m.until(lambda byte=byte: dev.m.read(dst, 1)[0] == byte, "the first byte")
        ch.set(HW.CH_ABORT, ch.head)
        ch.wait()
        moved = length - ch.result(first).residue
        require(dev.m.read(dst, moved) == bytes([byte]) * moved, "what counts is not there")
        dev.m.write(dst, b"\x77" * length)
        dev.m.settle()
        require(dev.m.read(dst, length) == b"\x77" * length, "touched after the abort")
