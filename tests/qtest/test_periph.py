# SPDX-License-Identifier: GPL-2.0-only
"""The peripheral as source and sink of a pattern, and as the CPU has it."""

from qtest.lib import hw, migration
from qtest.lib.dma import (CHAIN, DONE, Channel, Pair, Result, copy, meta_of, pattern, refused,
                           rx, set_pattern, string, tx)
from qtest.lib.hw import HW, ONES
from qtest.lib.migration import MEMORY, begin, migrate
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import by_channel_reset, by_device_reset, by_function_reset
from qtest.lib.suite import ASYNC, BOTH, both, device, each

RESETS = {way.__name__[3:]: way for way in (by_channel_reset, by_device_reset,
                                            by_function_reset)}


def with_pattern(dev, index=0, seed=0, **options):
    ch = Channel(dev, index, **options).enable()
    set_pattern(ch, seed)
    return ch


def receives(ch, want, **how):
    dst = ch.m.alloc(len(want))
    ch.outcome((rx(dst, len(want), **how), DONE))
    require(ch.m.read(dst, len(want)) == want, "what was received is not the pattern")


def sends(ch, data, **how):
    ch.outcome((tx(ch.m.buffer(data), len(data), **how), DONE))


# --- registers ----------------------------------------------------------------


def nothing_there(dev, ch):
    with dev.no_guest_error("registers that are not there"):
        for name in hw.CH_PERIPHERAL:
            ch.set(getattr(HW, name), ONES)
            expect(ch.get(getattr(HW, name)), 0, name)


@device(f"x-caps-mask={HW.CAPS_PERIPH}")
def test_absent(dev):
    """Without CAPS.PERIPH the registers read 0 and ignore writes."""
    require(not dev.read(HW.CAPS) & HW.CAPS_PERIPH, "CAPS.PERIPH is set")
    pair = Pair(dev)
    src, dst = pair.source(64), dev.m.alloc(64)
    nothing_there(dev, pair.a)
    pair.a.outcome((tx(src, 64), DONE))
    nothing_there(dev, pair.b)
    pair.b.outcome((rx(dst, 64), DONE))
    pair.received(dst, 64)


@each("properties, index",
      {"last": ("channels=5", 4), "only": ("channels=1", 0), "none": ("loopback=off", 1)})
def test_without_peer(bench, properties, index):
    """So they do for a channel that has no peer."""
    dev = bench.device(properties)
    nothing_there(dev, Channel(dev, index))


@both
@each("way", RESETS)
def test_reset(dev, way):
    """A reset sets the positions to 0; disabling leaves them."""
    ch = with_pattern(dev, seed=7)
    receives(ch, string(7, 0, 10))
    sends(ch, string(7, 0, 20))
    ch.disable()
    ch.enable()
    receives(ch, string(7, 10, 5))
    sends(ch, string(7, 20, 5))
    way(ch)
    ch.enable()
    set_pattern(ch, 7)
    receives(ch, string(7, 0, 10))
    sends(ch, string(7, 0, 10))


# --- the pattern --------------------------------------------------------------

@each("seed", {str(seed): seed for seed in (0, 1, 0x80, 0xff)})
def test_source(dev, seed):
    """RX is given the string from the source's position, whatever the widths and bursts."""
    ch = with_pattern(dev, seed=seed)
    at = 0
    for length, width, burst in ((1, 0, 1), (255, 0, 256), (512, 3, 7), (4096, 6, 64),
                                 (60000, 2, 100), (70000, 0, 0)):
        receives(ch, string(seed, at, length), width=width, burst=burst)
        at += length


@each("seed", {str(seed): seed for seed in (0, 1, 0x80, 0xff)})
def test_sink(dev, seed):
    """TX must send the string from the sink's position, and ends with OK then."""
    ch = with_pattern(dev, seed=seed)
    at = 0
    for length, width, burst in ((1, 0, 1), (255, 0, 256), (512, 3, 7), (4096, 6, 64),
                                 (60000, 2, 100), (70000, 0, 0)):
        sends(ch, string(seed, at, length), width=width, burst=burst)
        at += length


@each("position", {f"{position:#x}": position for position in (0xffffff, 0xffffff00, ONES)})
def test_far(bench, position):
    """The string goes on to 2^32 bytes, and begins anew then."""
    dev = begin(bench)
    ch = with_pattern(dev, seed=0x55)
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set("ch[0].source", position).set("ch[0].sink", position - 3)
    there = migration.load(bench, stream.save(bench.directory / "edited"), dev, memory=MEMORY)
    ch = ch.moved_to(there)
    receives(ch, string(0x55, position, 600))
    sends(ch, string(0x55, position - 3, 600))


