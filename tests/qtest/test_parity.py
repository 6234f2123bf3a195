# SPDX-License-Identifier: GPL-2.0-only
"""XOR and PQ: the data, the checks of memory, and what is refused."""

import itertools
import random

from qtest.lib.dma import (CHAIN, DONE, INT, OK, Channel, Result, copy, descriptor, nop, pattern,
                           refused)
from qtest.lib.hw import HW
from qtest.lib.machine import NOT_RAM, ROM, UNASSIGNED
from qtest.lib.parity import Sources, flipped, pq, product, stop_in, total, xor, xor_check
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, BOTH, both, device, each

P_WRONG = HW.STATUS_P_WRONG
Q_WRONG = HW.STATUS_Q_WRONG

COUNTS = {str(count): count for count in range(1, 17)}
LENGTHS = (1, 2, 7, 8, 9, 63, 64, 65, 1000, 4095, 4096, 4097, 8192, 20001)

KINDS = {"xor": HW.OP_XOR, "xor_check": HW.OP_XOR_CHECK, "pq": HW.OP_PQ,
         "pq_check": HW.OP_PQ_CHECK}


def found(bits):
    """The result of a check that was completed."""
    return Result(OK | bits, 0, 0)


def same(made, dst, want, what):
    require(made.read(dst, len(want)) == want, f"{what} differs")
    expect(made.read(dst + len(want), 8), b"\xee" * 8, f"bytes behind {what}")


def longer(made):
    return made.room(b"\xee" * (made.length + 8))


# --- data ---------------------------------------------------------------------

def test_polynomial(dev):
    """Q: the multiplication is that of RAID-6, 2 * 0x80 is 0x1d."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 1, 1)
    dev.m.write(made.at[0], b"\x80")
    made.coefs = [2]
    made.renew()
    q = made.room()
    ch.outcome((made.pq(None, q), DONE))
    expect(made.read(q), b"\x1d", "Q")


def test_every_product(dev):
    """Q: all 256 bytes times all 256 coefficients."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 1, 256)
    dev.m.write(made.at[0], bytes(range(256)))
    q = made.room()
    for coef in range(256):
        made.coefs = [coef]
        made.renew()
        ch.outcome((made.pq(None, q), DONE))
        expect(made.read(q), bytes(product(coef, n) for n in range(256)), f"{coef} times all")


@each("count", COUNTS)
def test_sums(dev, count):
    """XOR: dst is the exclusive or of so many sources, of any length."""
    ch = Channel(dev, 0).enable()
    for length in LENGTHS:
        made = Sources(dev.m, count, length, length)
        dst = longer(made)
        ch.outcome((made.xor(dst), DONE))
        same(made, dst, made.p(), f"XOR of {length} bytes")


@each("count", COUNTS)
def test_syndromes(dev, count):
    """PQ: dst is P, dst2 is Q, of any length."""
    ch = Channel(dev, 0).enable()
    for length in LENGTHS:
        made = Sources(dev.m, count, length, length)
        p, q = longer(made), longer(made)
        ch.outcome((made.pq(p, q), DONE))
        same(made, p, made.p(), f"P of {length} bytes")
        same(made, q, made.q(), f"Q of {length} bytes")
        for at, data in zip(made.at, made.data):
            require(dev.m.read(at, length) == data, "a source has changed")


def test_long(dev):
    """Lengths for which a turn of an engine does not do."""
    ch = Channel(dev, 0).enable()
    for count, length in ((16, 300001), (3, MIB), (1, 2 * MIB + 3)):
        made = Sources(dev.m, count, length, count)
        p, q = longer(made), longer(made)
        ch.outcome((made.pq(p, q), DONE), (made.pq_check(p, q), found(0)))
        same(made, p, made.p(), "P")
        same(made, q, made.q(), "Q")
        ch.outcome((made.xor(q), DONE))
        same(made, q, made.p(), "XOR")


def test_offsets(dev):
    """Without COPY_LIMITS.ALIGN buffers may be anywhere."""
    ch = Channel(dev, 0).enable()
    for shift in range(8):
        made = Sources(dev.m, 5, 5001, shift)
        made.data = [one[n * shift % 8:][:4990] for n, one in enumerate(made.data)]
        made.renew([at + n * shift % 8 for n, at in enumerate(made.at)])
        p, q = longer(made), longer(made)
        ch.outcome((made.pq(p + shift, q + 7 - shift, 4990), DONE))
        same(made, p + shift, made.p(), "P")
        same(made, q + 7 - shift, made.q(), "Q")


