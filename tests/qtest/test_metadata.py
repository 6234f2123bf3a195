# SPDX-License-Identifier: GPL-2.0-only
"""Metadata that goes along with the data of TX and RX."""

from qtest.lib import migration
from qtest.lib.dma import (CHAIN, DONE, EMPTIES, META, Channel, Pair, Result, descriptor, meta_of,
                           periph_of, refused, rx, tx, with_meta)
from qtest.lib.hw import HW
from qtest.lib.migration import begin, migrate, receive
from qtest.lib.qemu import expect, require
from qtest.lib.suite import ASYNC, BOTH, both, device, each

SIZE = HW.META_SIZE


def gets(peer, dst, length, *wanted):
    """The peer receives so many bytes with META, once for each; checks the metadata."""
    first = peer.head
    peer.outcome(*[(rx(dst, length, meta=True), DONE)] * len(wanted))
    for i, want in enumerate(wanted):
        expect(peer.meta(first + i).hex(), want.hex(), f"metadata of descriptor {first + i}")


# --- what goes where ----------------------------------------------------------

@each("size", {str(size): size for size in range(SIZE + 1)})
def test_lengths(dev, size):
    """0 to 16 bytes go along; zeroes are written behind them, META_LEN is their number."""
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.outcome((tx(src, 100, meta=meta_of(size, size)), DONE))
    gets(pair.b, src, 100, meta_of(size, size))


def test_last_byte(dev):
    """They go with the last byte of the TX, in and out of the FIFO."""
    pair = Pair(dev)
    src = pair.source(300)
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), DONE), (tx(src, 100), DONE),
                   (tx(src, 1, meta=meta_of(2, 3)), DONE))
    gets(pair.b, src, 99, b"")
    gets(pair.b, src, 1, meta_of(1))
    gets(pair.b, src, 100, b"")
    gets(pair.b, src, 1, meta_of(2, 3))


def test_last_of_several(dev):
    """If several of the bytes moved carry some, that of the last is given."""
    pair = Pair(dev)
    src = pair.source(300)
    pair.a.outcome(*((tx(src, 50, meta=meta_of(n, size)), DONE)
                     for n, size in enumerate((16, 2, 9, 16, 5, 0))))
    gets(pair.b, src, 149, meta_of(1, 2))
    gets(pair.b, src, 101, meta_of(4, 5))
    gets(pair.b, src, 50, b"")


def test_lost(dev):
    """They are lost if the RX that moves their byte has no META; nothing is written."""
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.outcome((tx(src, 10, meta=meta_of(1)), DONE), (tx(src, 10), DONE))
    pair.b.outcome((rx(src, 10), DONE))
    expect(pair.b.result(0), DONE, "status, residue, fault_addr")
    require(pair.m.read(pair.b.slot(0) + META, SIZE) == bytes(SIZE), "meta was written")
    gets(pair.b, src, 10, b"")


def overwritten(pair, *descriptors):
    """Has descriptors fetched by the peer, then writes over their meta."""
    first = pair.b.submit(*descriptors)
    pair.b.stuck(first, "FIFO empty")
    for n in range(len(descriptors)):
        pair.m.write(pair.b.slot(first + n) + META, b"\xee" * SIZE)
    return first


@both
def test_what_is_written(dev):
    """Bytes 0x30 to 0x3f are written, of an RX with META 0x20 to 0x3f, and no others."""
    pair = Pair(dev)
    src = pair.source(100)
    for meta, wanted, given in ((b"", True, bytes(SIZE)), (b"\x77", True, b"\x77" + bytes(15)),
                                (b"", False, b"\xee" * SIZE),
                                (b"\x77", False, b"\xee" * SIZE)):
        data = rx(src, 10, meta=wanted)
        n = overwritten(pair, data)
        pair.a.outcome((tx(src, 10, meta=meta), DONE))
        pair.b.wait()
        expect(pair.m.read(pair.b.slot(n), META).hex(), data[:META].hex(), "bytes 0x00 to 0x1f")
        expect(pair.m.read(pair.b.slot(n) + META, SIZE).hex(), given.hex(), "meta")


@device("fifo-depth=64")
def test_one_for_each_byte(dev):
    """Each byte of a FIFO can carry some, wherever the FIFO begins."""
    pair = Pair(dev, log2=8)
    src = pair.source(64)
    for shift in (0, 1, 40, 64):
        if shift:
            pair.a.run(tx(src, shift, meta=meta_of(9)))
            pair.b.run(rx(src, shift))
        pair.a.outcome(*((tx(src + n, 1, meta=meta_of(shift + n)), DONE) for n in range(64)))
        gets(pair.b, src, 1, *(meta_of(shift + n) for n in range(64)))


