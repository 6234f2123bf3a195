# SPDX-License-Identifier: GPL-2.0-only
"""exact=on: behind an IOMMU, whatever its model, nothing is moved after it was unmapped."""

from qtest.lib.dma import Channel, copy, pattern
from qtest.lib.hw import HW
from qtest.lib.iommu import MODELS
from qtest.lib.qemu import MIB, require
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
