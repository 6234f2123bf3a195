# SPDX-License-Identifier: GPL-2.0-only
"""Pausing, and how far the descriptor in progress has got."""

from qtest.lib.dma import (CHAIN, DONE, INT, RUNNING, Channel, Result, aborted, copy, fill,
                           long_ring, nop, pattern, refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.iommu import ARGUMENTS, Iommu
from qtest.lib.parity import Sources
from qtest.lib.pci import MESSAGE
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, BOTH, EXACT, SYNC, both, device, each

ENABLE = HW.CH_CONTROL_ENABLE
PAUSE = HW.CH_CONTROL_PAUSE
RESET = HW.CH_CONTROL_RESET
PAUSED = RUNNING | HW.CH_STATUS_PAUSED

DEPTH = 1024
FIFO = f"fifo-depth={DEPTH},fifo-max-burst={DEPTH}"


# --- the bits -----------------------------------------------------------------

def test_bits(dev):
    """PAUSE is what was written, PAUSED follows; the value that it has does nothing."""
    ch = Channel(dev, 0).enable()
    with dev.no_guest_error("pausing"):
        for _ in range(2):
            ch.go_on()
            expect(ch.get(HW.CH_CONTROL), ENABLE, "CH_CONTROL")
        for _ in range(2):
            ch.pause()
            expect(ch.get(HW.CH_CONTROL), ENABLE | PAUSE, "CH_CONTROL, paused")
        ch.go_on()
    expect(ch.get(HW.CH_STATUS), RUNNING, "CH_STATUS")
    ch.works()


def test_not_running(dev):
    """PAUSE = 1 in DISABLED is ignored, and a guest error; unless it is enabled so."""
    ch = Channel(dev, 0)
    ch.configure()
    for value in (PAUSE, PAUSE | RESET, PAUSE | RESET | ENABLE):
        with dev.guest_error(f"CH_CONTROL {value:#x} while disabled"):
            ch.set(HW.CH_CONTROL, value)
        expect((ch.get(HW.CH_CONTROL), ch.get(HW.CH_STATUS)), (0, 0), "CONTROL and STATUS")
    ch.configure()
    with dev.no_guest_error("PAUSE with ENABLE"):
        ch.set(HW.CH_CONTROL, ENABLE | PAUSE)
    expect((ch.get(HW.CH_CONTROL), ch.get(HW.CH_STATUS)), (ENABLE, RUNNING),
           "CONTROL and STATUS")
    ch.works()
    with dev.no_guest_error("PAUSE with ENABLE = 0"):
        ch.set(HW.CH_CONTROL, PAUSE)
    expect((ch.get(HW.CH_CONTROL), ch.get(HW.CH_STATUS)), (0, 0), "CONTROL and STATUS")


def test_in_error(dev):
    """PAUSE = 1 in ERROR is ignored, and no guest error."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_DOORBELL, 1000)
    ch.expect_error("DOORBELL")
    with dev.no_guest_error("PAUSE in ERROR"):
        ch.set(HW.CH_CONTROL, ENABLE | PAUSE)
    ch.expect_error("DOORBELL")
    expect(ch.get(HW.CH_CONTROL), ENABLE, "CH_CONTROL")
    ch.leave_error()
    ch.works()


@device(f"x-caps-mask={HW.CAPS_PAUSE}")
def test_absent(dev):
    """Without CAPS.PAUSE the bit is reserved."""
    ch = Channel(dev, 0).enable()
    with dev.guest_error("PAUSE"):
        ch.set(HW.CH_CONTROL, ENABLE | PAUSE)
    expect((ch.get(HW.CH_CONTROL), ch.get(HW.CH_STATUS)), (ENABLE, RUNNING),
           "CONTROL and STATUS")
    ch.works()


def by_disable(ch):
    ch.set(HW.CH_CONTROL, 0)


def by_disable_with_pause(ch):
    ch.set(HW.CH_CONTROL, PAUSE)


def by_channel_reset(ch):
    ch.set(HW.CH_CONTROL, RESET | ENABLE | PAUSE)


def by_device_reset(ch):
    ch.dev.write(HW.CONTROL, HW.CONTROL_RESET)


def by_function_reset(ch):
    ch.dev.flr()
    ch.dev.setup()


@both
@each("way",
      {way.__name__[3:]: way for way in (by_disable, by_disable_with_pause, by_channel_reset,
                                         by_device_reset, by_function_reset)})
def test_stopped(dev, way):
    """The bit is cleared when the channel is disabled or reset; nothing goes on."""
    ch, peer = Channel(dev, 0), Channel(dev, 1)
    src = dev.m.buffer(pattern(10000))
    for _ in range(2):
        ch.enable()
        ch.submit(tx(src, 10000), copy(src, src + 5000, 5000))
        ch.stuck(0, "FIFO full")
        ch.pause()
        with dev.m.untouched("by a paused channel"):
            way(ch)
            dev.m.until(lambda: not ch.get(HW.CH_STATUS), "DISABLED")
        expect(ch.get(HW.CH_CONTROL), 0, "CH_CONTROL")
        peer.enable().disable()
    ch.enable()
    expect(ch.get(HW.CH_STATUS), RUNNING, "CH_STATUS")
    ch.works()


@both
@each("register, error",
      {"doorbell": (HW.CH_DOORBELL, "DOORBELL"), "abort": (HW.CH_ABORT, "ABORT")})
def test_fails(dev, register, error):
    """A paused channel that the driver makes an error on is in ERROR, and not paused."""
    ch = Channel(dev, 0).enable()
    ch.pause()
    ch.set(register, 1000)
    ch.expect_error(error)
    expect(ch.get(HW.CH_CONTROL), ENABLE, "CH_CONTROL")
    ch.leave_error()
    ch.works()


# --- what a paused channel does -----------------------------------------------

@both
def test_idle(dev):
    """Doorbells are accepted while paused; what they reveal is executed later."""
    ch, other = Channel(dev, 0).enable(), Channel(dev, 2).enable()
    ch.pause()
    other.works()
    src, dst = dev.m.buffer(pattern(100)), dev.m.alloc(100)
    ch.post(copy(src, dst, 100, INT), nop())
    with dev.m.untouched("by a paused channel"):
        ch.ring_bell()
    expect(ch.get(HW.CH_CNT_DOORBELLS), 1, "CH_CNT_DOORBELLS")
    ch.go_on()
    ch.wait()
    ch.expect_results(0, DONE, DONE)
    expect(dev.m.read(dst, 100), pattern(100), "data")


@both
def test_queued(dev):
    """No descriptor starts; credits of CH_TC_STEP are for later, too."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 8)
    ch.pause()
    with dev.m.untouched("by a paused channel"):
        ch.set(HW.CH_TC_STEP, 3)
    ch.go_on()
    ch.wait(3)
    ch.pause()
    with dev.m.untouched("by a paused channel"):
        ch.set(HW.CH_TC_HOLD, 0)
    ch.go_on()
    ch.wait()


@both
def test_skipping(dev):
    """A transaction that is being skipped goes on being skipped."""
    ch = Channel(dev, 0).enable()
    ch.outcome((copy(0, 0, 0, CHAIN), refused(HW.ST_LENGTH, 0)))
    ch.pause()
    ch.submit(nop(CHAIN), nop(), nop())
    ch.go_on()
    ch.wait()
    ch.expect_results(1, refused(HW.ST_SKIPPED, 0), refused(HW.ST_SKIPPED, 0), DONE)


@both
def test_without_bus_master(dev):
    """A paused channel touches no memory: it does not find that it may not."""
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src, dst = dev.m.buffer(pattern(10000)), dev.m.alloc(10000)
    ch.submit(tx(src, 10000))
    ch.stuck(0, "FIFO full")
    ch.pause()
    dev.master(False)
    ch.ring_bell()
    dev.m.settle()
    expect(ch.get(HW.CH_STATUS), PAUSED, "CH_STATUS")
    dev.master(True)
    ch.go_on()
    peer.outcome((rx(dst, 10000), DONE))
    ch.wait()
    expect(dev.m.read(dst, 10000), pattern(10000), "data")


@both
def test_machine_stopped(dev):
    """A paused channel stays so when the machine stops and goes on."""
    ch = Channel(dev, 0).enable()
    ch.pause()
    ch.submit(nop())
    dev.m.qmp.command("stop")
    dev.m.qmp.command("cont")
    ch.stuck(0, "paused")
    expect(ch.get(HW.CH_STATUS), PAUSED, "CH_STATUS")
    ch.go_on()
    ch.wait()
    dev.m.qmp.command("stop")
    ch.pause()
    ch.submit(nop())
    dev.m.qmp.command("cont")
    ch.stuck(1, "paused while the machine was stopped")
    ch.go_on()
    ch.wait()


def test_interrupts(bench):
    """Interrupts that were due are raised when the pause is acknowledged."""
    dev = bench.device("engines=1,irq-delay-us=1000", ASYNC)
    dev.use_msix()
    ch = Channel(dev, 0, log2=7)
    for _ in range(5):
        ch.enable()
        long_ring(dev, ch)
        dev.m.until(ch.done, "the first copy")
        # Without a turn of the main loop in between.
        status, word = (int(answer[0], 0) for answer in dev.m.qtest.batch(
            [ch.write_line(HW.CH_CONTROL, ENABLE | PAUSE),
             f"readl {dev.bar + ch.offset(HW.CH_STATUS):#x}", f"readl {dev.messages:#x}"])[1:])
        expect(status, PAUSED, "CH_STATUS")
        expect(word, MESSAGE, "the message when the pause is acknowledged")
        require(dev.took(0), "the message is lost")
        ch.go_on()
        ch.wait()
        dev.no_message(0, "one request, one message")
        ch.disable()


# --- in the middle of a descriptor --------------------------------------------

LENGTH = 4 * MIB
COUNT = 8

MODES = {"sync": (SYNC, False), "async": (ASYNC, False), "sync_iommu": (SYNC, True),
         "async_iommu": (ASYNC, True), "exact_iommu": (EXACT, True)}


class Long:
    """A channel with descriptors that take long, each with a destination of its own."""

    def __init__(self, bench, mode, iommu, kind="copy"):
        self.dev = bench.device("engines=1,max-len=4M", mode, memory=128,
                                extra=ARGUMENTS if iommu else ())
        self.m = self.dev.m
        if iommu:
            Iommu(self.m).map(0, 0, 128 * MIB)
        self.ch = Channel(self.dev, 0).enable()
        self.made = Sources(self.m, 2, LENGTH)
        self.dst = [self.m.buffer(bytes(LENGTH)) for _ in range(COUNT)]
        q = self.m.alloc(LENGTH)
        self.one, self.want = {
            "copy": (lambda dst: copy(self.made.at[0], dst, LENGTH), self.made.data[0]),
            "fill": (lambda dst: fill(dst, LENGTH, 0x5a), b"\x5a" * LENGTH),
            "pq": (lambda dst: self.made.pq(dst, q), self.made.p())}[kind]

    def submit(self):
        self.ch.submit(*map(self.one, self.dst))

    def check(self, which):
        require(self.m.read(self.dst[which], LENGTH) == self.want, f"data {which} differs")

    def untouched(self):
        """Nobody writes to anything that belongs to the channel."""
        return self.m.untouched("by a paused channel")

    def progress(self):
        """What a driver may conclude from done and progress."""
        done = self.ch.done()
        count, moved = self.ch.progress()
        return done, moved if count == done else 0

    def pause_in_the_middle(self):
        """Starts all; returns count and bytes of the first that is not through."""
        def caught():
            for dst in self.dst:
                self.m.write(dst, bytes(LENGTH))
            self.submit()
            self.m.until(lambda: self.m.read(self.dst[0], 64) != bytes(64), "the first bytes")
            self.ch.pause()
            if self.ch.done() != self.ch.head:
                return True
            self.ch.go_on()
            return False

        self.m.until(caught, "a pause before the end")
        return self.progress()


@each("mode, iommu, kind", {f"{name}.{kind}": (*mode, kind) for name, mode in MODES.items()
                            for kind in ("copy", "fill", "pq")})
def test_busy(bench, mode, iommu, kind):
    """The one in progress is cut, and goes on where it was: nothing is moved twice."""
    made = Long(bench, mode, iommu, kind)
    ch = made.ch
    count, moved = made.pause_in_the_middle()
    first = ch.head - COUNT
    at = made.dst[count - first]
    require(moved < LENGTH, f"progress of {moved:#x} bytes")
    require(made.m.read(at, LENGTH) == made.want[:moved] + bytes(LENGTH - moved),
            "progress is not up to date")
    for dst in made.dst[count - first + 1:]:
        require(not any(made.m.read(dst, LENGTH)), "done is not up to date")
    with made.untouched():
        made.m.settle()
    # What is there and counts is not written again.
    made.m.write(at, b"\x11" * moved)
    ch.go_on()
    ch.wait()
    ch.expect_results(first, *[DONE] * COUNT)
    require(made.m.read(at, LENGTH) == b"\x11" * moved + made.want[moved:],
            "data of the one that was cut differs")
    for which in set(range(COUNT)) - {count - first}:
        made.check(which)
    expect(ch.get(HW.CH_CNT_BYTES_LO), ch.head * LENGTH & 0xffffffff, "CH_CNT_BYTES_LO")
    expect(ch.get(HW.CH_CNT_DESCRIPTORS), ch.head, "CH_CNT_DESCRIPTORS")


@each("mode, iommu", MODES)
def test_again_and_again(bench, mode, iommu):
    """Paused many times in a row, whatever is in progress then."""
    made = Long(bench, mode, iommu)
    made.submit()
    before = (0, 0)
    while made.ch.done() < COUNT:
        made.ch.pause()
        now = made.progress()
        require(now >= before, f"progress went from {before} to {now}")
        before = now
        made.ch.go_on()
        made.m.turn()
    made.ch.expect_results(0, *[DONE] * COUNT)
    for which in range(COUNT):
        made.check(which)


@each("mode, iommu", MODES)
def test_abort(bench, mode, iommu):
    """An abort while paused is carried out later, and nothing below is moved any more."""
    made = Long(bench, mode, iommu)
    ch = made.ch
    made.dev.use_msix()
    count, moved = made.pause_in_the_middle()
    made.dev.took(0)
    with made.untouched():
        ch.set(HW.CH_ABORT, ch.head)
        made.m.settle()
    require(not made.dev.took(0), "an interrupt while paused")
    expect(ch.get(HW.CH_STATUS), PAUSED, "CH_STATUS")
    other = made.m.alloc(64)
    ch.submit(fill(other, 64, 9))
    before = [made.m.read(dst, LENGTH) for dst in made.dst]
    ch.go_on()
    ch.wait()
    made.dev.wait_message(0)
    ch.expect_results(count, aborted(LENGTH - moved),
                      *[aborted(LENGTH)] * (ch.head - count - 2), DONE)
    require([made.m.read(dst, LENGTH) for dst in made.dst] == before, "something was moved")
    expect(made.m.read(other, 64), b"\x09" * 64, "what is not aborted")


def test_one_of_many(bench):
    """Others go on while a channel is paused, also on the only engine."""
    made = Long(bench, ASYNC, False)
    made.pause_in_the_middle()
    for index in range(1, 5):
        Channel(made.dev, index).enable().works()
    expect(made.ch.get(HW.CH_STATUS), PAUSED, "CH_STATUS")
    made.ch.go_on()
    made.ch.wait()


# --- held for the peer --------------------------------------------------------

class Pair:
    """A sender and a receiver."""

    def __init__(self, dev, length=5000):
        self.m = dev.m
        self.a, self.b = Channel(dev, 0).enable(), Channel(dev, 1).enable()
        self.data = pattern(length)
        self.src, self.dst = dev.m.buffer(self.data), dev.m.alloc(length)

    def state(self, channel, count, moved, level, what):
        """Checks done and progress of a channel that is held, and what the receiver has."""
        self.m.until(lambda: channel.progress() == (count, moved), f"progress, {what}")
        channel.stuck(count, what)
        expect(channel.progress(), (count, moved), f"progress, {what}")
        expect(self.b.get(HW.CH_FIFO_LEVEL), level, f"CH_FIFO_LEVEL, {what}")

    def received(self, size):
        require(self.m.read(self.dst, size) == self.data[:size], "data differs")


@each("mode", BOTH)
def test_sender(bench, mode):
    """A sender that is paused while held sends nothing when there is room again."""
    pair = Pair(bench.device(FIFO, mode))
    pair.a.submit(tx(pair.src, 5000))
    pair.state(pair.a, 0, DEPTH, DEPTH, "FIFO full")
    pair.a.pause()
    pair.b.outcome((rx(pair.dst, 500), DONE))
    with pair.m.untouched("by a paused sender"):
        pair.m.settle()
    pair.state(pair.a, 0, DEPTH, DEPTH - 500, "paused")
    pair.a.go_on()
    pair.state(pair.a, 0, DEPTH + 500, DEPTH, "FIFO full again")
    pair.b.outcome((rx(pair.dst + 500, 4500), DONE))
    pair.a.wait()
    pair.received(5000)


@each("mode", BOTH)
def test_receiver(bench, mode):
    """The FIFO of a paused receiver accepts what its peer sends, until it is full."""
    pair = Pair(bench.device(FIFO, mode))
    pair.b.submit(rx(pair.dst, 5000))
    pair.state(pair.b, 0, 0, 0, "FIFO empty")
    pair.b.pause()
    pair.a.outcome((tx(pair.src, 700), DONE))
    with pair.m.untouched("by a paused receiver"):
        pair.m.settle()
    pair.state(pair.b, 0, 0, 700, "paused")
    pair.a.submit(tx(pair.src + 700, 4300))
    pair.state(pair.a, 1, DEPTH - 700, DEPTH, "FIFO full")
    pair.b.go_on()
    pair.b.wait()
    pair.a.wait()
    pair.received(5000)


@both
@device(FIFO)
def test_abort_of_held(dev):
    """A held descriptor that is paused and aborted tells what had been moved."""
    pair = Pair(dev)
    pair.a.submit(tx(pair.src, 5000), nop())
    pair.state(pair.a, 0, DEPTH, DEPTH, "FIFO full")
    pair.a.pause()
    pair.b.outcome((rx(pair.dst, 500), DONE))
    pair.a.set(HW.CH_ABORT, 2)
    pair.a.stuck(0, "paused")
    pair.a.go_on()
    pair.a.wait()
    pair.a.expect_results(0, aborted(5000 - DEPTH), aborted(0))
    expect(pair.b.get(HW.CH_FIFO_LEVEL), DEPTH - 500, "CH_FIFO_LEVEL")


# --- progress -----------------------------------------------------------------

@both
@device(FIFO)
@each("width, burst",
      {f"burst{burst}": (width, burst) for width, burst in ((0, 1), (0, 100), (2, 10), (0, 1000),
                                                            (3, 128))})
def test_progress_of_sender(dev, width, burst):
    """progress: what was sent, in bursts, at several fills of the FIFO."""
    pair = Pair(dev, 8000)
    size = burst << width
    pair.a.submit(nop(), nop(), tx(pair.src, 8000, width, burst))
    taken, moved = 0, DEPTH // size * size
    pair.state(pair.a, 2, moved, moved, "FIFO full")
    for part in (1, 7, 500, DEPTH // 2, 1024, 333):
        part = min(part, moved - taken)
        pair.b.outcome((rx(pair.dst + taken, part), DONE))
        taken += part
        moved += (DEPTH - (moved - taken)) // size * size
        pair.state(pair.a, 2, moved, moved - taken, f"{taken} taken")
    pair.received(taken)


@both
@device(FIFO)
@each("burst", {f"burst{burst}": burst for burst in (1, 16, 100, 1000)})
def test_progress_of_receiver(dev, burst):
    """progress: what was received, in bursts; CH_FIFO_LEVEL: what was not yet."""
    pair = Pair(dev)
    pair.b.submit(nop(), rx(pair.dst, 5000, 0, burst))
    pair.state(pair.b, 1, 0, 0, "FIFO empty")
    sent = 0
    for part in (1, 15, 16, 84, 333, 999):
        pair.a.outcome((tx(pair.src + sent, part), DONE))
        sent += part
        moved = sent // burst * burst
        pair.state(pair.b, 1, moved, sent - moved, f"{sent} sent")
        pair.received(moved)


@both
@device(FIFO)
def test_progress_alone(dev):
    """progress is written with one store of its own; nothing beside it is."""
    pair = Pair(dev)
    pair.m.write(pair.a.comp + 4, b"\xa5" * (HW.COMP_SIZE - 4))
    pair.a.submit(tx(pair.src, 5000))
    pair.state(pair.a, 0, DEPTH, DEPTH, "FIFO full")
    expect(pair.m.read(pair.a.comp + 4, 4), b"\xa5" * 4, "rsvd0")
    expect(pair.m.read(pair.a.comp + 16, HW.COMP_SIZE - 16), b"\xa5" * (HW.COMP_SIZE - 16),
           "the rest of the record")


@both
@device(FIFO)
def test_progress_not_written(dev):
    """What is through leaves the field alone."""
    pair = Pair(dev)
    pair.m.write(pair.a.comp + 8, b"\xa5" * 8)
    pair.a.works()
    pair.a.run(nop(INT), tx(pair.src, DEPTH), copy(0, 0, 0))
    pair.a.pause()
    pair.a.go_on()
    pair.a.set(HW.CH_TC_HOLD, 1)
    pair.a.submit(nop())
    pair.a.stuck(4, "held by CH_TC_HOLD")
    expect(pair.m.read(pair.a.comp + 8, 8), b"\xa5" * 8, "progress")


@device(f"{FIFO},x-caps-mask={HW.CAPS_PROGRESS}")
def test_progress_absent(dev):
    """Without CAPS.PROGRESS the field is left alone, and CH_FIFO_LEVEL reads 0."""
    pair = Pair(dev)
    pair.m.write(pair.a.comp + 8, b"\xa5" * 8)
    pair.a.submit(tx(pair.src, 5000))
    pair.a.stuck(0, "FIFO full")
    pair.a.pause()
    expect(pair.m.read(pair.a.comp + 8, 8), b"\xa5" * 8, "progress")
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL")


@each("mode, iommu", {"sync": (SYNC, False), "async": (ASYNC, False), "iommu": (ASYNC, True)})
def test_progress_while_moving(bench, mode, iommu):
    """progress is written now and then while many bytes are moved."""
    made = Long(bench, mode, iommu)
    seen = set()

    def look():
        now = made.ch.progress()
        if now[1] and now[0] < COUNT:
            # What counts is there, whatever goes on meanwhile.
            require(made.m.read(made.dst[now[0]], now[1]) == made.want[:now[1]],
                    f"{now} is not there")
            seen.add(now)
        return made.ch.done() == COUNT

    made.submit()
    made.m.until(look, "the end")
    require(seen, "progress was not written")


@both
@device(FIFO)
def test_level(dev):
    """CH_FIFO_LEVEL: of the channel's own FIFO; 0 when that has been emptied."""
    pair = Pair(dev)
    for size in (1, 700, 323):
        before = pair.b.get(HW.CH_FIFO_LEVEL)
        pair.a.outcome((tx(pair.src, size), DONE))
        expect(pair.b.get(HW.CH_FIFO_LEVEL), before + size, "CH_FIFO_LEVEL")
        expect(pair.a.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL of the sender")
    with dev.guest_error("a write to CH_FIFO_LEVEL"):
        pair.b.set(HW.CH_FIFO_LEVEL, 0)
    expect(pair.b.get(HW.CH_FIFO_LEVEL), DEPTH, "CH_FIFO_LEVEL")
    pair.b.disable()
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL, disabled")
    pair.a.outcome((tx(pair.src, 5), DONE))
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 5, "CH_FIFO_LEVEL, sent while disabled")
    pair.b.set(HW.CH_CONTROL, RESET)
    expect(pair.b.get(HW.CH_FIFO_LEVEL), 0, "CH_FIFO_LEVEL, reset")


@both
@device(FIFO)
def test_failing(dev):
    """A descriptor that CH_TC_FAIL cuts short and that is paused fails where it was to."""
    pair = Pair(dev)
    pair.a.set(HW.CH_TC_FAIL, HW.ST_READ << 16 | 1)
    pair.a.set(HW.CH_TC_FAIL_BYTES, 2000)
    pair.a.submit(tx(pair.src, 5000))
    pair.state(pair.a, 0, DEPTH, DEPTH, "FIFO full")
    pair.a.pause()
    pair.a.go_on()
    pair.b.outcome((rx(pair.dst, 2000), DONE))
    pair.a.wait()
    pair.a.expect_results(0, Result(HW.ST_READ, 3000, pair.src + 2000))