def test_without_one(dev):
    """NO_P, NO_Q: what is not wanted is neither written nor checked."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 4, 5000)
    p, q = longer(made), longer(made)
    ch.outcome((made.pq(p, None), DONE), (made.pq_check(p, None), found(0)))
    same(made, p, made.p(), "P without Q")
    ch.outcome((made.pq(None, q), DONE), (made.pq_check(None, q), found(0)))
    same(made, q, made.q(), "Q without P")
    dev.m.write(p, b"\0" * 10)
    ch.outcome((made.pq_check(p, None), found(P_WRONG)), (made.pq_check(None, q), found(0)))


@each("with_p, with_q", {"both": (True, True), "p": (True, False), "q": (False, True)})
def test_more(dev, with_p, with_q):
    """CONTINUE: the old P and Q are added."""
    ch = Channel(dev, 0).enable()
    for length in (1, 100, 4097, 70001):
        one, two = Sources(dev.m, 16, length, 1), Sources(dev.m, 5, length, 2)
        p, q = one.room() if with_p else None, one.room() if with_q else None
        ch.outcome((one.pq(p, q), DONE), (two.pq(p, q, flags=HW.ARG_CONTINUE), DONE))
        if with_p:
            require(one.read(p) == total([one.p(), two.p()]), "P differs")
        if with_q:
            require(one.read(q) == total([one.q(), two.q()]), "Q differs")


@each("which", {str(n): n for n in (0, 1, 4)})
def test_onto_source(dev, which):
    """A destination may be one of the sources exactly."""
    ch = Channel(dev, 0).enable()
    for length in (9, 4096, 100001):
        made = Sources(dev.m, 5, length)
        ch.outcome((made.xor(made.at[which]), DONE))
        require(made.read(made.at[which]) == made.p(), "XOR differs")
        for p, q in ((which, 2), (3, which)):
            made = Sources(dev.m, 5, length)
            ch.outcome((made.pq(made.at[p], made.at[q]), DONE))
            require(made.read(made.at[p]) == made.p(), "P differs")
            require(made.read(made.at[q]) == made.q(), "Q differs")


def test_source_twice(dev):
    """A buffer may be a source more than once."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 4, 3000)
    made.renew([made.at[0], made.at[1], made.at[0], made.at[0]])
    made.data[2] = made.data[3] = made.data[0]
    p, q = longer(made), longer(made)
    ch.outcome((made.pq(p, q), DONE))
    same(made, p, made.p(), "P")
    same(made, q, made.q(), "Q")


def test_overlap(dev):
    """Buffers that overlap in any other way: nothing else is affected."""
    ch = Channel(dev, 0).enable()
    base = dev.m.buffer(pattern(400000)) + 8192
    made = Sources(dev.m, 3, 200000)
    for first, p, q in itertools.product((0, 1, 5000), repeat=3):
        made.renew([base + first, base + 9 * first, base + 100000])
        ch.outcome((made.xor(base + p), DONE), (made.pq(base + p, base + q), DONE))
        ch.run(made.xor_check(), made.pq_check(base + p, base + q),
               made.pq(base + p, base + q, flags=HW.ARG_CONTINUE))
    require(dev.m.read(base - 8192, 8192) == pattern(400000)[:8192], "bytes before were hit")
    require(dev.m.read(base + 300000, 5000) == pattern(400000)[308192:313192],
            "bytes behind were hit")


