# SPDX-License-Identifier: GPL-2.0-only
"""Channels of classes, and one that keeps an engine busy."""

from qtest.lib.dma import DONE, Channel, copy, fill
from qtest.lib.hw import HW
from qtest.lib.qemu import MIB, expect, require


def channel(dev, index, level=0, **options):
    """An enabled channel of a class."""
    ch = Channel(dev, index, **options).enable()
    ch.set(HW.CH_PRIORITY, level)
    return ch


def ring_together(*channels):
    """Doorbells with no turn of QEMU's main loop between."""
    channels[0].m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head) for ch in channels])
    for ch in channels:
        ch.wait()


def higher_first(dev, low, high, first):
    """Has two channels work, of which that of the higher class must be through first."""
    slow = channel(dev, 0 if first == "low" else 1, low)
    fast = channel(dev, 1 if first == "low" else 0, high)
    buffer, cell, seen = dev.m.alloc(8 * MIB), dev.m.alloc(1), dev.m.alloc(1)
    # More than a turn moves, and then what the other is to see.
    fast.post(fill(buffer, 4 * MIB, 1), fill(buffer, 4 * MIB, 2), fill(cell, 1, 0x5a))
    slow.post(copy(cell, seen, 1))
    ring_together(*((slow, fast) if first == "low" else (fast, slow)))
    expect(dev.m.read(seen, 1), b"\x5a", "what the lower class has seen")


LENGTH = 2 * MIB            # two turns
COUNT = 400


class Hog:
    """A channel that keeps an engine busy for a good while, again and again."""

    def __init__(self, dev, index=0, level=0):
        self.m = dev.m
        self.ch = channel(dev, index, level, log2=9)
        self.buffer = dev.m.alloc(LENGTH)

    def start(self):
        """Fills memory with a value after the other; returns when it has begun."""
        first = self.ch.submit(*[fill(self.buffer, LENGTH, 1 + n % 2) for n in range(COUNT)])
        self.m.until(lambda: self.ch.done() != first, "the first descriptors")

    def busy(self):
        return self.ch.done() != self.ch.head

    def end(self):
        self.ch.wait()
        first = self.ch.head - COUNT
        self.ch.expect_results(first, *[DONE] * COUNT)
        require(self.m.read(self.buffer, LENGTH) == bytes([1 + (COUNT - 1) % 2]) * LENGTH,
                "what was filled last differs")