def test_both_directions(dev):
    """Each direction has its own."""
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), DONE))
    pair.b.outcome((tx(src, 100, meta=meta_of(2)), DONE))
    gets(pair.a, src, 100, meta_of(2))
    gets(pair.b, src, 100, meta_of(1))


@each("mode", BOTH)
def test_unfinished(bench, mode):
    """A TX longer than the FIFO, an RX that waits: they get theirs when they end."""
    pair = Pair(bench.device("fifo-depth=256", mode))
    src, dst = pair.source(5000), pair.m.alloc(5000)
    pair.a.submit(tx(src, 5000, meta=meta_of(1)), tx(src, 100), tx(src, 256, meta=meta_of(2)))
    gets(pair.b, dst, 4999, b"")
    # Found long before the end, and kept.
    first = pair.b.submit(rx(dst, 301, meta=True))
    pair.m.until(lambda: pair.b.progress() == (first, 301) or pair.b.done() != first, "the end")
    pair.b.wait()
    pair.b.expect_results(first, DONE)
    expect(pair.b.meta(first).hex(), meta_of(1).hex(), "metadata")
    gets(pair.b, dst, 56, meta_of(2))


@both
def test_kept_while_held(dev):
    """What came with the first bytes of an RX is there at its end."""
    pair = Pair(dev)
    src = pair.source(300)
    first = pair.b.submit(rx(src, 300, meta=True), rx(src, 10, meta=True))
    pair.a.outcome((tx(src, 100, meta=meta_of(3, 7)), DONE))
    for _ in range(2):
        pair.b.stuck(first, "FIFO empty")
        pair.a.outcome((tx(src, 100), DONE))
    pair.a.outcome((tx(src, 10), DONE))
    pair.b.wait()
    expect((pair.b.meta(first), pair.b.meta(first + 1)), (meta_of(3, 7), b""), "metadata")


@each("properties", {"1": "engines=1", "2": "engines=2"})
def test_stream(bench, properties):
    """A stream of packets, each with its own, while both sides are at work."""
    pair = Pair(bench.device(properties, ASYNC), log2=8)
    src, dst = pair.source(4000), pair.m.alloc(4000)
    for _ in range(20):
        sizes = [1 + n * 397 % 4000 for n in range(200)]
        first = pair.b.submit(*(rx(dst, size, meta=True) for size in sizes))
        pair.a.submit(*(tx(src, size, meta=meta_of(n)) for n, size in enumerate(sizes)))
        pair.a.wait()
        pair.b.wait()
        for n in range(200):
            expect(pair.b.meta(first + n), meta_of(n), f"metadata of packet {n}")


# --- what ends in another way -------------------------------------------------

def fails(ch, status, count, moved):
    ch.set(HW.CH_TC_FAIL_BYTES, moved)
    ch.set(HW.CH_TC_FAIL, status << 16 | count)


@both
@each("moved", {"all": 100, "most": 99, "none": 0})
def test_failed_tx(dev, moved):
    """A TX that ends with anything but OK has sent none."""
    pair = Pair(dev)
    src = pair.source(100)
    fails(pair.a, HW.ST_WRITE, 1, moved)
    pair.a.run(tx(src, 100, meta=meta_of(1)))
    expect(pair.a.result(0).status, HW.ST_WRITE, "status")
    pair.a.outcome((tx(src, 100 - moved + 1), DONE))
    gets(pair.b, src, 101, b"")


@both
@device("fifo-depth=64")
def test_aborted_tx(dev):
    """A TX that is aborted, or runs into memory that cannot be read, has sent none."""
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.submit(tx(src, 100, meta=meta_of(1)))
    pair.a.stuck(0, "FIFO full")
    pair.a.set(HW.CH_ABORT, 1)
    pair.a.wait()
    pair.a.expect_results(0, refused(HW.ST_ABORTED, 36))
    gets(pair.b, src, 64, b"")
    end = pair.m.size
    pair.a.run(tx(end - 16, 32, meta=meta_of(1)))
    pair.a.expect_results(1, Result(HW.ST_READ, 16, end))
    pair.a.outcome((tx(src, 1), DONE))
    gets(pair.b, src, 17, b"")


