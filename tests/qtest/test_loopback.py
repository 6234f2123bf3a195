# SPDX-License-Identifier: GPL-2.0-only
"""The loopback peripheral."""

from qtest.lib.dma import (DONE, EMPTIES, MEMORY_CAPS, PENDING, Channel, Pair, descriptor,
                           pattern, refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.qemu import expect, require
from qtest.lib.suite import both, device, each


BURSTS = (0, 1, 2, 3, 7, 16, 63, 64, 255, 256)


@both
@each("width", {f"{1 << width}": width for width in range(7)})
def test_widths_and_bursts(dev, width):
    """What a channel transmits its peer receives, with each width and burst."""
    pair = Pair(dev)
    depth = dev.read(HW.FIFO_DEPTH)
    length = 3 << width + 6
    for burst in (n for n in BURSTS if n << width <= depth):
        src, dst = pair.source(length, burst), pair.m.alloc(length)
        pair.a.submit(tx(src, length, width, burst))
        pair.b.submit(rx(dst, length, width, burst))
        pair.a.wait()
        pair.b.wait()
        expect(pair.a.result(pair.a.head - 1), DONE, f"TX, burst {burst}")
        expect(pair.b.result(pair.b.head - 1), DONE, f"RX, burst {burst}")
        pair.received(dst, length, burst)


@both
def test_sides_differ(dev):
    """A FIFO is a string of bytes: widths, bursts and lengths may differ."""
    pair = Pair(dev)
    length = 6720
    src, dst = pair.source(length), pair.m.alloc(length)
    pair.a.post(tx(src, 2688, 3, 16), tx(src + 2688, 2016, 0, 9), tx(src + 4704, 2016, 5, 1))
    at = 0
    for part, width, burst in ((1, 0, 1), (839, 0, 256), (3360, 2, 33), (2520, 1, 0)):
        pair.b.post(rx(dst + at, part, min(width, 0 if (dst + at) % 4 else width), burst))
        at += part
    pair.a.ring_bell()
    pair.b.ring_bell()
    pair.a.wait()
    pair.b.wait()
    expect(at, length, "length")
    pair.received(dst, length)


@both
def test_receiver_first(dev):
    """An RX waits for its peer, however long, and goes on then."""
    pair = Pair(dev)
    src, dst = pair.source(300), pair.m.alloc(300)
    pair.b.submit(rx(dst, 300))
    for n in range(3):
        pair.b.stuck(0, "FIFO empty")
        pair.a.outcome((tx(src + 100 * n, 100), DONE))
    pair.b.wait()
    pair.received(dst, 300)


@both
@device("fifo-depth=4096")
@each("width, burst, moved",
      {"bytes": (0, 1, 4096), "odd": (0, 100, 4000), "words": (2, 16, 4096),
       "large": (6, 40, 2560), "full": (4, 256, 4096)})
def test_full(dev, width, burst, moved):
    """A TX moves its next burst only when that fits; a full FIFO holds it."""
    pair = Pair(dev)
    length = 8192
    src, dst = pair.source(length), pair.m.alloc(length)
    pair.a.submit(tx(src, length, width, burst))
    pair.a.stuck(0, "FIFO full")
    expect(pair.a.get(HW.CH_CNT_BYTES_LO), moved, "bytes in the FIFO")
    pair.a.expect_results(0, PENDING)
    at = 0
    while at < length:
        part = min(512, length - at)
        pair.b.outcome((rx(dst + at, part), DONE))
        at += part
    pair.a.wait()
    pair.a.expect_results(0, DONE)
    pair.received(dst, length)


@both
@device("fifo-depth=4096")
def test_last_burst(dev):
    """A burst is what is left of the descriptor if that is less."""
    pair = Pair(dev)
    src, dst = pair.source(4096), pair.m.alloc(4096)
    # 3900 bytes leave room for 196, less than a burst, as much as is left.
    pair.a.outcome((tx(src, 3900, 0, 200), DONE), (tx(src + 3900, 196, 0, 200), DONE))
    pair.b.outcome((rx(dst, 4000, 0, 256), DONE), (rx(dst + 4000, 96, 0, 256), DONE))
    pair.received(dst, 4096)


@both
def test_alone(dev):
    """The end of one descriptor does not complete a burst of the next."""
    pair = Pair(dev)
    src, dst = pair.source(1000), pair.m.buffer(bytes(1000))
    pair.a.run(tx(src, 150))
    pair.b.submit(rx(dst, 300, 0, 100))
    pair.b.stuck(0, "50 bytes of 100")
    expect(pair.m.read(dst + 100, 50), bytes(50), "bytes of a burst that is not there")
    expect(pair.b.get(HW.CH_CNT_BYTES_LO), 100, "CH_CNT_BYTES_LO")
    pair.a.run(tx(src + 150, 49))
    pair.b.stuck(0, "99 bytes of 100")
    pair.a.run(tx(src + 199, 1))
    pair.b.stuck(0, "0 bytes of 100")
    expect(pair.b.get(HW.CH_CNT_BYTES_LO), 200, "CH_CNT_BYTES_LO")
    pair.a.run(tx(src + 200, 100))
    pair.b.wait()
    pair.received(dst, 300)


@both
def test_around(dev):
    """A FIFO goes around without a byte lost."""
    pair = Pair(dev)
    src, dst = pair.source(1000), pair.m.alloc(1000)
    for n in range(1, 100):
        length = n * 37 % 999 + 1
        pair.a.outcome((tx(src, length), DONE))
        pair.b.outcome((rx(dst, length), DONE))
        pair.received(dst, length)


@both
def test_both_directions(dev):
    """Both peers transmit and receive at once, more than a FIFO holds."""
    pair = Pair(dev, 2)
    length = 14000
    places = []
    for seed, ch in enumerate((pair.a, pair.b)):
        src, dst = pair.source(length, seed), pair.m.alloc(length)
        places.append((dst, 1 - seed))
        for at in range(0, length, 2000):
            ch.post(tx(src + at, 2000, 0, 100), rx(dst + at, 2000, 0, 100))
    pair.a.ring_bell()
    pair.b.ring_bell()
    pair.a.wait()
    pair.b.wait()
    for dst, seed in places:
        pair.received(dst, length, seed)


def test_to_itself_never(dev):
    """RX takes from its own FIFO, TX fills the peer's."""
    pair = Pair(dev)
    src, dst = pair.source(64), pair.m.alloc(64)
    pair.a.run(tx(src, 64))
    pair.a.submit(rx(dst, 64))
    pair.a.stuck(1, "its own FIFO is empty")
    pair.b.outcome((rx(dst, 64), DONE))
    pair.b.run(tx(src, 64))
    pair.a.wait()


@device("channels=8")
def test_pairs(dev):
    """Channels 2k and 2k + 1 are peers; pairs do not mix."""
    made = [Pair(dev, first) for first in range(0, 8, 2)]
    for seed, pair in enumerate(made):
        pair.a.run(tx(pair.source(500, seed), 500))
    for seed, pair in enumerate(made):
        dst = pair.m.alloc(500)
        pair.b.outcome((rx(dst, 500), DONE))
        pair.received(dst, 500, seed)


@device("channels=5")
def test_odd_count(dev):
    """If the number of channels is odd, the last has no peer."""
    Pair(dev, 2)
    ch = Channel(dev, 4).enable()
    expect(ch.get(HW.CH_CAPS), MEMORY_CAPS, "CH_CAPS")
    src = dev.m.alloc(64)
    ch.outcome((tx(src, 64), refused(HW.ST_OPCODE, 64)), (rx(src, 64),
                                                         refused(HW.ST_OPCODE, 64)))
    ch.works()


# --- the peer comes and goes --------------------------------------------------

@both
def test_peer_disabled(dev):
    """TX towards a DISABLED channel fills its FIFO and is held; enabling keeps the bytes."""
    a, b = Channel(dev, 0).enable(), Channel(dev, 1)
    depth = dev.read(HW.FIFO_DEPTH)
    src, dst = dev.m.buffer(pattern(depth + 100)), dev.m.alloc(depth + 100)
    a.submit(tx(src, depth + 100))
    a.stuck(0, "FIFO full")
    expect(a.get(HW.CH_CNT_BYTES_LO), depth, "CH_CNT_BYTES_LO")
    b.enable()
    a.stuck(0, "FIFO full")
    b.outcome((rx(dst, depth + 100), DONE))
    a.wait()
    require(dev.m.read(dst, depth + 100) == pattern(depth + 100), "data differs")


@both
@each("empty", EMPTIES)
def test_emptied(dev, empty):
    """The FIFO of a channel is emptied when the channel is disabled or reset."""
    pair = Pair(dev)
    src, dst = pair.source(500), pair.m.alloc(500)
    pair.a.run(tx(src, 300))
    empty(pair.b)
    dev.m.until(lambda: pair.b.get(HW.CH_STATUS) == 0, "DISABLED")
    pair.b.enable()
    pair.b.submit(rx(dst, 100))
    pair.b.stuck(0, "FIFO empty")
    pair.a.run(tx(src + 400, 100))
    pair.b.wait()
    pair.received(dst, 100, start=400)


@both
def test_emptied_while_disabled(dev):
    """A reset empties the FIFO of a channel that is DISABLED already."""
    a, b = Channel(dev, 0).enable(), Channel(dev, 1)
    src = dev.m.buffer(pattern(300))
    a.run(tx(src, 300))
    b.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    dev.m.until(lambda: not b.get(HW.CH_CONTROL), "end of the reset")
    b.enable().submit(rx(src, 1))
    b.stuck(0, "FIFO empty")


@both
@each("empty", EMPTIES)
def test_emptied_lets_go(dev, empty):
    """A sender that is held by a full FIFO goes on when that is emptied."""
    pair = Pair(dev)
    depth = dev.read(HW.FIFO_DEPTH)
    src = pair.source(2 * depth)
    pair.a.submit(tx(src, 2 * depth))
    pair.a.stuck(0, "FIFO full")
    empty(pair.b)
    pair.a.wait()
    pair.a.expect_results(0, DONE)


@both
def test_sender_leaves(dev):
    """Disabling the sender leaves what it has sent."""
    pair = Pair(dev)
    src, dst = pair.source(300), pair.m.alloc(300)
    pair.a.run(tx(src, 300))
    pair.a.disable()
    pair.b.outcome((rx(dst, 300), DONE))
    pair.received(dst, 300)


def test_kept_for_later(dev):
    """What was sent to a channel that was never enabled is there when it is."""
    a, b = Channel(dev, 0).enable(), Channel(dev, 1)
    src, dst = dev.m.buffer(pattern(300)), dev.m.alloc(300)
    a.run(tx(src, 300))
    a.disable()
    b.enable().outcome((rx(dst, 300), DONE))
    expect(dev.m.read(dst, 300), pattern(300), "data received")


@both
def test_disabled_in_progress(dev):
    """Disabling a held channel: no status is written for the descriptor in progress."""
    pair = Pair(dev)
    src, dst = pair.source(300), pair.m.alloc(300)
    pair.b.submit(rx(dst, 300))
    pair.b.stuck(0, "FIFO empty")
    pair.b.disable()
    pair.a.run(tx(src, 300))
    dev.m.settle()
    pair.b.expect_results(0, PENDING)
    expect(pair.b.done(), 0, "done")
    expect(dev.m.read(dst, 300), bytes(300), "destination")
    pair.b.enable().outcome((rx(dst, 300), DONE))
    pair.received(dst, 300)


@both
def test_done_up_to_date(dev):
    """done is up to date while the channel is held."""
    pair = Pair(dev)
    dst = pair.m.alloc(64)
    pair.b.submit(*[descriptor(HW.OP_NOP)] * 9, rx(dst, 64))
    pair.b.wait(9)
    pair.b.stuck(9, "FIFO empty")


@both
@device("fifo-depth=64")
def test_smallest(dev):
    """A small FIFO moves as much as a large one, in more steps."""
    pair = Pair(dev)
    src, dst = pair.source(50000), pair.m.alloc(50000)
    pair.a.submit(tx(src, 50000, 0, 31))
    pair.b.submit(rx(dst, 50000, 0, 32))
    pair.a.wait()
    pair.b.wait()
    pair.received(dst, 50000)


@both
@device("max-len=4M")
def test_long_transfer(dev):
    """A transfer of MAX_LEN through the FIFO."""
    pair = Pair(dev)
    length = 4 << 20
    src, dst = pair.source(length), pair.m.alloc(length)
    pair.a.submit(tx(src, length, 3, 256))
    pair.b.submit(rx(dst, length, 3, 256))
    pair.a.wait()
    pair.b.wait()
    pair.received(dst, length)
