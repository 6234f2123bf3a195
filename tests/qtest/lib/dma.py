# SPDX-License-Identifier: GPL-2.0-only
"""Channels and descriptors, as a driver has them."""

import copy as copies
import random
import struct
from collections import namedtuple

from qtest.lib.hw import HW
from qtest.lib.qemu import MIB, Failed, expect, require

INT = HW.CTRL_INT
CHAIN = HW.CTRL_CHAIN

MASK = 0xffffffff
META = 0x20                 # where metadata is in a descriptor
RUNNING = HW.STATE_RUNNING
OK = HW.ST_OK

# What every channel executes.
MEMORY_CAPS = HW.CH_CAPS_COPY | HW.CH_CAPS_FILL | HW.CH_CAPS_XOR | HW.CH_CAPS_PQ


class Result(namedtuple("Result", "status residue fault")):
    """What the device has written into a descriptor."""

    def __str__(self):
        code = HW.name("ST_", self.status & HW.STATUS_CODE)
        found = "".join(f" {name}" for name in ("P_WRONG", "Q_WRONG")
                        if self.status & getattr(HW, f"STATUS_{name}"))
        return f"{code}{found} residue {self.residue:#x} fault {self.fault:#x}"


DONE = Result(OK, 0, 0)
PENDING = Result(HW.ST_PENDING, 0, 0)


def refused(status, residue):
    return Result(status, residue, 0)


def aborted(residue):
    return refused(HW.ST_ABORTED, residue)


# --- data ---------------------------------------------------------------------

def pattern(size, seed=0):
    """Bytes that are the same in every run; a longer pattern begins with a shorter one."""
    return random.Random(seed).randbytes(size + -size % 4)[:size]


# --- descriptors --------------------------------------------------------------

def descriptor(ctrl, length=0, src=0, dst=0, periph=0, arg=0, dst2=0, src_off=0):
    return struct.pack("<IIQQIIQQIIQ", ctrl, length, src, dst, periph, arg, dst2, src_off,
                       *PENDING)


def nop(flags=0):
    return descriptor(HW.OP_NOP | flags)


def copy(src, dst, length, flags=0):
    return descriptor(HW.OP_COPY | flags, length, src, dst)


def fill(dst, length, byte, flags=0):
    return descriptor(HW.OP_FILL | flags, length, 0, dst, arg=byte)


def periph_of(width, burst):
    return burst << 16 | width


def with_meta(data, meta):
    """The same descriptor, with metadata in place of dst2 and src_off."""
    return data[:META] + meta.ljust(HW.META_SIZE, b"\0") + data[META + HW.META_SIZE:]


def tx(src, length, width=0, burst=1, flags=0, meta=b""):
    return with_meta(descriptor(HW.OP_TX | flags, length, src, 0, periph_of(width, burst),
                                len(meta)), meta)


def rx(dst, length, width=0, burst=1, flags=0, meta=False):
    return descriptor(HW.OP_RX | flags, length, 0, dst, periph_of(width, burst),
                      HW.ARG_META if meta else 0)


# --- channels -----------------------------------------------------------------