def test_list_offset(dev):
    """src_off is added to the addresses of the list, modulo 2^64."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 6, 30000)
    p, q = longer(made), longer(made)
    parts = [(0, 1), (1, 4095), (4096, 10000), (14096, 15904)]
    ch.outcome(*((made.pq(p + at, q + at, n, src_off=at, flags=CHAIN if at < 14096 else INT),
                  DONE) for at, n in parts))
    same(made, p, made.p(), "P")
    same(made, q, made.q(), "Q")
    for off in (1 << 63, (1 << 64) - 4096, 12345):
        made.renew([at - off & (1 << 64) - 1 for at in made.at])
        dst = longer(made)
        ch.outcome((made.xor(dst, src_off=off), DONE), (made.xor_check(src_off=off),
                                                        found(P_WRONG)),
                   (made.pq_check(p, q, src_off=off), found(0)))
        same(made, dst, made.p(), "XOR")


def test_counters(dev):
    """CH_CNT_BYTES counts each byte of len once, however many the sources."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 7, 100001)
    p, q = made.room(), made.room()
    ch.outcome((made.xor(p), DONE), (made.pq(p, q), DONE), (made.pq_check(p, q), found(0)),
               (made.pq(p, q, flags=HW.ARG_CONTINUE), DONE), (made.xor_check(), found(P_WRONG)))
    expect(ch.get(HW.CH_CNT_BYTES_LO), 5 * 100001, "CH_CNT_BYTES_LO")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 5, "CH_CNT_DESCRIPTORS")


@each("mode", BOTH)
def test_many(bench, mode):
    """Rings full of all kinds, in all channels."""
    dev = bench.device("engines=2", mode)
    places = []
    channels = [Channel(dev, index, log2=8).enable() for index in range(4)]
    for n in range(240):
        for ch in channels:
            rng = random.Random(n * 4 + ch.index)
            made = Sources(dev.m, rng.randrange(1, 17), rng.randrange(1, 3000), n)
            p, q = longer(made), longer(made)
            if n % 3:
                ch.post(made.pq(p, q, flags=INT if n % 5 else 0))
            elif n % 2:
                ch.post(made.xor(p))
            else:
                ch.post(copy(made.at[0], p, made.length))
            places.append((n, made, p, q))
    for ch in channels:
        ch.ring_bell()
    for ch in channels:
        ch.wait()
        ch.expect_results(0, *[DONE] * 240)
    for n, made, p, q in places:
        if n % 3:
            same(made, q, made.q(), f"Q of {n}")
        same(made, p, made.p() if n % 3 or n % 2 else made.data[0], f"P, XOR or copy of {n}")


@both
def test_in_order(dev):
    """Whatever descriptor c wrote to memory, c + 1 reads."""
    ch = Channel(dev, 0, log2=6).enable()
    made = Sources(dev.m, 2, 5000)
    # Each adds the second source to the first.
    ch.outcome(*[(made.xor(made.at[0]), DONE)] * 51, (made.xor(made.at[1]), DONE))
    require(made.read(made.at[0]) == made.p(), "the first source differs")
    require(made.read(made.at[1]) == made.data[0], "the second source differs")


# --- checks of data -----------------------------------------------------------

PLACES = {str(at): at for at in (0, 1, 4095, 4096, 70000)}


@each("at", PLACES)
def test_check_xor(dev, at):
    """XOR_CHECK: P_WRONG if there is an offset where the exclusive or is not 0."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 5, 70001)
    last = made.room(made.p())
    ch.outcome((made.xor_check(), found(P_WRONG)))
    made.at.append(last)
    made.coefs.append(1)
    made.renew()
    ch.outcome((made.xor_check(), found(0)))
    for bit in (0, 7):
        dev.m.write(last, flipped(made.p(), at, bit))
        ch.outcome((made.xor_check(), found(P_WRONG)), (nop(), DONE))
        if at:
            ch.outcome((made.xor_check(at), found(0)))
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), 6 + 2 * bool(at), "CH_CNT_DESCRIPTORS")


@each("at", PLACES)
def test_check_pq(dev, at):
    """PQ_CHECK: P_WRONG, Q_WRONG if there is an offset where dst, dst2 is not P, Q."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 5, 70001)
    p, q = made.room(made.p()), made.room(made.q())
    wrong_p, wrong_q = flipped(made.p(), at), flipped(made.q(), at, 7)
    for data_p, data_q, want in ((made.p(), made.q(), 0), (wrong_p, made.q(), P_WRONG),
                                 (made.p(), wrong_q, Q_WRONG),
                                 (wrong_p, wrong_q, P_WRONG | Q_WRONG)):
        dev.m.write(p, data_p)
        dev.m.write(q, data_q)
        ch.outcome((made.pq_check(p, q), found(want)),
                   (made.pq_check(p, None), found(want & P_WRONG)),
                   (made.pq_check(None, q), found(want & Q_WRONG)))
        if at:
            ch.outcome((made.pq_check(p, q, at), found(0)))
        require((made.read(p), made.read(q)) == (data_p, data_q), "a check has written")


