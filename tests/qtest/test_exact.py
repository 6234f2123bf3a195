# SPDX-License-Identifier: GPL-2.0-only
"""exact=on: behind an IOMMU, whatever its model, nothing is moved after it was unmapped."""

import base64

from qtest.lib.dma import Channel, copy, pattern
from qtest.lib.hw import HW
from qtest.lib.iommu import ARGUMENTS, MODELS
from qtest.lib.priority import higher_first
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import device_reset
from qtest.lib.suite import EXACT, each

# What all copies use is no more than an IOMMU keeps translations of: what was unmapped and not
# flushed yet is still copied to.
COUNT, SIZE, LOG2 = 16, MIB // 8, 9
COPIES = (1 << LOG2) - 1
MARK = b"\x77" * SIZE


class Scene:
    """Channels that copy, each to a place of its own, more of them than engines."""

    def __init__(self, bench, model, mode=EXACT):
        arguments, driver, _ = MODELS[model]
        self.dev = bench.device(f"channels={COUNT},engines=2", mode, extra=arguments(bench.qemu))
        self.m = self.dev.m
        self.iommu = driver(self.dev)
        self.channels = [Channel(self.dev, n, LOG2) for n in range(COUNT)]
        self.src = self.m.alloc(SIZE, align=SIZE)
        self.m.write(self.src, pattern(SIZE))
        self.places = [self.m.alloc(SIZE, align=SIZE) for _ in range(COUNT)]

    def work(self):
        """Maps what was taken; returns while the channels copy."""
        self.iommu.give(range(MIB, self.m.next, SIZE), SIZE)
        device_reset(self.dev, None)
        for ch, place in zip(self.channels, self.places):
            self.m.write(place, bytes(SIZE))
            self.m.write(ch.enable().ring, copy(self.src, place, SIZE) * COPIES)
            ch.head = COPIES
        self.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head) for ch in self.channels])
        self.m.until(lambda: any(self.m.read32(place) for place in self.places),
                     "the first bytes")

    def touched(self, flush):
        """Takes the memory away while they do; which places are written to after that.

        And whether there was somebody to write to them.
        """
        self.iommu.take(self.places, SIZE, flush)
        for place in self.places:
            self.m.write(place, MARK)
        busy = any(ch.result(COPIES - 1).status != HW.ST_OK for ch in self.channels)
        for ch in self.channels:
            self.m.until(lambda ch=ch: ch.done() == ch.head or ch.state() != HW.STATE_RUNNING,
                         "the end of the copies")
        self.m.settle()
        return [place for place in self.places if self.m.read(place, SIZE) != MARK], busy


@each("model, flush", {f"{model}.{flush}": (model, flush) for model in MODELS
                       for flush in MODELS[model][2]})
def test_untouched(bench, model, flush):
    """What was unmapped while channels copy to it is not touched once that is complete."""
    scene = Scene(bench, model)
    was_busy = False
    for _ in range(10):
        scene.work()
        touched, busy = scene.touched(flush)
        require(not touched, "memory was touched after the unmap")
        was_busy |= busy
    require(was_busy, "all was copied before, each time")


# --- who does the work ----------------------------------------------------------

# The CPU has so much to do before it lets go of the machine.
MEANWHILE = "memset 0x2000000 0x1000000 0x0"


# So many copies that they go on for longer than the test looks, whatever the host's load.
LONG = 16


def copying(bench, **arguments):
    """A channel with a ring of copies from one place to another, and these places."""
    dev = bench.device(mode=EXACT, **arguments)
    src, dst = dev.m.buffer(pattern(MIB)), dev.m.alloc(MIB)
    ch = Channel(dev, 0, LONG)
    dev.m.write(ch.ring, copy(src, dst, MIB) * (1 << LONG))
    return ch, dst


def meanwhile(ch, dst):
    """Has it copy to memory that the CPU writes to; is what that wrote there after a while?"""
    m = ch.m
    m.write(dst, bytes(MIB))
    ch.enable().set(HW.CH_DOORBELL, (1 << LONG) - 1)
    m.until(lambda: m.read32(dst), "the first bytes")
    # Without a turn of the main loop in between.
    answer = m.qtest.batch([f"memset {dst:#x} {MIB:#x} 0x77", MEANWHILE,
                            f"b64read {dst:#x} {MIB:#x}"])[-1]
    require(ch.done() < (1 << LONG) - 1, "all was copied before the test had looked")
    ch.disable()
    return base64.b64decode(answer[0]) == b"\x77" * MIB


def test_engines(bench):
    """Without an IOMMU it changes nothing: engines copy while the CPU has the machine."""
    ch, dst = copying(bench)
    ch.m.until(lambda: not meanwhile(ch, dst), "an engine that copies")


def test_main_loop(bench):
    """Behind one nobody copies while the CPU has the machine, and may unmap memory."""
    ch, dst = copying(bench, extra=ARGUMENTS)
    for _ in range(5):
        require(meanwhile(ch, dst), "memory was written to while the CPU had the machine")


@each("first", {first: first for first in ("low", "high")})
@each("low, high", {f"{low}_{high}": (low, high) for low, high in ((0, 1), (0, 3), (2, 3))})
def test_higher_first(bench, low, high, first):
    """The channel of the highest class is served first there, too."""
    dev = bench.device("engines=2", EXACT, extra=ARGUMENTS)
    higher_first(dev, low, high, first)
