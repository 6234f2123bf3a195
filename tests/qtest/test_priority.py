# SPDX-License-Identifier: GPL-2.0-only
"""Classes of channels: who is served first, and who has to leave."""

from qtest.lib.dma import DONE, MASK, copy, fill, pattern
from qtest.lib.hw import HW
from qtest.lib.priority import LENGTH, Hog, channel, higher_first, ring_together
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, device, each

CLASSES = range(HW.CH_PRIORITY_CLASS + 1)


@device("loopback=off")
def test_without_peripheral(dev):
    """CAPS.PRIORITY needs no loopback."""
    require(dev.read(HW.CAPS) & HW.CAPS_PRIORITY, "CAPS.PRIORITY is not set")
    channel(dev, 0, 3).works()


# --- order, without engines ---------------------------------------------------

LEVELS = {f"{low}_{high}": (low, high) for high in CLASSES for low in range(high)}


@each("low, high, first", {f"{name}_{first}": (*levels, first) for name, levels in LEVELS.items()
                           for first in ("low", "high")})
def test_higher_first(dev, low, high, first):
    """The channel of the highest class is served, until it has nothing more to do."""
    higher_first(dev, low, high, first)


@each("level", {str(level): level for level in CLASSES})
def test_in_turn(dev, level):
    """Within a class channels are served in turn."""
    many, one = channel(dev, 0, level), channel(dev, 1, level)
    buffer, cell, seen = dev.m.alloc(8 * MIB), dev.m.alloc(1), dev.m.alloc(1)
    for first, second in ((many, one), (one, many)):
        dev.m.write(cell, b"\x11")
        many.post(fill(buffer, 4 * MIB, 1), fill(buffer, 4 * MIB, 2), fill(cell, 1, 0x5a))
        one.post(copy(cell, seen, 1))
        ring_together(first, second)
        expect(dev.m.read(seen, 1), b"\x11", "what was seen while the other was at work")


def test_written_meanwhile(dev):
    """CH_PRIORITY is in force from the next decision on."""
    slow, fast = channel(dev, 0), channel(dev, 1)
    buffer, cell, seen = dev.m.alloc(4 * MIB), dev.m.alloc(1), dev.m.alloc(1)
    fast.post(fill(buffer, 4 * MIB, 1), fill(buffer, 4 * MIB, 2), fill(cell, 1, 0x5a))
    slow.post(copy(cell, seen, 1))
    dev.m.qtest.batch([slow.write_line(HW.CH_DOORBELL, 1), fast.write_line(HW.CH_DOORBELL, 3),
                       fast.write_line(HW.CH_PRIORITY, 1)])
    fast.wait()
    slow.wait()
    expect(dev.m.read(seen, 1), b"\x5a", "what the lower class has seen")


# --- with engines -------------------------------------------------------------

CHUNK = 64 * 1024
CHUNKS = LENGTH // CHUNK    # as many descriptors as one turn executes
TURN = MIB // CHUNK         # chunks of a turn

# QEMU's log tells which channels engines were made to leave.
TRACE = ("-trace", "loopdma_outranked")


def outranked(dev):
    return [line for line in dev.m.complaints() if "loopdma_outranked" in line]


class Probe:
    """A channel that looks, by itself, at how far a hog has got."""

    def __init__(self, dev, hog, index=1, level=0):
        self.m = dev.m
        self.ch = channel(dev, index, level, log2=6)
        self.hog = hog
        self.cells = dev.m.alloc(CHUNKS)

    def submit(self):
        """The last byte of each chunk is copied."""
        self.ch.submit(*[copy(self.hog.buffer + (n + 1) * CHUNK - 1, self.cells + n, 1)
                         for n in range(CHUNKS)])

    def run(self):
        self.submit()
        self.ch.wait()

    def seen(self):
        """How many chunks of its turn the hog had filled."""
        cells = self.m.read(self.cells, CHUNKS)
        return (len(cells) - len(cells.lstrip(cells[:1]))) % TURN


def looks(hog, probe, rounds=1):
    """What was seen as long as the hog was at work, so many times."""
    seen = set()
    for _ in range(rounds):
        hog.start()
        while hog.busy():
            probe.run()
            if hog.busy():
                seen.add(probe.seen())
        hog.end()
    return seen


