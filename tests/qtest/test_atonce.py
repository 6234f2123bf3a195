# SPDX-License-Identifier: GPL-2.0-only
"""What is small is done by the vCPU that rings the doorbell."""

from qtest.lib.dma import (CHAIN, DONE, INT, Channel, copy, descriptor, fail, fill, nop, pattern,
                           refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.iommu import ARGUMENTS
from qtest.lib.parity import pq, source_list, xor
from qtest.lib.priority import Hog
from qtest.lib.qemu import MIB, Failed, expect, require
from qtest.lib.suite import ATONCE, SYNC, each

LIMIT = 4096


def begin(bench, properties="engines=1", **options):
    return bench.device(properties, ATONCE, **options)


def counts(ch, *descriptors, what="done"):
    """Rings the doorbell for these; returns done as the next instruction reads it."""
    ch.post(*descriptors)
    answers = ch.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head),
                                f"readl {ch.comp:#x}"])
    return int(answers[1][0], 0)


class Occupied:
    """A device whose only engine has other things to do for a good while."""

    def __init__(self, bench, properties="", level=0):
        self.dev = begin(bench, ",".join(filter(None, ["engines=1,max-len=2M", properties])))
        self.m = self.dev.m
        self.hog = Hog(self.dev, 7, level)
        self.hog.start()

    def at_once(self, want, ch, *descriptors):
        """So many of these are done at once, while the engine is elsewhere."""
        done = 0
        for _ in range(100):
            before = ch.head
            done = counts(ch, *descriptors) - before & 0xffffffff
            if self.hog.busy():
                require(done >= want, f"{done} done, expected {want}")
                if done == want:
                    return
            # The engine has come by, in the moment between the doorbell and the look.
            ch.wait()
            if not self.hog.busy():
                self.hog.end()
                self.hog.start()
        raise Failed(f"{done} done, expected {want}")

    def end(self):
        self.hog.end()


def test_every_opcode(bench):
    """Descriptors of all kinds are executed when the doorbell write returns."""
    made = Occupied(bench)
    m = made.m
    ch, peer = Channel(made.dev, 0, log2=6).enable(), Channel(made.dev, 1).enable()
    one, two = pattern(100), pattern(100, 1)
    src, other, dst = m.buffer(one), m.buffer(two), [m.alloc(100) for _ in range(6)]
    sources = m.buffer(source_list([src, other], [1, 1]))
    summed = bytes(a ^ b for a, b in zip(one, two))
    made.at_once(6, ch, nop(), copy(src, dst[0], 100), fill(dst[1], 100, 0x5a),
                        xor(sources, dst[2], 100, 2), pq(sources, dst[3], dst[4], 100, 2),
                        tx(src, 100))
    made.at_once(1, peer, rx(dst[5], 100))
    ch.expect_results(ch.head - 6, *[DONE] * 6)
    for at, want in zip(dst, (one, b"\x5a" * 100, summed, summed, summed, one)):
        require(m.read(at, 100) == want, "data differs")
    made.end()


@each("lengths, want", {"one": ([LIMIT], 1), "two": ([1, LIMIT - 1], 2), "many": ([128] * 32, 32),
                        "too_long": ([LIMIT + 1], 0), "second_too_long": ([1, LIMIT], 1),
                        "too_many": ([1] * 33, 0)})
def test_limit(bench, lengths, want):
    """at-once-bytes is a limit of all bytes; what is beyond waits for an engine, in order."""
    made = Occupied(bench)
    ch = Channel(made.dev, 0, log2=8).enable()
    data = pattern(8192)
    src, dst = made.m.buffer(data), made.m.alloc(8192)
    places = [sum(lengths[:n]) for n in range(len(lengths))]
    made.at_once(want, ch, *[copy(src + at, dst + at, length)
                              for at, length in zip(places, lengths)])
    made.end()
    ch.wait()
    ch.expect_results(ch.head - len(lengths), *[DONE] * len(lengths))
    total = sum(lengths)
    require(made.m.read(dst, 8192) == data[:total] + bytes(8192 - total), "data differs")


@each("count, want", {"4": (4, 1), "5": (5, 0)})
def test_limit_of_sources(bench, count, want):
    """Each source counts."""
    made = Occupied(bench)
    ch = Channel(made.dev, 0).enable()
    src, dst = made.m.buffer(pattern(1024)), made.m.alloc(1024)
    sources = made.m.buffer(source_list([src] * count, [1] * count))
    made.at_once(want, ch, xor(sources, dst, 1024, count))
    made.end()
    ch.wait()
    ch.expect_results(ch.head - 1, DONE)


