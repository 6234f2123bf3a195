# SPDX-License-Identifier: GPL-2.0-only
"""Engines at work beside the CPU: the acknowledgements are promises about memory."""

import itertools
import re
import struct
import time

from qtest.lib.dma import DONE, INT, Channel, copy, long_ring, nop, pattern, refused, rx, tx
from qtest.lib.hw import HW
from qtest.lib.pci import MESSAGE
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, MODES, each

ENGINES = {"1": "engines=1", "2": "engines=2", "4": "engines=4", "16": "engines=16",
           "sleepy": "engines=2,spin-us=0"}


def begin(bench, properties="engines=2", **options):
    return bench.device(properties, ASYNC, **options)


@each("properties", ENGINES)
def test_copies(bench, properties):
    """Many copies of all sizes over all channels, whatever the number of engines."""
    dev = begin(bench, properties)
    places = []
    channels = [Channel(dev, index, log2=7).enable() for index in range(8)]
    for n in range(100):
        for ch in channels:
            seed = n * 8 + ch.index
            data = pattern(seed * seed % 20011 + 1, seed)
            src, dst = dev.m.buffer(data, align=1), dev.m.alloc(len(data), align=1)
            ch.submit(copy(src, dst, len(data), INT if n % 3 else 0))
            places.append((dst, data))
    for ch in channels:
        ch.wait()
        ch.expect_results(0, *[DONE] * 100)
    for dst, data in places:
        require(dev.m.read(dst, len(data)) == data, f"data at {dst:#x} differs")


@each("properties", ENGINES)
def test_small(bench, properties):
    """Rings that are filled again and again: each descriptor once, in order."""
    dev = begin(bench, properties)
    channels = [Channel(dev, index, log2=6).enable() for index in range(4)]
    cells = [[dev.m.alloc(8, align=8) for _ in range(65)] for _ in channels]
    for _ in range(40):
        for ch, cell in zip(channels, cells):
            dev.m.write(cell[0], pattern(8, ch.head))
            ch.submit(*(copy(src, dst, 8) for src, dst in zip(cell, cell[1:])))
        for ch, cell in zip(channels, cells):
            ch.wait()
            expect(dev.m.read(cell[-1], 8), pattern(8, ch.head - 64), "the last cell")
    for ch in channels:
        expect(ch.get(HW.CH_CNT_DESCRIPTORS), 40 * 64, "CH_CNT_DESCRIPTORS")


@each("properties", ENGINES)
def test_loopback(bench, properties):
    """Both directions of all pairs at once, with bursts that do not match."""
    dev = begin(bench, properties)
    length = 100000
    places = []
    for index in range(8):
        ch = Channel(dev, index).enable()
        src, dst = dev.m.buffer(pattern(length, index)), dev.m.alloc(length)
        # One sends and then receives, its peer the other way round.
        pair = [tx(src, length, 0, 1 + 30 * index), rx(dst, length, 0, 256 - 30 * index)]
        ch.post(*pair[::-1 if index % 2 else 1])
        places.append((ch, dst))
    for ch, _ in places:
        ch.ring_bell()
    for ch, dst in places:
        ch.wait()
        ch.expect_results(0, DONE, DONE)
        require(dev.m.read(dst, length) == pattern(length, ch.index ^ 1), "data differs")


@each("properties", ENGINES)
def test_messages(bench, properties):
    """When a message is here, so are data, status and done; none is lost."""
    dev = begin(bench, properties)
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.alloc(64), dev.m.alloc(64)
    for n in range(1, 200):
        dev.m.write32(src, n)
        ch.arm(n)
        ch.submit(copy(src, dst, 64, INT))
        dev.m.until(lambda: dev.m.read32(dev.messages) == MESSAGE, f"message {n}")
        expect((ch.done(), dev.m.read32(dst), ch.result(n - 1)), (n, n, DONE),
               "done, data and status when the message is here")
        dev.m.write32(dev.messages, 0)


@each("mode, extra", {name: MODES[name] for name in ("async", "iommu")})
def test_idle(bench, mode, extra):
    """The property `idle`: what goes on by itself has ended, and its interrupt was sent."""
    dev = bench.device("engines=1", mode, extra=extra)
    dev.use_msix()
    ch = Channel(dev, 0, log2=6).enable()
    src, dst = dev.m.alloc(MIB), dev.m.alloc(MIB)
    seen = set()
    for arm in range(1, 11):
        ch.arm(arm)
        ch.submit(*[copy(src, dst, MIB)] * 30, nop(INT))
        seen.add(dev.m.idle())
        dev.m.settle()
        expect(ch.done(), ch.head, "done when it is idle")
        require(dev.took(0), "no message when it is idle")
    require(False in seen, "it is idle while it copies")


DELAYS = {"never": "irq-delay-us=0", "long": "irq-delay-us=1000"}