def test_independent(dev):
    """The positions count by themselves, and are set to 0 by any write of CH_PERIPH."""
    ch, other = with_pattern(dev, seed=9), with_pattern(dev, 1, seed=9)
    receives(ch, string(9, 0, 100))
    sends(ch, string(9, 0, 30))
    receives(other, string(9, 0, 7))
    receives(ch, string(9, 100, 100))
    sends(ch, string(9, 30, 30))
    for seed in (9, 9, 10):
        set_pattern(ch, seed)
        receives(ch, string(seed, 0, 50))
        sends(ch, string(seed, 0, 60))
    receives(other, string(9, 7, 7))


@both
@each("at, length, burst",
      {"first": (0, 64, 1), "second": (1, 64, 64), "burst_edge": (32, 64, 32),
       "in_a_burst": (33, 64, 32), "last": (63, 64, 64), "of_many": (70001, 80000, 256)})
def test_mismatch(dev, at, length, burst):
    """The first byte that differs ends the descriptor with DATA; nothing from it on counts."""
    ch = with_pattern(dev, seed=3)
    data = bytearray(string(3, 0, length))
    data[at] ^= 0x10
    src = dev.m.buffer(bytes(data))
    ch.run(tx(src, length, 0, burst))
    ch.expect_results(0, Result(HW.ST_DATA, length - at, 0))
    expect(ch.get(HW.CH_CNT_BYTES_LO), at, "CH_CNT_BYTES_LO")
    # The position is that of the byte that is expected, again and again.
    ch.run(tx(src + at, length - at, 0, burst))
    ch.expect_results(1, Result(HW.ST_DATA, length - at, 0))
    sends(ch, string(3, at, 100))
    expect(ch.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL")


@each("mode", BOTH)
def test_mismatch_in_chain(bench, mode):
    """The rest of the transaction is skipped; what follows is executed."""
    dev = bench.device("engines=1", mode)
    ch = with_pattern(dev, log2=6)
    good, bad = dev.m.buffer(string(0, 0, 100)), dev.m.buffer(b"\xff" * 100)
    for _ in range(10):
        set_pattern(ch)
        ch.outcome((tx(good, 40, flags=CHAIN), DONE),
                   (tx(bad, 50, flags=CHAIN), Result(HW.ST_DATA, 50, 0)),
                   (tx(good + 40, 10, flags=CHAIN), refused(HW.ST_SKIPPED, 10)),
                   (copy(good, bad, 20), refused(HW.ST_SKIPPED, 20)),
                   (tx(good + 40, 10), DONE), (tx(bad, 1), Result(HW.ST_DATA, 1, 0)),
                   (tx(good + 50, 50), DONE))
    expect(dev.m.read(bad, 100), b"\xff" * 100, "what was to be skipped")


@both
@device("fifo-depth=64")
def test_fifos_left(dev):
    """Switching leaves what is in the FIFOs; each channel has its own CH_PERIPH."""
    pair = Pair(dev)
    src, dst = pair.source(64), dev.m.alloc(64)
    pair.a.run(tx(src, 40))
    set_pattern(pair.b, 5)
    receives(pair.b, string(5, 0, 500))
    sends(pair.b, string(5, 0, 500))
    # The peer still sends to it, as far as there is room.
    pair.a.run(tx(src + 40, 24))
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 64, "CH_FIFO_LEVEL")
    expect(pair.a.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL of the peer")
    pair.b.set(HW.CH_PERIPH, 0)
    pair.b.outcome((rx(dst, 64), DONE))
    pair.received(dst, 64)


@each("mode", BOTH)
def test_switched(bench, mode):
    """What is held by a FIFO goes on when CH_PERIPH is written."""
    dev = bench.device("fifo-depth=64", mode)
    pair = Pair(dev)
    dst = dev.m.alloc(1000)
    pair.b.submit(rx(dst, 1000))
    pair.b.stuck(0, "FIFO empty")
    set_pattern(pair.b, 1)
    pair.b.wait()
    require(dev.m.read(dst, 1000) == string(1, 0, 1000), "what was received differs")
    data = pattern(64) + string(2, 0, 936)
    pair.a.submit(tx(dev.m.buffer(data), 1000))
    pair.a.fills(pair.b, 64)
    set_pattern(pair.a, 2)
    pair.a.wait()
    pair.a.expect_results(0, DONE)


def test_no_metadata(dev):
    """The pattern has no metadata; what is sent to the sink is dropped."""
    pair = Pair(dev)
    dst = dev.m.alloc(64)
    set_pattern(pair.a)
    sends(pair.a, string(0, 0, 64), meta=meta_of(1))
    pair.a.outcome((rx(dst, 64, meta=True), DONE))
    expect(pair.a.meta(1), b"", "metadata")
    pair.a.set(HW.CH_PERIPH, 0)
    pair.a.outcome((tx(dst, 64), DONE))
    pair.b.outcome((rx(dst, 64, meta=True), DONE))
    expect(pair.b.meta(0), b"", "metadata")


@each("properties", {"1": "engines=1", "2": "engines=2"})
def test_at_work(bench, properties):
    """Source and sink of all channels at once, beside the CPU."""
    dev = bench.device(properties, ASYNC)
    channels = [with_pattern(dev, index, index) for index in range(8)]
    want = [string(index, 0, MIB // 2) for index in range(8)]
    places = [dev.m.buffer(data) for data in want]
    for ch, place in zip(channels, places):
        ch.submit(tx(place, MIB // 2, 3, 100), rx(place, MIB // 2, 3, 100))
    for ch, place, data in zip(channels, places, want):
        ch.wait()
        ch.expect_results(0, DONE, DONE)
        require(dev.m.read(place, MIB // 2) == data, "what was received is not the pattern")


# --- the CPU's window ---------------------------------------------------------

def words(data):
    return [int.from_bytes(data[n:n + 4], "little") for n in range(0, len(data), 4)]


def takes(dev, ch, data):
    """Reads of CH_FIFO_DATA give these bytes."""
    with dev.no_guest_error("reads of CH_FIFO_DATA"):
        for want in words(data):
            expect(ch.get(HW.CH_FIFO_DATA), want, "CH_FIFO_DATA")


def gives(dev, ch, data):
    with dev.no_guest_error("writes of CH_FIFO_DATA"):
        for word in words(data):
            ch.set(HW.CH_FIFO_DATA, word)


@device("fifo-depth=64")
def test_window(dev):
    """CH_FIFO_DATA: 4 bytes as RX would move them, and as TX would."""
    pair = Pair(dev)
    dst = dev.m.alloc(64)
    for _ in range(5):
        sends(pair.a, pattern(23))
        takes(dev, pair.b, pattern(20))
        gives(dev, pair.a, pattern(28, 1))
        pair.b.outcome((rx(dst, 31), DONE))
        expect(dev.m.read(dst, 31), pattern(23)[20:] + pattern(28, 1), "what was received")
        gives(dev, pair.a, pattern(64))
        takes(dev, pair.b, pattern(64))


@device("fifo-depth=64")
def test_window_empty(dev):
    """With fewer than 4 bytes a read takes none, returns 0, and is a guest error."""
    pair = Pair(dev)
    dst = dev.m.alloc(64)
    for size in range(4):
        if size:
            sends(pair.a, pattern(size))
        with dev.guest_error(f"read with {size} bytes there"):
            expect(pair.b.get(HW.CH_FIFO_DATA), 0, "CH_FIFO_DATA")
        expect(pair.b.get(HW.CH_FIFO_LEVEL), size, "CH_FIFO_LEVEL")
        if size:
            pair.b.outcome((rx(dst, size), DONE))
            expect(dev.m.read(dst, size), pattern(size), "data")


@device("fifo-depth=64")
def test_window_full(dev):
    """With room for fewer than 4 bytes a write is ignored, and a guest error."""
    pair = Pair(dev)
    dst = dev.m.alloc(64)
    for room in range(4):
        sends(pair.a, pattern(64 - room))
        with dev.guest_error(f"write with room for {room} bytes"):
            pair.a.set(HW.CH_FIFO_DATA, ONES)
        expect(pair.b.get(HW.CH_FIFO_LEVEL), 64 - room, "CH_FIFO_LEVEL")
        pair.b.outcome((rx(dst, 64 - room), DONE))
        expect(dev.m.read(dst, 64 - room), pattern(64 - room), "data")


@each("mode", BOTH)
def test_window_wakes(bench, mode):
    """It wakes a channel that is held by the FIFO."""
    dev = bench.device("fifo-depth=64", mode)
    pair = Pair(dev)
    src, dst = pair.source(72), dev.m.alloc(64)
    pair.b.submit(rx(dst, 8, 0, 8))
    pair.b.stuck(0, "FIFO empty")
    gives(dev, pair.a, pattern(8))
    pair.b.wait()
    expect(dev.m.read(dst, 8), pattern(8), "data")
    pair.a.submit(tx(src, 72, 0, 8))
    pair.a.fills(pair.b, 64)
    takes(dev, pair.b, pattern(8))
    pair.a.wait()
    takes(dev, pair.b, pattern(72)[8:])


def test_window_pattern(dev):
    """It is the window to source and sink as well, with the positions of RX and TX."""
    ch = with_pattern(dev, seed=0x42)
    takes(dev, ch, string(0x42, 0, 400))
    receives(ch, string(0x42, 400, 3))
    takes(dev, ch, string(0x42, 403, 8))
    gives(dev, ch, string(0x42, 0, 400))
    sends(ch, string(0x42, 400, 3))
    for byte in range(4):
        bad = bytearray(string(0x42, 403, 4))
        bad[byte] ^= 1
        with dev.guest_error(f"byte {byte} that is not the pattern's"):
            ch.set(HW.CH_FIFO_DATA, words(bad)[0])
    gives(dev, ch, string(0x42, 403, 8))


@both
@device("fifo-depth=64")
def test_window_in_any_state(dev):
    """It works in any state of the channel, and is not slowed down by CH_RATE."""
    a, b = Channel(dev, 0), Channel(dev, 1)
    for ch in (a, b):
        ch.set(HW.CH_RATE, 1)
    gives(dev, a, pattern(64))
    takes(dev, b, pattern(64))
    a.enable().pause()
    b.enable()
    b.set(HW.CH_DOORBELL, 1000)
    b.expect_error("DOORBELL")
    gives(dev, a, pattern(64))
    takes(dev, b, pattern(64))
    set_pattern(a, 1)
    takes(dev, a, string(1, 0, 64))
    gives(dev, a, string(1, 0, 64))


def test_window_drops_metadata(dev):
    """CH_FIFO_DATA neither sends nor gives metadata."""
    pair = Pair(dev)
    dst = dev.m.alloc(64)
    sends(pair.a, pattern(10), meta=meta_of(1))
    sends(pair.a, pattern(10), meta=meta_of(2))
    takes(dev, pair.b, pattern(10)[:8])
    expect(pair.b.get(HW.CH_FIFO_DATA), words(pattern(10)[8:] + pattern(2))[0], "CH_FIFO_DATA")
    pair.b.outcome((rx(dst, 7, meta=True), DONE), (rx(dst, 1, meta=True), DONE))
    expect((pair.b.meta(0), pair.b.meta(1)), (b"", meta_of(2)), "metadata")
    gives(dev, pair.a, pattern(4))
    pair.b.outcome((rx(dst, 4, meta=True), DONE))
    expect(pair.b.meta(2), b"", "metadata")


def test_window_at_work(bench):
    """The CPU and the engines take from one string without a gap."""
    dev = bench.device("engines=2", ASYNC)
    ch = with_pattern(dev, 2, 6)
    size = 1 << 20
    dst = dev.m.alloc(size)
    ch.submit(rx(dst, size, 0, 16))
    taken = [ch.get(HW.CH_FIFO_DATA)]
    while ch.done() == 0:
        taken.append(ch.get(HW.CH_FIFO_DATA))
    receives(ch, string(6, size + 4 * len(taken), 100))


# --- migration ----------------------------------------------------------------

@each("mode", BOTH)
def test_migrated(bench, mode):
    """Migration: seed and positions are kept."""
    dev = begin(bench, mode=mode)
    ch = with_pattern(dev, seed=0x99)
    receives(ch, string(0x99, 0, 777))
    sends(ch, string(0x99, 0, 333))
    there = migrate(bench, dev, mode=mode)
    ch = ch.moved_to(there)
    receives(ch, string(0x99, 777, 777))
    sends(ch, string(0x99, 333, 777))


def test_checks(dev):
    """The checks of widths, bursts and alignment are those of the loopback."""
    ch = with_pattern(dev)
    dst = dev.m.alloc(8192)
    ch.outcome((rx(dst, 64, 7), refused(HW.ST_LENGTH, 64)),
               (rx(dst, 8192, 0, 8192), refused(HW.ST_PERIPH, 8192)),
               (rx(dst + 1, 64, 1), refused(HW.ST_ALIGN, 64)), (rx(dst, 64), DONE))
    expect(dev.m.read(dst, 64), string(0, 0, 64), "data")
