# SPDX-License-Identifier: GPL-2.0-only
"""Parity, worked out bit by bit, and the descriptors that compute and check it."""

import functools
import random
import struct

from qtest.lib.dma import descriptor, fill, pattern
from qtest.lib.hw import HW

# What is in a source list where nobody may look.
UNUSED = 0xd0000001


def product(a, b):
    """In GF(2^8) with the polynomial 0x11d."""
    result = 0
    while b:
        result ^= a if b & 1 else 0
        a = a << 1 ^ (0x11d if a & 0x80 else 0)
        b >>= 1
    return result


@functools.cache
def products(a):
    return bytes(product(a, b) for b in range(256))


def total(parts):
    """The exclusive or of byte strings of one length."""
    parts = list(parts)
    bits = 0
    for part in parts:
        bits ^= int.from_bytes(part, "little")
    return bits.to_bytes(len(parts[0]), "little")


def flipped(data, at, bit=0):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


# --- descriptors --------------------------------------------------------------

def source_list(addresses, coefs):
    rest = HW.MAX_SOURCES - len(addresses)
    return struct.pack("<16Q16s", *addresses, *[UNUSED] * rest,
                       bytes(coefs) + b"\xa5" * rest) + b"\xa5" * 48


def xor(sources, dst, length, count, flags=0, src_off=0):
    return descriptor(HW.OP_XOR | flags, length, sources, dst, arg=count, src_off=src_off)


def xor_check(sources, length, count, flags=0, src_off=0):
    return descriptor(HW.OP_XOR_CHECK | flags, length, sources, arg=count, src_off=src_off)


def pq(sources, p, q, length, count, flags=0, src_off=0, opcode=HW.OP_PQ):
    """P or Q is None if it is not wanted; the flags may include those of arg."""
    arg = flags & HW.ARG_CONTINUE | count | (HW.ARG_NO_P if p is None else 0) | \
        (HW.ARG_NO_Q if q is None else 0)
    return descriptor(opcode | flags & ~HW.ARG_CONTINUE, length, sources, p or 0, arg=arg,
                      dst2=q or 0, src_off=src_off)


def pq_check(sources, p, q, length, count, flags=0, src_off=0):
    return pq(sources, p, q, length, count, flags, src_off, HW.OP_PQ_CHECK)


def stop_in(ch, *descriptors):
    """Stops the machine in the middle of the last of some descriptors; returns its count.

    The device has read the last when the first, a FILL of its own with 1, is executed.
    """
    seen = ch.m.alloc(1)

    def caught():
        ch.m.write(seen, b"\0")
        ch.submit(fill(seen, 1, 1), *descriptors)
        ch.m.until(lambda: ch.m.read(seen, 1) == b"\1", "the first byte")
        ch.m.qmp.command("stop")
        if ch.done() != ch.head:
            return True
        ch.m.qmp.command("cont")
        return False

    ch.m.until(caught, "a stop before the end")
    return ch.head - 1


# --- sources ------------------------------------------------------------------

class Sources:
    """Buffers of data at random, with coefficients, and a list of them."""

    def __init__(self, machine, count, length, seed=0, align=8, bus=0):
        rng = random.Random(seed)
        self.m = machine
        self.bus = bus
        self.length = length
        self.data = [pattern(length, rng.random()) for _ in range(count)]
        # 0 and 1 are likely to be a case of their own.
        self.coefs = [rng.choice((0, 1, *[rng.randrange(2, 256)] * 6)) for _ in range(count)]
        self.at = [machine.buffer(data, align=align) + bus for data in self.data]
        self.list = machine.alloc(HW.SOURCES_SIZE, HW.SOURCES_ALIGN) + bus
        self.renew()

    def renew(self, addresses=None):
        """Writes the list, of other addresses if some are given."""
        self.m.write(self.list - self.bus, source_list(addresses or self.at, self.coefs))
        return self

    def count(self):
        return len(self.at)

    def p(self):
        return total(self.data)

    def q(self):
        return total(data.translate(products(coef))
                     for coef, data in zip(self.coefs, self.data))

    def room(self, data=None):
        """A destination, with bytes in it that are not parity of anything."""
        return self.m.buffer(data or b"\xee" * self.length) + self.bus

    def read(self, bus, length=None):
        return self.m.read(bus - self.bus, self.length if length is None else length)

    def xor(self, dst, length=None, **fields):
        return xor(self.list, dst, length or self.length, self.count(), **fields)

    def xor_check(self, length=None, **fields):
        return xor_check(self.list, length or self.length, self.count(), **fields)

    def pq(self, p, q, length=None, **fields):
        return pq(self.list, p, q, length or self.length, self.count(), **fields)

    def pq_check(self, p, q, length=None, **fields):
        return pq_check(self.list, p, q, length or self.length, self.count(), **fields)