class Channel:
    """A channel with a ring of 2^log2 descriptors."""

    def __init__(self, dev, index, log2=4, vector=None, high=False, bus=0, unordered=False):
        self.dev = dev
        self.m = dev.m
        self.index = index
        self.log2 = log2
        self.vector = index if vector is None else vector
        self.bus = bus              # bus addresses, less those that the CPU uses
        self.ring = self.m.alloc(HW.DESC_SIZE << log2, high=high)
        self.comp = self.m.alloc(HW.COMP_SIZE, HW.COMP_SIZE, high=high)
        self.control = HW.CH_CONTROL_ENABLE | (HW.CH_CONTROL_UNORDERED if unordered else 0)
        self.head = 0

    def moved_to(self, dev):
        """The same channel, in the machine that it was migrated to."""
        other = copies.copy(self)
        other.dev, other.m = dev, dev.m
        return other

    # --- registers ---

    def offset(self, register):
        return HW.CH_BASE + self.index * HW.CH_STRIDE + register

    def get(self, register):
        return self.dev.read(self.offset(register))

    def set(self, register, value):
        self.dev.write(self.offset(register), value)

    def write_line(self, register, value):
        """A register write as a command of the qtest protocol."""
        return f"writel {self.dev.bar + self.offset(register):#x} {value:#x}"

    def state(self):
        return self.get(HW.CH_STATUS) & HW.CH_STATUS_STATE

    def error(self):
        return (self.get(HW.CH_STATUS) & HW.CH_STATUS_ERROR) >> 8

    def configure(self):
        ring, comp = self.ring + self.bus, self.comp + self.bus
        for register, value in ((HW.CH_RING_LO, ring & MASK), (HW.CH_RING_HI, ring >> 32),
                                (HW.CH_RING_SIZE, self.log2), (HW.CH_VECTOR, self.vector),
                                (HW.CH_COMP_LO, comp & MASK), (HW.CH_COMP_HI, comp >> 32)):
            self.set(register, value)

    def enable(self):
        """Configures and enables; returns itself."""
        self.head = 0
        self.m.write(self.comp, bytes(HW.COMP_SIZE))
        self.configure()
        self.set(HW.CH_CONTROL, self.control)
        expect(self.get(HW.CH_STATUS), RUNNING, f"CH_STATUS of channel {self.index}, enabled")
        return self

    def disable(self):
        self.set(HW.CH_CONTROL, 0)
        self.m.until(lambda: self.state() == HW.STATE_DISABLED, "DISABLED")
        expect(self.error(), 0, "CH_STATUS.ERROR of a disabled channel")

    def pause(self):
        self.set(HW.CH_CONTROL, self.control | HW.CH_CONTROL_PAUSE)
        self.m.until(lambda: self.get(HW.CH_STATUS) != RUNNING, "PAUSED")
        expect(self.get(HW.CH_STATUS), RUNNING | HW.CH_STATUS_PAUSED, "CH_STATUS, paused")

    def go_on(self):
        self.set(HW.CH_CONTROL, self.control)
        expect(self.get(HW.CH_STATUS) & HW.CH_STATUS_PAUSED, 0, "CH_STATUS.PAUSED")

    def expect_error(self, name):
        """The channel stops by itself, for this reason."""
        self.m.until(lambda: self.state() != RUNNING, f"channel error {name}")
        expect(self.get(HW.CH_STATUS), HW.STATE_ERROR | getattr(HW, f"CHERR_{name}") << 8,
               "CH_STATUS")
        require(self.dev.read(HW.CHANNEL_ERRORS) >> self.index & 1,
                "CHANNEL_ERRORS does not name the channel")
        require(self.dev.read(HW.EVENT) & HW.EVENT_CHANNEL_ERROR,
                "EVENT.CHANNEL_ERROR is not set")

    def leave_error(self):
        """As the driver does: acknowledge, disable, run again."""
        self.dev.write(HW.EVENT, HW.EVENT_CHANNEL_ERROR)
        self.disable()
        require(not self.dev.read(HW.CHANNEL_ERRORS) >> self.index & 1,
                "CHANNEL_ERRORS still names the channel")
        self.enable()

    # --- the ring ---

    def slot(self, count):
        return self.ring + (count & (1 << self.log2) - 1) * HW.DESC_SIZE

    def post(self, *descriptors):
        """Writes descriptors; returns the count of the first."""
        first = self.head
        for data in descriptors:
            self.m.write(self.slot(self.head), data)
            self.head = self.head + 1 & MASK
        return first

    def ring_bell(self):
        self.set(HW.CH_DOORBELL, self.head)

    def submit(self, *descriptors):
        first = self.post(*descriptors)
        self.ring_bell()
        return first

    def done(self):
        return self.m.read32(self.comp)

    def progress(self):
        """COUNT and BYTES."""
        return tuple(struct.unpack("<II", self.m.read(self.comp + 8, 8))[::-1])

    def arm(self, value):
        self.m.write32(self.comp + 64, value)

    def result(self, count):
        return Result(*struct.unpack("<IIQ", self.m.read(self.slot(count) + 48, 16)))

    def meta(self, count):
        """What the device has written of metadata: all of its bytes if it is right."""
        size = self.result(count).status >> 16
        data = self.m.read(self.slot(count) + META, HW.META_SIZE)
        require(not data.strip(b"\0") or size and not data[size:].strip(b"\0"),
                f"{data.hex()} in meta, META_LEN {size}")
        return data[:size]

    def wait(self, count=None):
        count = self.head if count is None else count
        self.m.until(lambda: self.done() == count,
                     f"channel {self.index}: done to reach {count}")

    def stuck(self, count, what):
        """What was posted does not go on beyond a count."""
        self.m.settle()
        expect(self.done(), count, f"done, {what}")
        expect(self.state(), RUNNING, f"state, {what}")

    def fills(self, peer, level, count=0):
        """It fills its peer's FIFO, whenever an engine comes to it, and is held."""
        self.m.until(lambda: peer.get(HW.CH_FIFO_LEVEL) == level, "FIFO full")
        self.stuck(count, "FIFO full")

    def run(self, *descriptors):
        """Executes descriptors; returns their results."""
        first = self.submit(*descriptors)
        self.wait()
        return [self.result(first + i) for i in range(len(descriptors))]

    def outcome(self, *descriptors):
        """Executes descriptors and checks their results: pairs of both."""
        results = self.run(*(data for data, _ in descriptors))
        for i, (got, (_, want)) in enumerate(zip(results, descriptors)):
            expect(str(got), str(want), f"descriptor {i}")

    def expect_results(self, first, *wanted):
        for i, want in enumerate(wanted):
            expect(str(self.result(first + i)), str(want), f"descriptor {first + i}")

    def works(self):
        """A copy, to see that the channel is in good order."""
        self.copies(pattern(300, self.index))

    def copies(self, data, **where):
        src = self.m.buffer(data, **where)
        dst = self.m.alloc(len(data), **where)
        self.outcome((copy(src + self.bus, dst + self.bus, len(data)), DONE))
        if self.m.read(dst, len(data)) != data:
            raise Failed(f"{len(data)} bytes were not copied right")