def test_check_and_chain(dev):
    """A check that has found something is OK: its transaction goes on."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 3, 64)
    p, q = made.room(), made.room()
    ch.outcome((made.xor_check(flags=CHAIN), found(P_WRONG)),
               (made.pq_check(p, q, flags=CHAIN), found(P_WRONG | Q_WRONG)),
               (made.pq(p, q), DONE), (made.pq_check(p, q), found(0)))


def test_check_of_rom(dev):
    """The checks write nothing: what they check may be ROM."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 1, 4096)
    made.coefs = [1]
    made.renew([ROM])
    ch.outcome((made.pq_check(ROM, ROM), found(0)), (made.pq_check(ROM, ROM + 1, 4095),
                                                     found(Q_WRONG)))
    made.at.append(ROM)
    made.coefs.append(1)
    made.renew([ROM, ROM])
    ch.outcome((made.xor_check(), found(0)))


# --- what is refused ----------------------------------------------------------

LIMITS = "max-len=10000,copy-align=4,max-sources=5"


class Kind:
    """Good descriptors of an opcode, and bad ones made of them."""

    def __init__(self, dev, opcode):
        self.ch = Channel(dev, 0, log2=7).enable()
        self.made = Sources(dev.m, 5, 64, align=64)
        self.opcode = opcode
        self.pq = opcode in (HW.OP_PQ, HW.OP_PQ_CHECK)
        self.check = opcode in (HW.OP_XOR_CHECK, HW.OP_PQ_CHECK)
        self.p, self.q = self.made.room(), self.made.room()
        self.good = {"ctrl": opcode, "length": 64, "src": self.made.list, "arg": 5,
                     "dst": 0 if opcode == HW.OP_XOR_CHECK else self.p,
                     "dst2": self.q if self.pq else 0}

    def refuse(self, status, *changes):
        for change in changes:
            fields = {**self.good, **change}
            self.ch.outcome((descriptor(**fields), refused(status, fields["length"])))
        with self.ch.m.untouched("by a descriptor that was refused"):
            pass
        expect(self.ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")
        expect(self.ch.state(), HW.STATE_RUNNING, "state")

    def accept(self, **change):
        result, = self.ch.run(descriptor(**{**self.good, **change}))
        expect(result.status & HW.STATUS_CODE, OK, "status")


@device(LIMITS)
@each("opcode", KINDS)
def test_reserved(dev, opcode):
    """RESERVED: each reserved bit, each field that the opcode does not have."""
    kind = Kind(dev, opcode)
    fields = {HW.OP_PQ: 0x7ff, HW.OP_PQ_CHECK: 0x3ff}.get(opcode, 0xff)
    kind.refuse(HW.ST_RESERVED, *({"ctrl": opcode | 1 << bit} for bit in range(10, 32)),
                *({"arg": 5 | 1 << bit} for bit in range(32) if not fields >> bit & 1),
                *({"periph": 1 << bit} for bit in range(32)))
    if opcode == HW.OP_XOR_CHECK:
        kind.refuse(HW.ST_RESERVED, *({"dst": 1 << bit} for bit in range(64)))
    if not kind.pq:
        kind.refuse(HW.ST_RESERVED, *({"dst2": 1 << bit} for bit in range(64)))
    else:
        kind.refuse(HW.ST_RESERVED, {"arg": 5 | HW.ARG_NO_P}, {"arg": 5 | HW.ARG_NO_Q},
                    {"arg": 5 | HW.ARG_NO_P | HW.ARG_NO_Q, "dst": 0})
    # Before all others.
    kind.refuse(HW.ST_RESERVED, {"periph": 1, "length": 0, "arg": 0, "src": 1})
    kind.accept()


@device(LIMITS)
@each("opcode", KINDS)
def test_length(dev, opcode):
    """LENGTH: 1 to MAX_LEN; before ARG and ALIGN."""
    kind = Kind(dev, opcode)
    kind.refuse(HW.ST_LENGTH, *({"length": n, "arg": 0, "src": kind.made.list + 1}
                                for n in (0, 10001, 0x80000000, 0xffffffff)))
    kind.accept()


@device(LIMITS)
@each("opcode", KINDS)
def test_number(dev, opcode):
    """ARG: no source, more than XOR_LIMITS.SOURCES, neither P nor Q; before ALIGN."""
    kind = Kind(dev, opcode)
    kind.refuse(HW.ST_ARG, *({"arg": n, "length": 63} for n in (0, 6, 16, 17, 255)))
    if kind.pq:
        kind.refuse(HW.ST_ARG, {"arg": 5 | HW.ARG_NO_P | HW.ARG_NO_Q, "dst": 0, "dst2": 0,
                                "src": 1})
    for n in range(1, 6):
        kind.accept(arg=n)


@device(LIMITS)
@each("opcode", KINDS)
def test_align(dev, opcode):
    """ALIGN: the list 64 bytes, len, dst, dst2 and sources 2^COPY_LIMITS.ALIGN."""
    kind = Kind(dev, opcode)
    place = dev.m.alloc(1024)
    for n, off in enumerate((1, 16, 32, 48)):
        dev.m.write(place + 256 * n + off, dev.m.read(kind.made.list, HW.SOURCES_SIZE))
        kind.refuse(HW.ST_ALIGN, {"src": place + 256 * n + off})
    kind.refuse(HW.ST_ALIGN,
                # Also where there is no memory.
                {"src": UNASSIGNED + 16},
                *({"length": 64 + off} for off in (1, 8, 15)))
    if kind.good["dst"]:
        kind.refuse(HW.ST_ALIGN, *({"dst": kind.p + off} for off in (1, 8, 15)))
    if kind.pq:
        kind.refuse(HW.ST_ALIGN, *({"dst2": kind.q + off} for off in (1, 8, 15)))
    kind.refuse(HW.ST_ALIGN, *({"src_off": off} for off in (1, 8, 15)))
    for which in range(5):
        at = list(kind.made.at)
        at[which] += 8
        kind.made.renew(at)
        kind.refuse(HW.ST_ALIGN, {}, {"src_off": 8})
    # Only the sum counts, and only sources that are in use.
    kind.made.renew([at - 8 for at in kind.made.at])
    kind.accept(src_off=8)
    kind.made.renew()
    kind.accept()


@each("opcode", KINDS)
def test_not_in_use(dev, opcode):
    """Nothing of a list beyond SOURCES is looked at, nor coefficients by XOR."""
    kind = Kind(dev, opcode)
    for n in range(1, 6):
        kind.made.renew(kind.made.at[:n] + [UNASSIGNED + 1] * (5 - n))
        kind.accept(arg=n)


# --- memory errors ------------------------------------------------------------

@each("opcode, address", {f"{kind}.{name}": (opcode, address) for kind, opcode in KINDS.items()
                          for name, address in NOT_RAM.items()})
def test_list_unreadable(dev, opcode, address):
    """READ: the source list could not be read, nothing is moved."""
    kind = Kind(dev, opcode)
    kind.ch.outcome((descriptor(**{**kind.good, "src": address}),
                     Result(HW.ST_READ, 64, address)), (nop(), DONE))
    require((kind.made.read(kind.p), kind.made.read(kind.q)) == (b"\xee" * 64,) * 2,
            "something was written")


@each("opcode", KINDS)
def test_list_partly_unreadable(dev, opcode):
    """The same for a list at the end of memory."""
    kind = Kind(dev, opcode)
    end = dev.m.size
    for room in (64, 128):
        dev.m.write(end - room, dev.m.read(kind.made.list, room))
        kind.ch.outcome((descriptor(**{**kind.good, "src": end - room}),
                         Result(HW.ST_READ, 64, end)))
    dev.m.write(end - 192, dev.m.read(kind.made.list, 192))
    kind.accept(src=end - 192)


@each("address, which", {f"{name}.{which}": (address, which) for name, address in NOT_RAM.items()
                         for which in (0, 4)})
def test_source_unreadable(dev, address, which):
    """READ: fault_addr is in the source that could not be read."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 5, 64)
    at = list(made.at)
    at[which] = address
    made.renew(at)
    p, q = made.room(), made.room()
    want = Result(HW.ST_READ, 64, address)
    ch.outcome((made.xor(p), want), (made.xor_check(), want), (made.pq(p, q), want),
               (made.pq_check(p, q), want))
    require((made.read(p), made.read(q)) == (b"\xee" * 64,) * 2, "something was written")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 0, "CH_CNT_BYTES_LO")


@both
@each("address", {**NOT_RAM, "rom": ROM})
def test_destination_unwritable(dev, address):
    """WRITE: fault_addr is in P or Q, whichever could not be written; neither was."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 5, 64)
    good = made.room()
    want = Result(HW.ST_WRITE, 64, address)
    ch.outcome((made.xor(address), want), (made.pq(address, good), want),
               (made.pq(good, address), want), (made.pq(None, address), want),
               (made.pq(address, address), want), (nop(), DONE))
    require(made.read(good) == b"\xee" * 64, "the other one was written")


@each("address", NOT_RAM)
def test_result_unreadable(dev, address):
    """READ: what is to be checked, or to be added to, could not be read."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 5, 64)
    good = made.room()
    want = Result(HW.ST_READ, 64, address)
    more_of = {"flags": HW.ARG_CONTINUE}
    ch.outcome((made.pq_check(address, good), want), (made.pq_check(good, address), want),
               (made.pq(address, good, **more_of), want),
               (made.pq(good, address, **more_of), want))
    require(made.read(good) == b"\xee" * 64, "the other one was written")


@both
@each("which", {str(which): which for which in range(7)})
def test_half_way(dev, which):
    """One of the buffers ends: what counts was moved in all, beyond it in none."""
    ch = Channel(dev, 0).enable()
    end, good = dev.m.size, 150001
    size = good + 5000
    made = Sources(dev.m, 5, size)
    at = [*made.at, made.room(), made.room()]
    at[which] = end - good
    if which < 5:
        dev.m.write(end - good, made.data[which][:good])
    made.renew(at[:5])
    p, q = at[5:]
    status = HW.ST_READ if which < 5 else HW.ST_WRITE
    result, = ch.run(made.pq(p, q))
    expect((result.status, result.fault), (status, end), "status and fault_addr")
    moved = size - result.residue
    require(moved <= good, f"residue {result.residue:#x}")
    require(made.read(p, moved) == made.p()[:moved], "P differs")
    require(made.read(q, moved) == made.q()[:moved], "Q differs")
    for dst in {p, q} - {end - good}:
        require(made.read(dst + good, 5000) == b"\xee" * 5000, "moved beyond the fault")
    # A check that is not completed has found nothing, whatever it has seen.
    dev.m.write(p, flipped(made.p(), 0)[:min(size, end - p)])
    result, = ch.run(made.pq_check(p, q))
    expect((result.status, result.fault), (HW.ST_READ, end), "status and fault_addr")


@both
def test_chain_skips(dev):
    """A transaction is skipped from an XOR that fails on; the next is not."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 3, 64)
    dst = made.room()
    skipped = refused(HW.ST_SKIPPED, 64)
    for bad, want in ((xor(UNASSIGNED, dst, 64, 3, CHAIN), Result(HW.ST_READ, 64, UNASSIGNED)),
                      (made.xor(ROM, flags=CHAIN), Result(HW.ST_WRITE, 64, ROM)),
                      (xor(made.list, dst, 64, 0, CHAIN), refused(HW.ST_ARG, 64))):
        ch.outcome((bad, want), (made.xor(dst, flags=CHAIN), skipped),
                   # Nothing else of it is looked at.
                   (xor(UNASSIGNED, dst, 64, 77, CHAIN), skipped),
                   (pq(3, 5, 7, 64, 0), skipped), (nop(), DONE))
        require(made.read(dst) == b"\xee" * 64, "something was written")
    ch.outcome((made.xor(dst), DONE))


@device("addr-bits=40")
def test_address_width(dev):
    """A list, a source or a result at or above 2^ADDR_BITS cannot be accessed."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 2, 64)
    p, q = made.room(), made.room()
    for far in (1 << 40, 1 << 63):
        ch.outcome((xor(made.list | far, p, 64, 2), Result(HW.ST_READ, 64, made.list | far)),
                   (made.pq(p, q | far), Result(HW.ST_WRITE, 64, q | far)),
                   (made.xor(p, src_off=far), Result(HW.ST_READ, 64, made.at[0] | far)))
    ch.outcome((made.pq(p, q), DONE))


# --- test controls ------------------------------------------------------------

@each("status",
      {name.lower(): getattr(HW, f"ST_{name}") for name in ("READ", "WRITE", "ALIGN")})
def test_fail(dev, status):
    """CH_TC_FAIL: so many bytes of all buffers; fault_addr in first source or dst."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 3, 20000)
    made.renew([at - 4000 for at in made.at])
    for written, count in ((0, 0), (5001, 5001), (20000, 19900)):
        p, q = longer(made), longer(made)
        fault = {HW.ST_READ: made.at[0] + 100 + count, HW.ST_WRITE: p + count}.get(status, 0)
        ch.set(HW.CH_TC_FAIL, status << 16 | 1)
        ch.set(HW.CH_TC_FAIL_BYTES, written)
        ch.outcome((made.pq(p, q, 19900, src_off=4100), Result(status, 19900 - count, fault)))
        for dst, want in ((p, made.p()), (q, made.q())):
            require(made.read(dst) == want[100:100 + count] + b"\xee" * (20000 - count),
                    "P or Q differs")


def test_fail_checks(dev):
    """A check that is made to end early has found nothing, unless it is made to be OK."""
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 3, 1000)
    p, q = made.room(flipped(made.p(), 10)), made.room(flipped(made.q(), 500))
    ch.set(HW.CH_TC_FAIL_BYTES, 500)
    for status, want in ((HW.ST_READ, Result(HW.ST_READ, 500, made.at[0] + 500)),
                         (HW.ST_ABORTED, refused(HW.ST_ABORTED, 500)),
                         (OK, Result(OK | P_WRONG, 500, 0))):
        ch.set(HW.CH_TC_FAIL, status << 16 | 1)
        ch.outcome((made.pq_check(p, q), want))