@both
def test_failed_rx(dev):
    """They are lost if the RX ends with anything but OK: META_LEN 0, meta not touched."""
    pair = Pair(dev)
    src = pair.source(400)
    fails(pair.b, 77, 1, 100)
    n = overwritten(pair, rx(src, 100, meta=True))
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), DONE))
    pair.b.wait()
    expect(pair.b.result(n), Result(77, 0, 0), "result")
    expect(pair.m.read(pair.b.slot(n) + META, SIZE), b"\xee" * SIZE, "meta")
    # Aborted when its first bytes had come.
    n = overwritten(pair, rx(src, 200, meta=True, flags=CHAIN), rx(src, 10, meta=True))
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), DONE))
    pair.m.settle()
    pair.b.set(HW.CH_ABORT, n + 2)
    pair.b.wait()
    expect((pair.b.result(n), pair.b.result(n + 1)),
           (Result(HW.ST_ABORTED, 100, 0), Result(HW.ST_ABORTED, 10, 0)), "results")
    expect(pair.m.read(pair.b.slot(n) + META, SIZE), b"\xee" * SIZE, "meta")
    pair.a.outcome((tx(src, 5), DONE))
    gets(pair.b, src, 5, b"")


def test_failed_with_ok(dev):
    """A descriptor that the test controls end with OK has sent, and is given, some."""
    pair = Pair(dev)
    src = pair.source(100)
    fails(pair.a, HW.ST_OK, 1, 60)
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), Result(HW.ST_OK, 40, 0)))
    fails(pair.b, HW.ST_OK, 1, 60)
    pair.b.outcome((rx(src, 100, meta=True), Result(HW.ST_OK, 40, 0)))
    expect(pair.b.meta(0), meta_of(1), "metadata")


@both
@each("empty", EMPTIES)
def test_emptied(dev, empty):
    """A FIFO that is emptied has no metadata any more."""
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.outcome((tx(src, 100, meta=meta_of(1)), DONE), (tx(src, 100, meta=meta_of(2)), DONE))
    empty(pair.b)
    dev.m.until(lambda: pair.b.get(HW.CH_STATUS) == 0, "DISABLED")
    pair.b.enable()
    pair.a.outcome((tx(src, 250), DONE))
    gets(pair.b, src, 250, b"")


# --- checks -------------------------------------------------------------------

def refuse(ch, status, *descriptors):
    for data in descriptors:
        length = int.from_bytes(data[4:8], "little")
        ch.outcome((data, refused(status, length)))


def test_reserved(dev):
    """RESERVED: what is behind META_LEN in meta, all of it for RX; bits of arg."""
    ch = Channel(dev, 0).enable()
    src = dev.m.alloc(64)
    for at in range(SIZE):
        one = bytes(at) + b"\x80"
        refuse(ch, HW.ST_RESERVED, with_meta(rx(src, 64), one),
               with_meta(rx(src, 64, meta=True), one), with_meta(tx(src, 64), one),
               *(with_meta(tx(src, 64, meta=bytes(size)), one) for size in range(at + 1)))
        ch.run(*(with_meta(tx(src, 64, meta=bytes(size)), one)
                 for size in range(at + 1, SIZE + 1)))
        ch.expect_results(ch.head - SIZE + at, *[DONE] * (SIZE - at))
        Channel(dev, 1).set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    for bit in range(32):
        if bit >= 5:
            refuse(ch, HW.ST_RESERVED, descriptor(HW.OP_TX, 64, src, 0, arg=1 << bit))
        if bit != 5:
            refuse(ch, HW.ST_RESERVED, descriptor(HW.OP_RX, 64, 0, src, arg=1 << bit))


@each("size", {str(size): size for size in range(SIZE + 1, 32)})
def test_too_long(dev, size):
    """ARG: META_LEN above 16; behind LENGTH and PERIPH, before ALIGN."""
    ch = Channel(dev, 0).enable()
    src = dev.m.alloc(64)

    def one(length=64, src=src, periph=periph_of(0, 1), dst=0):
        return with_meta(descriptor(HW.OP_TX, length, src, dst, periph, size), meta_of(size))

    refuse(ch, HW.ST_ARG, one(), one(src=src + 1, periph=periph_of(1, 1)))
    refuse(ch, HW.ST_RESERVED, one(dst=64))
    refuse(ch, HW.ST_LENGTH, one(length=0))
    refuse(ch, HW.ST_PERIPH, one(periph=periph_of(7, 1), length=128))
    ch.works()