@each("low, high", {f"{low}_{high}": (low, high) for low, high in ((0, 1), (0, 3), (2, 3))})
def test_overtakes(bench, low, high):
    """An engine leaves a channel at a chunk edge when one of a higher class could go on."""
    dev = bench.device("engines=1,max-len=2M", ASYNC, extra=TRACE)
    hog = Hog(dev, 0, low)
    probe = Probe(dev, hog, 1, high)
    # Some of the looks will not be at the end of a turn, if turns are cut.
    dev.m.until(lambda: any(looks(hog, probe)), "a look in the middle of a turn")
    require(outranked(dev), "the trace does not tell")
    expect(hog.ch.get(HW.CH_CNT_BYTES_LO), hog.ch.head * LENGTH & 0xffffffff,
           "CH_CNT_BYTES_LO")


@each("level, other", {"same": (2, 2), "lower": (2, 1), "default": (0, 0)})
def test_not_cut(bench, level, other):
    """No channel is cut for one of the same class or a lower one."""
    dev = bench.device("engines=1,max-len=2M", ASYNC, extra=TRACE)
    hog = Hog(dev, 0, level)
    seen = looks(hog, Probe(dev, hog, 1, other), rounds=5)
    require(seen <= ({0} if level == other else set()),
            f"chunks that the hog had filled in its turn, when the other was served: {seen}")
    expect(outranked(dev), [], "channels that were cut")


@each("spin", {"sleeping": 0, "spinning": 1000})
def test_free_engine(bench, spin):
    """No channel is cut while there is a free engine."""
    dev = bench.device(f"engines=2,max-len=2M,spin-us={spin}", ASYNC, extra=TRACE)
    hog = Hog(dev)
    quick = channel(dev, 1, 3)
    src, dst = dev.m.buffer(pattern(64)), dev.m.alloc(64)
    for _ in range(3):
        hog.start()
        while hog.busy():
            quick.run(copy(src, dst, 64))
        hog.end()
    expect(outranked(dev), [], "channels that were cut")


@each("at, waits, which, to", {"raised": (1, 0, 1, 2), "lowered": (3, 1, 0, 0)})
def test_changed(bench, at, waits, which, to):
    """A class that is changed counts for a channel that waits, and for one that is served."""
    dev = bench.device("engines=1,max-len=2M", ASYNC)
    hog = Hog(dev, 0, at)
    probe = Probe(dev, hog, 1, waits)

    def cut():
        hog.ch.set(HW.CH_PRIORITY, at)
        probe.ch.set(HW.CH_PRIORITY, waits)
        hog.start()
        probe.submit()
        seen = hog.ch.done()
        # The first of these may have been in progress; behind it the engine has chosen anew.
        dev.m.until(lambda: hog.ch.done() - seen & MASK > 1 or not hog.busy(), "the next turns")
        require(probe.ch.done() != probe.ch.head or not hog.busy(),
                "the lower class was served while the higher was at work")
        (hog.ch, probe.ch)[which].set(HW.CH_PRIORITY, to)
        probe.ch.wait()
        busy = hog.busy()
        hog.end()
        return busy and probe.seen()

    dev.m.until(cut, "the hog to be cut in the middle of a turn")


def test_lowest_leaves(bench):
    """Of two engines that one leaves which serves the lower class."""
    dev = bench.device("engines=2,max-len=2M", ASYNC, extra=TRACE)
    low, middle = Hog(dev, 0, 0), Hog(dev, 1, 2)
    probe = Probe(dev, low, 2, 3)

    def cut():
        middle.start()
        low.start()
        while middle.busy() and low.busy():
            probe.run()
        low.end()
        middle.end()
        return len(outranked(dev)) >= 20

    dev.m.until(cut, "engines that leave")
    expect([line for line in outranked(dev) if "channel 0 " not in line], [],
           "other channels that were cut")


def test_nothing_lost(bench):
    """Channels of all classes at once on one engine: each does all of its work, in order."""
    dev = bench.device("engines=1", ASYNC, memory=256)
    channels = [channel(dev, index, index % 4, log2=7) for index in range(8)]
    places = []
    for n in range(60):
        for ch in channels:
            seed = n * 8 + ch.index
            data = pattern(seed * 977 % 150001 + 1, seed)
            src, dst = dev.m.buffer(data, align=1), dev.m.alloc(len(data), align=1)
            ch.submit(copy(src, dst, len(data)))
            places.append((dst, data))
            if n % 7 == 0:
                ch.set(HW.CH_PRIORITY, (ch.index + n) % 4)
    for ch in channels:
        ch.wait()
        ch.expect_results(0, *[DONE] * 60)
    for dst, data in places:
        require(dev.m.read(dst, len(data)) == data, f"data at {dst:#x} differs")