@each("size, length, want", {"off": (0, 1, 0), "other": (65536, 65536, 1), "less": (1, 2, 0)})
def test_set_by_property(bench, size, length, want):
    """The property at-once-bytes sets the limit; with 0 all is for the engines."""
    made = Occupied(bench, f"at-once-bytes={size}")
    ch = Channel(made.dev, 0).enable()
    src = made.m.alloc(65536)
    made.at_once(want, ch, copy(src, src, length))
    made.end()
    ch.wait()


def test_behind_others(bench):
    """What the ring holds already comes first, and what is small does not overtake it."""
    dev = begin(bench)
    ch = Channel(dev, 0, log2=6).enable()
    dst, cell = dev.m.alloc(MIB), dev.m.alloc(1)
    for byte in range(1, 200):
        ch.submit(fill(dst, MIB, byte))
        counts(ch, copy(dst + MIB - 1, cell, 1))
        ch.wait()
        expect(dev.m.read(cell, 1), bytes([byte]), "what the small copy has seen")


@each("hog, level, want", {"higher": (1, 0, 0), "same": (1, 1, 1), "lower": (1, 2, 1)})
def test_classes(bench, hog, level, want):
    """A channel does not do so while one of a higher class is at work."""
    made = Occupied(bench, level=hog)
    ch = Channel(made.dev, 0, log2=8).enable()
    ch.set(HW.CH_PRIORITY, level)
    made.at_once(want, ch, nop())
    made.end()
    ch.wait()


def test_message(bench):
    """Its interrupt is sent before the doorbell write returns, one for each arm word."""
    dev = begin(bench)
    dev.use_msix()
    ch = Channel(dev, 2, vector=3).enable()
    word = f"readl {dev.messages + 4 * 3:#x}"
    for arm in range(1, 4):
        ch.post(nop(INT))
        answers = dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head), word])
        require(int(answers[1][0], 0) and dev.took(3), "no message")
        ch.run(nop(INT))
        dev.no_message(3, "the arm word is the same")
        ch.arm(arm)


def test_errors(bench):
    """What is refused ends with its status, its transaction is skipped, the rest is done."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    src = dev.m.alloc(64)
    expect(counts(ch, descriptor(CHAIN | HW.OP_INVALID, 9), copy(src, src, 64),
                  copy(src, 0xd0000000, 64), nop()), 4, "done")
    ch.expect_results(0, refused(HW.ST_OPCODE, 9), refused(HW.ST_SKIPPED, 64),
                      ch.result(2), DONE)
    expect(ch.result(2).status, HW.ST_WRITE, "status of a copy to nowhere")


def test_fetch_error(bench):
    """A ring that cannot be read stops the channel, with its event, at once."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.disable()
    ch.set(HW.CH_RING_LO, 0xd0000000)
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    answers = dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, 1),
                                 f"readl {dev.bar + HW.EVENT:#x}"])
    expect(int(answers[1][0], 0), HW.EVENT_CHANNEL_ERROR, "EVENT")
    ch.expect_error("FETCH")


def test_held(bench):
    """CH_TC_HOLD and its credits hold small descriptors as others."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    expect(counts(ch, *[nop()] * 5), 0, "done while held")
    ch.set(HW.CH_TC_STEP, 2)
    ch.wait(2)
    ch.stuck(2, "2 credits")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()
    ch.set(HW.CH_TC_FAIL, fail(3, HW.ST_READ))
    first = ch.submit(*[nop()] * 4)
    ch.wait()
    expect([ch.result(first + n).status for n in range(4)],
           [HW.ST_OK, HW.ST_OK, HW.ST_READ, HW.ST_OK], "statuses")


def test_paused(bench):
    """Nothing is done for a paused channel, and all of it when it goes on."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.pause()
    expect(counts(ch, nop(), nop()), 0, "done while paused")
    ch.go_on()
    ch.wait()


def test_fifo(bench):
    """A sender that fills the FIFO goes on when its peer has made room."""
    dev = begin(bench, "engines=1,fifo-depth=64")
    a, b = Channel(dev, 0, log2=6).enable(), Channel(dev, 1, log2=6).enable()
    data = pattern(1000)
    src, dst = dev.m.buffer(data), dev.m.alloc(1000)
    for _ in range(50):
        dev.m.write(dst, bytes(1000))
        expect(counts(a, tx(src, 1000)), a.head - 1 & 0xffffffff, "done with the FIFO full")
        b.outcome((rx(dst, 500), DONE), (rx(dst + 500, 500), DONE))
        a.wait()
        require(dev.m.read(dst, 1000) == data, "data differs")


@each("mode, extra", {"sync": (SYNC, ()), "iommu": (ATONCE, ARGUMENTS)})
def test_not_there(bench, mode, extra):
    """Without engines, and behind an IOMMU, all is done in the main loop."""
    dev = bench.device("", mode, extra=extra)
    ch = Channel(dev, 0).enable()
    expect(counts(ch, nop()), 0, "done without a turn of the main loop")
    ch.wait()