def test_fail_spares_the_refused(dev):
    """One that is refused, or has no readable list, keeps its own status."""
    ch = Channel(dev, 0).enable()
    dst = dev.m.alloc(64)
    for data, want in ((xor(UNASSIGNED, dst, 64, 1), Result(HW.ST_READ, 64, UNASSIGNED)),
                       (xor_check(dst, 64, 17), refused(HW.ST_ARG, 64))):
        ch.set(HW.CH_TC_FAIL, HW.ST_PERIPH << 16 | 1)
        ch.outcome((data, want), (nop(), DONE))
        expect(ch.get(HW.CH_TC_FAIL) & HW.CH_TC_FAIL_AFTER, 0, "AFTER")


# --- cut in the middle --------------------------------------------------------

@each("mode", BOTH)
def test_list_read_once(bench, mode):
    """The list is copied in once: what is changed when a part is moved is not seen."""
    dev = bench.device("engines=1,max-len=8M", mode)
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 3, 8 * MIB)
    p, q = made.room(), made.room()
    count = stop_in(ch, made.pq(p, q))
    made.coefs = [7, 7, 7]
    made.renew([UNASSIGNED] * 3)
    dev.m.qmp.command("cont")
    ch.wait()
    ch.expect_results(count, DONE)
    require(made.read(p) == total(made.data), "P differs")