def long_rings(bench, properties):
    """Several of them, armed anew; yields device, channel, and what was done before."""
    dev = begin(bench, f"engines=1,{properties}")
    dev.use_msix()
    ch = Channel(dev, 0, log2=7).enable()
    for arm in range(1, 6):
        ch.arm(arm)
        before = ch.head
        long_ring(dev, ch)
        yield dev, ch, before
        ch.wait()
        dev.no_message(0, "one request, one message")


@each("properties", DELAYS)
def test_put_off(bench, properties):
    """An interrupt that may be put off comes, at the latest when the ring is empty."""
    for dev, ch, before in long_rings(bench, properties):
        dev.wait_message(0)
        require(ch.done() > before, "a message before anything was retired")


@each("properties", DELAYS)
def test_put_off_stopped(bench, properties):
    """One that is put off when the machine stops has come when it has stopped."""
    for dev, ch, before in long_rings(bench, properties):
        dev.m.until(lambda ch=ch, before=before: ch.done() > before, "the first copy")
        dev.m.qmp.command("stop")
        require(dev.took(0), "the interrupt is lost in a stopped machine")
        dev.m.qmp.command("cont")


def test_put_off_merged(bench):
    """Requests that come while an interrupt is put off are served by that one."""
    dev = begin(bench, "engines=1,irq-delay-us=1000")
    dev.use_msix()
    ch = Channel(dev, 0, log2=8)
    # Copies that change the arm word, so that each asks for an interrupt.
    ch.comp = dev.m.alloc(2 * MIB)
    ch.enable()
    src = dev.m.buffer(struct.pack("<100I", *range(1, 101)).ljust(2 * MIB, b"\0"))
    start = time.monotonic()
    # The others keep the channel busy for longer than the delay.
    ch.submit(*[copy(src + 4 * n, ch.comp + 64, MIB, INT) for n in range(100)],
              *[copy(src, src + MIB, MIB // 2)] * 150)
    ch.wait()
    limit = (time.monotonic() - start) * 1000 + 1
    # It may be a while behind what it tells of, from a thread of its own.
    dev.wait_message(0)
    dev.m.settle()
    count = ch.get(HW.CH_CNT_INTERRUPTS)
    require(1 <= count <= limit, f"{count} interrupts in {limit - 1:.3f} ms")


def test_put_off_disabled(bench):
    """The acknowledgement of a disable comes after an interrupt that was put off."""
    dev = begin(bench, "engines=1,irq-delay-us=1000")
    dev.use_msix()
    ch = Channel(dev, 0, log2=7)
    for _ in range(5):
        ch.enable()
        long_ring(dev, ch)
        dev.m.until(ch.done, "the first copy")
        stop = [ch.write_line(HW.CH_CONTROL, 0),
                f"readl {dev.bar + ch.offset(HW.CH_STATUS):#x}"]
        status, = dev.m.qtest.batch([*stop, ch.write_line(HW.CH_VECTOR, 0x7fffffff)])[1]
        expect(int(status, 0), HW.STATE_DISABLED, "CH_STATUS")
        require(dev.took(0), "the interrupt has not come")
        dev.no_message(0, "one request, one message")


def test_answered(bench):
    """How long the guest takes to answer an interrupt is measured, and averaged."""
    dev = bench.device("engines=1", ASYNC, extra=("-trace", "loopdma_answered"))
    dev.use_msix()
    ch = Channel(dev, 3, log2=6).enable()

    def lines():
        return [line for line in dev.m.complaints() if "loopdma_answered" in line]

    # What is rung for without an interrupt before is no answer.
    for _ in range(3):
        ch.run(nop())
    expect(lines(), [], "answers")
    average = 50000
    for n in range(1, 30):
        ch.submit(nop(INT))
        dev.wait_message(3)
        # An answer, and a doorbell that answers nothing.
        ch.run(nop())
        ch.run(nop())
        ch.arm(n)
        dev.m.until(lambda n=n: len(lines()) == n, f"answer {n}")
        took, now = map(int, re.search(r"channel 3 after (\d+) ns, response (\d+)",
                                       lines()[-1]).groups())
        require(0 < took <= 1000000, f"took {took} ns")
        # Towards zero, as C divides.
        average += int((took - average) / 8)
        expect(now, average, "the average")


def test_held_at_once(bench):
    """CH_TC_HOLD holds for what has not started, not for the next turn only."""
    dev = begin(bench, "engines=1")
    ch = Channel(dev, 0, log2=12)
    size = 64 * 1024
    src, dst = dev.m.buffer(b"\1" * size), dev.m.alloc(size)
    count = 2000
    cells = dev.m.alloc(count)
    pairs = [one for n in range(count)
             for one in (copy(src, dst, size), copy(src, cells + n, 1))]

    def caught():
        dev.m.write(cells, bytes(count))
        ch.enable()
        ch.submit(*pairs)
        dev.m.until(lambda: dev.m.read(cells, 1) != b"\0", "the first copies")
        started = dev.m.qtest.batch([ch.write_line(HW.CH_TC_HOLD, 1),
                                     f"read {cells:#x} {count}"])[1][0].count("01")
        dev.m.settle()
        ended = dev.m.read(cells, count).count(1)
        require(ended <= started + 1, f"{ended - started} copies started while held")
        ch.set(HW.CH_TC_HOLD, 0)
        ch.wait()
        ch.disable()
        return started < count

    for _ in range(5):
        dev.m.until(caught, "a hold before everything was through")


def handle(ch, arms):
    """What the specification has the driver do on its interrupt."""
    while True:
        seen = ch.done()
        ch.arm(next(arms))
        # A full barrier, and more.
        ch.m.turn()
        if ch.done() == seen:
            return seen


@each("properties", ENGINES)
def test_suppression_race(bench, properties):
    """An interrupt is not lost when arm is changed while the device judges a request."""
    dev = begin(bench, properties)
    dev.use_msix()
    ch = Channel(dev, 0, log2=10).enable()
    total, processed = 1000, 0
    arms = itertools.count(1)
    for _ in range(total):
        ch.submit(nop(INT))
        if dev.took(0):
            processed = handle(ch, arms)
    while processed < total:
        dev.wait_message(0)
        processed = handle(ch, arms)


# --- acknowledgements ---------------------------------------------------------

LENGTH = 4 * MIB
COUNT = 60


class Busy:
    """Channels that copy for a good while, and are caught in the middle of it."""

    def __init__(self, dev, count=4):
        self.dev = dev
        self.m = dev.m
        self.src = dev.m.buffer(pattern(4096) * (LENGTH // 4096))
        self.channels = [Channel(dev, index, log2=6) for index in range(count)]
        self.dst = [dev.m.alloc(LENGTH) for _ in self.channels]

    def start(self):
        for ch, dst in zip(self.channels, self.dst):
            self.m.write(dst, bytes(LENGTH))
            ch.enable()
            ch.submit(*[copy(self.src, dst, LENGTH)] * COUNT)
        # The first bytes have been copied: they are at work.
        self.m.until(lambda: all(self.m.read32(dst) for dst in self.dst), "the first bytes")

    def untouched(self, which, when):
        """The driver may use the memory for something else now."""
        for n in which:
            ch = self.channels[n]
            self.m.write(self.dst[n], b"\x77" * LENGTH)
            self.m.write(ch.ring, b"\x77" * (HW.DESC_SIZE << ch.log2))
            self.m.write(ch.comp, b"\x77" * HW.COMP_SIZE)
        self.m.settle()
        for n in which:
            ch = self.channels[n]
            for at, size in ((self.dst[n], LENGTH), (ch.ring, HW.DESC_SIZE << ch.log2),
                             (ch.comp, HW.COMP_SIZE)):
                require(self.m.read(at, size) == b"\x77" * size,
                        f"memory of channel {n} was touched after {when}")


def by_disable(busy):
    for ch in busy.channels:
        ch.set(HW.CH_CONTROL, 0)
        busy.m.until(lambda ch=ch: not ch.get(HW.CH_STATUS), "DISABLED")


def by_channel_reset(busy):
    for ch in busy.channels:
        ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
        busy.m.until(lambda ch=ch: not ch.get(HW.CH_CONTROL), "end of the reset")


def by_device_reset(busy):
    busy.dev.write(HW.CONTROL, HW.CONTROL_RESET)
    busy.m.until(lambda: not busy.dev.read(HW.CONTROL), "end of the reset")


def by_function_reset(busy):
    busy.dev.flr()


def by_system_reset(busy):
    busy.m.qmp.command("system_reset")
    busy.m.until(lambda: busy.m.qmp.had("RESET"), "the reset of the machine")


def by_bus_master(busy):
    busy.dev.master(False)


def by_error(busy):
    for ch in busy.channels:
        ch.set(HW.CH_DOORBELL, 0x10000)
        ch.expect_error("DOORBELL")


WAYS = (by_disable, by_channel_reset, by_device_reset, by_function_reset, by_system_reset,
        by_bus_master, by_error)


@each("way", {"device_reset": by_device_reset, "function_reset": by_function_reset})
def test_reset_of_senders(bench, way):
    """What is sent while the device is being reset is not received after that."""
    dev = begin(bench, "engines=2,spin-us=1000")
    busy = Busy(dev, 2)
    receiver, sender = busy.channels
    for _ in range(20):
        receiver.enable()
        sender.enable().submit(tx(busy.src, LENGTH, 0, 64))
        dev.m.turn()
        way(busy)
        dev.setup()
        receiver.enable().submit(rx(busy.dst[0], 1))
        receiver.stuck(0, "FIFO empty after a reset")
        receiver.disable()


@each("way", {f"{way.__name__[3:]}": way for way in WAYS})
def test_stopped(bench, way):
    """When a stop is acknowledged no memory is touched any more."""
    dev = begin(bench)
    busy = Busy(dev)
    for _ in range(3):
        busy.start()
        way(busy)
        busy.untouched(range(4), way.__name__[3:].replace("_", " "))
        dev.setup()
        by_device_reset(busy)
    Channel(dev, 0).enable().works()


def test_stop_begins_nothing(bench):
    """Once a channel is being stopped nobody begins a batch of it, who has just taken it neither.

    The stop would last for as long as that batch.
    """
    traces = [word for event in ("begin", "leave", "paused")
              for word in ("-trace", f"loopdma_{event}")]
    dev = begin(bench, "engines=4", extra=traces)
    size, length = 1 << 10, 4096
    channels = [Channel(dev, index, log2=10).enable() for index in range(4)]
    one = copy(dev.m.alloc(length), dev.m.alloc(length), length)
    stops = [ch.write_line(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE | pause)
             for ch in channels for pause in (HW.CH_CONTROL_PAUSE, 0)]

    def enough():
        for _ in range(10):
            for ch in channels:
                dev.m.write(ch.ring, one * size)
                ch.head += size
            dev.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head) for ch in channels] +
                              stops * 20)
            for ch in channels:
                ch.wait()
        return sum("loopdma_leave" in line for line in dev.m.complaints()) >= 50

    dev.m.until(enough, "engines that have to leave")
    leaving = set()
    for line in dev.m.complaints():
        event, index = re.search(r"loopdma_(\w+) channel (\d+)", line).groups()
        if event == "leave":
            leaving.add(index)
        elif event == "paused":
            leaving.discard(index)
        else:
            require(index not in leaving, f"a batch of channel {index} began while it was stopped")


def test_quit_busy(bench):
    """QEMU can be ended while the engines work."""
    for _ in range(3):
        busy = Busy(begin(bench), 4)
        busy.start()
        busy.m.quit()
        busy.m.gone = True


@each("way", {"disable": by_disable, "channel_reset": by_channel_reset})
def test_one_stopped(bench, way):
    """Stopping a channel does not disturb the others."""
    dev = begin(bench)
    busy = Busy(dev)
    busy.start()
    others, busy.channels = busy.channels[2:], busy.channels[:2]
    way(busy)
    busy.untouched((0, 1), way.__name__[3:])
    for ch, dst in zip(others, busy.dst[2:]):
        ch.wait()
        ch.expect_results(0, *[DONE] * COUNT)
        require(dev.m.read(dst, LENGTH) == dev.m.read(busy.src, LENGTH), "data differs")


def test_aborted(bench):
    """When done reaches n memory below n is not touched any more; the rest is executed."""
    dev = begin(bench, "engines=2,max-len=16M")
    length = 16 * MIB
    ch = Channel(dev, 0).enable()
    src = dev.m.buffer(pattern(4096) * (length // 4096))
    dst, other = dev.m.alloc(length), dev.m.alloc(64)
    for _ in range(4):
        dev.m.write(dst, bytes(length))
        # One descriptor starts, and is caught in the middle.
        ch.set(HW.CH_TC_HOLD, 1)
        ch.set(HW.CH_TC_STEP, 1)
        first = ch.submit(*[copy(src, dst, length)] * 2, copy(src, other, 64))
        dev.m.until(lambda: dev.m.read32(dst), "the first bytes")
        ch.set(HW.CH_ABORT, first + 2)
        ch.wait(first + 2)
        dev.m.write(dst, b"\x77" * length)
        dev.m.settle()
        require(dev.m.read(dst, length) == b"\x77" * length,
                "memory was touched after the abort")
        result = ch.result(first)
        require(result == DONE or result.status == HW.ST_ABORTED and
                result.residue <= length, f"the descriptor in progress: {result}")
        ch.expect_results(first + 1, refused(HW.ST_ABORTED, length))
        ch.set(HW.CH_TC_HOLD, 0)
        ch.wait()
        ch.expect_results(first + 2, DONE)


@each("length", {"start_stop": 1, "with_work": 64})
def test_again_and_again(bench, length):
    """Enabling, working and disabling in quick succession."""
    dev = begin(bench)
    channels = [Channel(dev, index).enable() for index in range(4)]
    src, dst = dev.m.buffer(pattern(length)), dev.m.alloc(length)
    for n in range(100):
        for ch in channels:
            ch.submit(*[copy(src, dst, length)] * 8)
            if (n + ch.index) % 3:
                ch.wait()
                ch.expect_results(0, *[DONE] * 8)
            ch.disable()
            ch.enable()