@device(f"x-caps-mask={HW.CAPS_METADATA}")
def test_absent(dev):
    """Without CAPS.METADATA: RESERVED, as anything that a device does not know."""
    require(not dev.read(HW.CAPS) & HW.CAPS_METADATA, "CAPS.METADATA is set")
    pair = Pair(dev)
    src = pair.source(64)
    refuse(pair.a, HW.ST_RESERVED, tx(src, 64, meta=b"\1"), tx(src, 64, meta=bytes(16)),
           descriptor(HW.OP_TX, 64, src, arg=17), rx(src, 64, meta=True),
           with_meta(tx(src, 64), b"\1"), with_meta(rx(src, 64), b"\1"))
    pair.a.outcome((tx(src, 64), DONE))
    pair.b.outcome((rx(src, 64), DONE))


# --- migration ----------------------------------------------------------------

@each("mode", BOTH)
def test_migrated(bench, mode):
    """Migration: what is in a FIFO, in a TX and in an RX in progress is kept."""
    dev = begin(bench, "fifo-depth=256", mode)
    pair, other = Pair(dev), Pair(dev, 2)
    src = pair.source(400)
    # In the FIFO, after it has gone round, and in a descriptor in progress.
    pair.a.run(tx(src, 200, meta=meta_of(9)))
    pair.b.run(rx(src, 200))
    pair.a.submit(*(tx(src, 50, meta=meta_of(n, n + 1)) for n in range(4)),
                  tx(src, 100, meta=meta_of(5)))
    pair.m.until(lambda: pair.a.progress() == (5, 56), "a full FIFO")
    other.b.submit(rx(src, 100, meta=True))
    other.a.outcome((tx(src, 60, meta=meta_of(6, 11)), DONE))
    pair.m.until(lambda: other.b.progress() == (0, 60), "60 bytes")
    there = migrate(bench, dev, properties="fifo-depth=256", mode=mode)
    for one in (pair, other):
        one.a, one.b, one.m = one.a.moved_to(there), one.b.moved_to(there), there.m
    gets(pair.b, src, 50, *(meta_of(n, n + 1) for n in range(4)), b"", meta_of(5))
    pair.a.wait()
    other.a.outcome((tx(src, 40), DONE))
    other.b.wait()
    expect(other.b.meta(0), meta_of(6, 11), "metadata of an RX in progress")
    other.a.outcome((tx(src, 10), DONE))
    gets(other.b, src, 10, b"")


def marked(bench):
    """A stream with two marks in the FIFO of channel 1, and where the marks are in it."""
    dev = begin(bench, "channels=2")
    pair = Pair(dev)
    src = pair.source(100)
    pair.a.outcome((tx(src, 40, meta=meta_of(1, 3)), DONE), (tx(src, 40, meta=meta_of(2)), DONE))
    pair.b.submit(rx(src, 100, 0, 100, meta=True))
    pair.b.stuck(0, "FIFO")
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    # Each: a byte that one follows, `behind`, META_LEN, the metadata.
    return stream, stream.place("ch[1].fifo.marks")[0]


SECOND = 1 + 8 + 1 + SIZE

DAMAGE = {
    "len_zero": (9, 1, 0), "len_large": (9, 1, 17), "len_ones": (9, 1, 255),
    "rest": (9, 1, 2), "behind_all": (1, 8, 81), "behind_none": (1, 8, 0),
    "behind_ones": (1, 8, (1 << 64) - 1), "same_byte": (SECOND + 1, 8, 40),
    "order": (SECOND + 1, 8, 39), "later": (SECOND + 1, 8, 81),
}


@each("offset, size, value", DAMAGE)
def test_damaged(bench, offset, size, value):
    """Marks that cannot be are refused."""
    stream, at = marked(bench)
    at += offset
    stream.data[at:at + size] = value.to_bytes(size, "big")
    stream.save(bench.directory / "damaged")
    receive(bench, "damaged").refuses()


def test_not_damaged(bench):
    """What the cases above damage is good as it is, and is what they take it for."""
    stream, at = marked(bench)
    expect(stream.data[at:at + SECOND + 1].hex(), (
        b"\1" + (40).to_bytes(8, "big") + b"\3" + meta_of(1, 3).ljust(SIZE, b"\0") + b"\1").hex(),
        "the first mark")
    machine = receive(bench, "stream").connect()
    machine.until(lambda: machine.qmp.command("query-status")["running"], "a running machine")


def test_damaged_received(bench):
    """So is what an RX in progress has received, if it cannot be."""
    for value in (17, 255):
        stream, _ = marked(bench)
        stream.set("ch[1].meta[0].len", value).save(bench.directory / "damaged")
        receive(bench, "damaged").refuses()
        (bench.directory / "stream").unlink()