def by_abort(ch):
    ch.set(HW.CH_ABORT, ch.head)
    ch.wait()


def by_disable(ch):
    ch.disable()


@each("way, kind", {f"{way.__name__[3:]}.{kind}": (way, kind) for way in (by_abort, by_disable)
                    for kind in ("xor", "pq")})
def test_stopped(bench, way, kind):
    """When an abort or a disable is acknowledged no memory is touched any more."""
    length = 2 * MIB
    dev = bench.device("engines=1", ASYNC)
    made = Sources(dev.m, 16, length)
    p, q = made.room(), made.room()
    ch = Channel(dev, 0)
    one = made.xor(p) if kind == "xor" else made.pq(p, q)
    for _ in range(4):
        dev.m.write(p, b"\xee" * length)
        ch.enable()
        ch.submit(*[one] * 15)
        dev.m.until(lambda: made.read(p, 64) != b"\xee" * 64, "the first bytes")
        way(ch)
        moved = length - ch.result(ch.done() - 1).residue if way is by_abort else 0
        require(made.read(p, moved) == made.p()[:moved], "what counts is not there")
        dev.m.write(p, b"\x77" * length)
        dev.m.write(q, b"\x77" * length)
        dev.m.settle()
        require(made.read(p) == made.read(q) == b"\x77" * length, "memory was touched")
        if way is by_abort:
            ch.disable()
    ch.enable().works()