# --- what many cases do ---------------------------------------------------------

class Cells:
    """Bytes that descriptors fill, to see which of them came last."""

    def __init__(self, ch, count):
        self.m = ch.m
        self.ch = ch
        self.at = ch.m.buffer(bytes(count))
        self.count = count

    def fill(self, cell, byte, flags=0):
        return fill(self.at + cell, 1, byte, flags)

    def expect(self, *want):
        expect(self.m.read(self.at, self.count).hex(), bytes(want).hex(), "who came last")


class Pair:
    """Two peers, and memory for both."""

    def __init__(self, dev, first=0, log2=4):
        self.m = dev.m
        self.a = Channel(dev, first, log2).enable()
        self.b = Channel(dev, first + 1, log2).enable()

    def source(self, length, seed=0):
        return self.m.buffer(pattern(length, seed))

    def received(self, dst, length, seed=0, start=0):
        got = self.m.read(dst, length)
        require(got == pattern(start + length, seed)[start:], "what was received differs")


def string(seed, start, size):
    """What the specification says of the pattern."""
    return bytes(seed + p + (p >> 8) + (p >> 16) + (p >> 24) & 0xff
                 for p in (n & MASK for n in range(start, start + size)))


def set_pattern(ch, seed=0):
    """The peripheral of a channel is the one that sends the pattern."""
    ch.set(HW.CH_PERIPH, HW.CH_PERIPH_PATTERN | seed << 8)


def meta_of(seed, size=HW.META_SIZE):
    """Metadata without a zero in it."""
    return bytes(1 + (seed * 31 + n) % 255 for n in range(size))


def fail(after, status):
    """CH_TC_FAIL: which descriptor fails, and how."""
    return status << 16 | after


def long_ring(dev, ch):
    """One copy with INT, and milliseconds of others without behind it."""
    src, dst = dev.m.alloc(MIB), dev.m.alloc(MIB)
    ch.submit(copy(src, dst, MIB, INT), *[copy(src, dst, MIB)] * 100)


# Around memory that must not change.
GUARD = b"\x5a" * 64


def partly(ch, data, status, length, fault, good):
    """A descriptor of which only the first bytes can be accessed."""
    result, = ch.run(data)
    expect((result.status, result.fault), (status, fault), "status and fault_addr")
    require(length - good <= result.residue <= length, f"residue {result.residue:#x}")
    return length - result.residue


# What empties the FIFO of a channel.
EMPTIES = {"disable": lambda ch: ch.set(HW.CH_CONTROL, 0),
           "reset": lambda ch: ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)}
