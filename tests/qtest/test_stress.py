# SPDX-License-Identifier: GPL-2.0-only
"""Random input, from fixed seeds: what no case thought of."""

import random
import struct

from qtest.lib.dma import (CHAIN, DONE, INT, Channel, copy, descriptor, fill, nop, pattern,
                           refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.iommu import ARGUMENTS, Iommu
from qtest.lib.parity import pq, pq_check, source_list, xor, xor_check
from qtest.lib.pci import BAR
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, ATONCE, SYNC, device, each

MAX_LEN = 5000
DEPTH = 1024
WIDTHS = 0x0d
MAX_BURST = 200
ALIGN = 4
MAX_SOURCES = 9
LIMITS = (f"max-len={MAX_LEN},fifo-depth={DEPTH},fifo-widths={WIDTHS:#x},"
          f"fifo-max-burst={MAX_BURST},copy-align={ALIGN},max-sources={MAX_SOURCES}")

STREAMS = (HW.OP_TX, HW.OP_RX)
XORS = (HW.OP_XOR, HW.OP_XOR_CHECK)
PQS = (HW.OP_PQ, HW.OP_PQ_CHECK)
READERS = (HW.OP_COPY, HW.OP_TX, *XORS, *PQS)
WRITERS = (HW.OP_COPY, HW.OP_RX, HW.OP_FILL, HW.OP_XOR)
# The bits of arg that an opcode has.
ARGUMENT = {HW.OP_FILL: 0xff, HW.OP_XOR: 0xff, HW.OP_XOR_CHECK: 0xff, HW.OP_PQ: 0x7ff,
            HW.OP_PQ_CHECK: 0x3ff, HW.OP_TX: HW.ARG_META_LEN, HW.OP_RX: HW.ARG_META}


# --- the checks, once more ----------------------------------------------------

def judge(ctrl, length, src, dst, periph, arg, dst2, src_off):
    """The status that the specification's list of checks gives a descriptor."""
    opcode = ctrl & 0xff
    streams, parity = opcode in STREAMS, opcode in XORS + PQS
    with_p = opcode in PQS and not arg & HW.ARG_NO_P
    with_q = opcode in PQS and not arg & HW.ARG_NO_Q
    element = 1 << (periph & 0xf) if streams else 1
    sent = arg & HW.ARG_META_LEN if opcode == HW.OP_TX else 0
    rest = (src_off << 64 | dst2) >> 8 * sent if streams else \
        dst2 and not with_q or src_off and not parity
    if not 1 <= opcode <= 9:
        return HW.ST_OPCODE
    if ctrl >> 10 or arg & ~ARGUMENT.get(opcode, 0) or src and opcode not in READERS or \
            dst and not (opcode in WRITERS or with_p) or rest or \
            periph & (0xfff0 if streams else 0xffffffff):
        return HW.ST_RESERVED
    if opcode == HW.OP_NOP:
        return HW.ST_LENGTH if length else HW.ST_OK
    if not 1 <= length <= MAX_LEN or length % element:
        return HW.ST_LENGTH
    burst = periph >> 16
    if streams and (not WIDTHS >> (periph & 0xf) & 1 or burst > MAX_BURST or
                    max(burst, 1) * element > DEPTH):
        return HW.ST_PERIPH
    if sent > HW.META_SIZE:
        return HW.ST_ARG
    if parity and (not 1 <= arg & 0xff <= MAX_SOURCES or
                   opcode in PQS and not with_p and not with_q):
        return HW.ST_ARG
    unit = element if streams else 1 << ALIGN
    if parity and src % 64 or \
            (src | dst | (0 if streams else length | dst2 | src_off)) % unit:
        return HW.ST_ALIGN
    return HW.ST_OK


def draw(rng, good_src, good_dst, good_list):
    """The fields of a descriptor, most of them good."""
    def mostly(good, bad, odds=8):
        return good if rng.randrange(odds) else bad()

    opcode = mostly(rng.randrange(1, 10), lambda: rng.randrange(256))
    parity = opcode in XORS + PQS
    arg = rng.randrange(256) if opcode == HW.OP_FILL else rng.randrange(1, 10) if parity else 0
    if opcode in PQS:
        arg |= rng.choice((0, 0, HW.ARG_NO_P, HW.ARG_NO_Q))
    if opcode == HW.OP_PQ:
        arg |= rng.choice((0, HW.ARG_CONTINUE))
    if opcode == HW.OP_TX:
        arg = rng.choice((0, rng.randrange(18)))
    if opcode == HW.OP_RX:
        arg = rng.choice((0, HW.ARG_META))
    meta = rng.getrandbits(8 * min(arg, HW.META_SIZE)) if opcode == HW.OP_TX and arg else 0
    with_p = opcode in PQS and not arg & HW.ARG_NO_P
    with_q = opcode in PQS and not arg & HW.ARG_NO_Q
    src = good_list if parity else good_src if opcode in READERS else 0
    dst = good_dst if opcode in WRITERS or with_p else 0
    return (opcode | mostly(0, lambda: 1 << rng.randrange(10, 32), 12),
            mostly(16 * rng.randrange(1, 100) if opcode != HW.OP_NOP else 0,
                   lambda: rng.randrange(8000)),
            mostly(src, lambda: good_src + rng.randrange(64)) if not parity else
            mostly(src, lambda: good_list + rng.randrange(1, 64)),
            mostly(dst, lambda: good_dst + rng.randrange(64)),
            mostly(rng.randrange(64) << 16 | rng.choice((0, 2, 3)) if opcode in STREAMS else 0,
                   lambda: rng.choice((rng.getrandbits(32), rng.randrange(300) << 16 | 2)), 6),
            mostly(arg, lambda: rng.choice((rng.getrandbits(12), 1 << rng.randrange(32), 0))),
            mostly(good_dst + 4096 if with_q else meta & (1 << 64) - 1,
                   lambda: good_dst + rng.randrange(64)),
            mostly(16 * rng.randrange(100) if parity else meta >> 64,
                   lambda: rng.randrange(64)))


@device(LIMITS)
@each("seed", {f"seed{seed}": seed for seed in range(4)})
def test_checks(dev, seed):
    """Descriptors at random get the status that the list of checks gives them."""
    rng = random.Random(seed)
    ch = Channel(dev, 0, log2=8).enable()
    src, dst = dev.m.buffer(pattern(8192)), dev.m.alloc(8192 + MAX_LEN)
    # What a check finds is for other cases: all of this is 0, and so is its parity.
    zero = dev.m.alloc(3 * 8192)
    sources = dev.m.buffer(source_list([zero + 16 * n for n in range(16)], range(16)))
    tried, executed = set(), set()
    for _ in range(8):
        batch = []
        while len(batch) < 200:
            fields = draw(rng, src, dst, sources)
            status = judge(*fields)
            # A good TX or RX would wait for the peer, and who knows what is at dst.
            if status == HW.ST_OK and fields[0] in (*STREAMS, HW.OP_PQ_CHECK):
                continue
            batch.append((descriptor(*fields), DONE if status == HW.ST_OK else
                          refused(status, fields[1])))
            tried.add(status)
            if status == HW.ST_OK:
                executed.add(fields[0])
        ch.outcome(*batch)
    expect(tried, {HW.ST_OK, HW.ST_OPCODE, HW.ST_RESERVED, HW.ST_LENGTH, HW.ST_PERIPH,
                   HW.ST_ALIGN, HW.ST_ARG}, "statuses that were tried")
    expect(executed, {HW.OP_NOP, HW.OP_COPY, HW.OP_FILL, HW.OP_XOR, HW.OP_XOR_CHECK, HW.OP_PQ},
           "opcodes that were executed")


@each("seed", {f"seed{seed}": seed for seed in range(4)})
def test_noise(dev, seed):
    """Descriptors of noise: each is retired, none is executed."""
    rng = random.Random(seed)
    ch = Channel(dev, 0, log2=10).enable()
    first = ch.submit(*(rng.randbytes(48) + bytes(16) for _ in range(1000)))
    # The last of them may have CHAIN.
    ch.submit(nop())
    ch.wait()
    for count in range(first, first + 1000):
        result = ch.result(count)
        ctrl, length = struct.unpack("<II", dev.m.read(ch.slot(count), 8))
        require(result.status not in (HW.ST_PENDING, HW.ST_OK), f"{count}: {result}")
        expect(result.residue, length, f"residue of {count} with ctrl {ctrl:#x}")
    ch.works()


# --- chains of any length -----------------------------------------------------

def expected(chains):
    """Results of a list of transactions, each a length and where it fails, or None."""
    wanted = []
    for length, bad in chains:
        for n in range(length):
            failed = bad is not None and n > bad
            wanted.append(refused(HW.ST_OPCODE, 9) if n == bad else
                          refused(HW.ST_SKIPPED, 0) if failed else DONE)
    return wanted


@each("mode, seed", {f"{name}.seed{seed}": (mode, seed) for seed in range(2)
                     for name, mode in (("sync", SYNC), ("async", ASYNC), ("at_once", ATONCE))})
def test_chains(bench, mode, seed):
    """Transactions of all lengths, some of which fail, over doorbells at random."""
    rng = random.Random(seed)
    dev = bench.device(mode=mode)
    ch = Channel(dev, 0, log2=10).enable()
    drawn = []
    while sum(length for length, _ in drawn) < 900:
        length = rng.choice((1, 2, 3, 5, 31, 32, 33, 64, 100))
        drawn.append((length, rng.choice((None, rng.randrange(length)))))
    for length, bad in drawn:
        for n in range(length):
            flags = CHAIN if n < length - 1 else INT
            ch.post(descriptor(flags, 9) if n == bad else nop(flags))
    total = ch.head
    for bell in sorted({rng.randrange(1, total) for _ in range(30)} | {total}):
        ch.set(HW.CH_DOORBELL, bell)
    ch.wait()
    ch.expect_results(0, *expected(drawn))


# --- anything at any time -----------------------------------------------------

class Monkey:
    """Does anything to a device; then it must still be in good order."""

    def __init__(self, dev, seed, bus=0):
        self.dev = dev
        self.m = dev.m
        self.rng = random.Random(seed)
        self.bus = bus
        self.guards = [dev.m.buffer(b"\x5a" * 4096) for _ in range(2)]
        self.channels = [Channel(dev, n, log2=4, bus=bus) for n in range(8)]
        self.src = dev.m.buffer(pattern(2 * MIB)) + bus
        self.dst = dev.m.alloc(2 * MIB) + bus
        places = [self.src + 1000 * n for n in range(14)] + [self.dst, 0xd0000000]
        self.list = dev.m.buffer(source_list(places, range(16))) + bus
        dev.use_msix()

    def any_descriptor(self):
        rng = self.rng
        length = rng.choice((1, 64, 1000, 5000, 100000, 2 * MIB))
        flags = rng.choice((0, INT, CHAIN, INT | CHAIN))
        src = rng.choice((self.src,) * 8 + (0xd0000000, BAR))
        dst = rng.choice((self.dst,) * 8 + (0xd0000000, BAR, 0xfffff000))
        width, burst = rng.randrange(5), rng.randrange(64)
        count = rng.randrange(1, 17)
        return rng.choice((
            fill(dst, length, burst, flags), xor(self.list, dst, length, count, flags),
            xor_check(self.list, length, count, flags),
            pq(self.list, dst, self.dst + 5000, length, count, flags),
            pq(self.list, dst, None, length, count, flags | HW.ARG_CONTINUE),
            pq_check(self.list, src, dst, length, count, flags, width),
            copy(src, dst, length, flags), tx(src, length & ~63 or 64, width, burst, flags),
            rx(dst, length & ~63 or 64, width, burst, flags), nop(flags),
            descriptor(rng.randrange(256), length)))

    def work(self, ch):
        room = 16 - (ch.head - ch.done()) % 16
        for _ in range(self.rng.randrange(room)):
            ch.post(self.any_descriptor())
        ch.ring_bell()

    def control(self, ch):
        ch.set(HW.CH_CONTROL, self.rng.choice((0, 0, 1, 1, 2, 3, 4, 5, 5, 5, 6, 7)))

    def restart(self, ch):
        ch.set(HW.CH_CONTROL, 0)
        self.m.until(lambda: not ch.get(HW.CH_STATUS), "DISABLED")
        self.m.write(ch.comp, bytes(HW.COMP_SIZE))
        ch.head = 0
        ch.configure()
        ch.set(HW.CH_CONTROL, 1)

    def abort(self, ch):
        ch.set(HW.CH_ABORT, self.rng.choice((ch.head, ch.done(), ch.head + 1)))

    def test_control(self, ch):
        register, value = self.rng.choice((
            (HW.CH_TC_HOLD, 1), (HW.CH_TC_HOLD, 0), (HW.CH_TC_STEP, 2),
            (HW.CH_TC_FAIL, 0x60001), (HW.CH_TC_FAIL_BYTES, 70000),
            (HW.CH_TC_DROP_IRQ, 1), (HW.CH_TC_LIE, 1)))
        ch.set(register, value)

    def device(self, _):
        choice = self.rng.randrange(8)
        if choice == 0:
            self.dev.write(HW.CONTROL, HW.CONTROL_RESET)
        elif choice == 1:
            self.dev.flr()
            self.dev.setup()
        elif choice == 2:
            self.dev.master(False)
            self.dev.master(True)
        elif choice == 3:
            self.m.qmp.command("stop")
            self.m.qmp.command("cont")
        else:
            self.dev.write(HW.EVENT, self.dev.read(HW.EVENT))
            self.dev.write(HW.INT_STATUS, self.dev.read(HW.INT_STATUS))

    def play(self, turns):
        deeds = [self.work] * 10 + [self.restart] * 6 + [self.abort] * 3 + \
            [self.test_control] * 3 + [self.control] * 3 + [self.device]
        for _ in range(turns):
            self.rng.choice(deeds)(self.rng.choice(self.channels))
        self.dev.write(HW.CONTROL, HW.CONTROL_RESET)
        self.m.until(lambda: not self.dev.read(HW.CONTROL), "end of the reset")
        for guard in self.guards:
            require(self.m.read(guard, 4096) == b"\x5a" * 4096, "a guard was hit")
        with self.m.untouched("after the reset"):
            self.dev.read(HW.ID)
        for ch in self.channels:
            ch.enable().works()


SEEDS = {f"seed{seed}": seed for seed in range(4)}


@each("seed", SEEDS)
def test_anything(dev, seed):
    """Whatever the driver does, the device recovers with a reset."""
    Monkey(dev, seed).play(400)


@each("mode, seed", {f"{name}.seed{seed}": (mode, seed) for seed in range(4)
                     for name, mode in (("engines", ASYNC), ("at_once", ATONCE))})
def test_anything_async(bench, mode, seed):
    """The same with engines, and with what is small done in the doorbell."""
    Monkey(bench.device(f"engines={seed + 1}", mode), seed).play(400)


@each("seed", SEEDS)
def test_anything_behind_iommu(bench, seed):
    """The same with engines behind an IOMMU."""
    dev = bench.device("engines=2", ASYNC, extra=ARGUMENTS)
    Iommu(dev.m).map(0x10000000, 0, 16 * MIB)
    Monkey(dev, seed, 0x10000000).play(400)


@each("seed", SEEDS)
def test_anything_registers(bench, seed):
    """Noise written to registers does no harm."""
    dev = bench.device("channels=4", (SYNC, ASYNC)[seed % 2])
    rng = random.Random(seed)
    for _ in range(3000):
        offset = rng.choice((rng.randrange(0, 0x100, 4),
                             HW.CH_BASE + rng.randrange(0, 0x500, 4),
                             rng.randrange(0, HW.BAR_SIZE, 4)))
        if rng.randrange(3):
            dev.write(offset, rng.choice((0, 1, 2, 3, rng.randrange(40), rng.getrandbits(32))))
        else:
            dev.read(offset)
    dev.flr()
    dev.setup()
    Channel(dev, 0).enable().works()


def test_own_record(dev):
    """A COPY onto the channel's own ring and record harms nobody but the driver."""
    ch = Channel(dev, 0).enable()
    src = dev.m.buffer(b"\xff" * 4096)
    ch.submit(copy(src, ch.comp, HW.COMP_SIZE))
    dev.m.settle()
    ch.submit(copy(src, ch.slot(1), HW.DESC_SIZE), copy(src, ch.ring, 1024))
    dev.m.settle()
    expect(ch.state(), HW.STATE_RUNNING, "state")
    ch.disable()
    ch.enable().works()
