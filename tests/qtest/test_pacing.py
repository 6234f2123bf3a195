# SPDX-License-Identifier: GPL-2.0-only
"""Bursts at a pace.  The clock of the machine stands unless a case lets time go by."""

from qtest.lib.dma import DONE, RUNNING, Channel, Pair, copy, refused, rx, set_pattern, string, tx
from qtest.lib.hw import HW
from qtest.lib.migration import begin, migrate
from qtest.lib.qemu import MIB, MS, expect, require
from qtest.lib.reset import by_channel_reset, by_device_reset, by_function_reset
from qtest.lib.suite import ASYNC, BOTH, both, each

SECOND = 1000 * MS


class Paced:
    """A channel with the pattern, at a rate."""

    def __init__(self, dev, rate, index=0):
        self.m = dev.m
        self.ch = Channel(dev, index, log2=6).enable()
        set_pattern(self.ch)
        self.ch.set(HW.CH_RATE, rate)

    def receive(self, length, burst):
        """Begins to; returns where to."""
        dst = self.m.alloc(length)
        self.ch.submit(rx(dst, length, 0, burst))
        return dst

    def moved(self, want):
        """So many bytes, ever, and no more."""
        self.m.until(lambda: self.ch.get(HW.CH_CNT_BYTES_LO) >= want, f"{want} bytes")
        self.m.settle()
        expect(self.ch.get(HW.CH_CNT_BYTES_LO), want, "bytes moved")

    def after(self, ns, want):
        """Time goes by, and the machine does not know before its end."""
        self.m.clock(ns)
        self.moved(want)


@each("mode", BOTH)
def test_requested(bench, mode):
    """A burst is moved when its time has come; behind n bytes the next is n / r later."""
    dev = bench.device("engines=1", mode)
    paced = Paced(dev, 1000)
    dst = paced.receive(450, 100)
    paced.moved(100)
    for n in range(2, 5):
        paced.after(100 * MS - 1, 100 * (n - 1))
        paced.after(1, 100 * n)
        expect((paced.ch.done(), paced.ch.progress()), (0, (0, 100 * n)), "done and progress")
    paced.after(100 * MS - 1, 400)
    paced.after(1, 450)
    paced.ch.wait()
    paced.ch.expect_results(0, DONE)
    require(dev.m.read(dst, 450) == string(0, 0, 450), "data differs")
    # What is left of a descriptor counts for what it is.
    paced.receive(10, 100)
    paced.after(50 * MS - 1, 450)
    paced.after(1, 460)


@both
def test_sends(dev):
    """The rate is that of the channel, for TX and RX together."""
    paced = Paced(dev, 1000)
    src = dev.m.buffer(string(0, 0, 100))
    paced.ch.submit(tx(src, 100, 0, 50), rx(src, 100, 0, 100), tx(src, 1))
    paced.moved(50)
    paced.after(50 * MS - 1, 50)
    paced.after(1, 100)
    paced.after(50 * MS - 1, 100)
    paced.after(1, 200)
    paced.after(100 * MS - 1, 200)
    dev.m.clock(1)
    paced.ch.wait()
    expect(paced.ch.result(2).status, HW.ST_DATA, "status")


@both
@each("which", {"sender": 0, "receiver": 1})
def test_loopback(dev, which):
    """It holds for the loopback; the peer has a rate of its own, and waits if it must."""
    pair = Pair(dev)
    src, dst = pair.source(400), dev.m.alloc(400)
    slow = (pair.a, pair.b)[which]
    slow.set(HW.CH_RATE, 1000)
    pair.a.submit(tx(src, 400, 0, 100))
    pair.b.submit(rx(dst, 400, 0, 50))
    size = (100, 50)[which]
    for n in range(1, 400 // size + 1):
        dev.m.settle()
        expect(slow.get(HW.CH_CNT_BYTES_LO), size * n, "bytes")
        expect(pair.b.get(HW.CH_CNT_BYTES_LO), size * n, "bytes received")
        dev.m.clock(size * MS)
    pair.a.wait()
    pair.b.wait()
    pair.received(dst, 400)


@both
def test_fifo_too(dev):
    """A burst whose time has come still waits for the FIFO."""
    pair = Pair(dev)
    pair.b.set(HW.CH_RATE, 1000)
    src, dst = pair.source(100), dev.m.alloc(100)
    pair.b.submit(rx(dst, 100, 0, 10))
    dev.m.clock(5)
    pair.b.stuck(0, "FIFO empty")
    expect(pair.b.get(HW.CH_CNT_BYTES_LO), 0, "bytes")
    pair.a.run(tx(src, 100))
    dev.m.settle()
    expect(pair.b.get(HW.CH_CNT_BYTES_LO), 10, "bytes, with data there")
    for _ in range(9):
        dev.m.clock(10 * MS)
        dev.m.settle()
    pair.b.wait()
    pair.received(dst, 100)


# --- being late ---------------------------------------------------------------

@both
@each("by, bursts", {"a_little": (3 * MS, 4), "less": (10 * MS - 1, 10), "just": (10 * MS, 11),
                     "more": (11 * MS, 11), "long": (100 * SECOND, 11)})
def test_late(dev, by, bursts):
    """A channel that is late catches up on the last 10 ms and not on more."""
    paced = Paced(dev, 100000)
    paced.receive(100, 100)
    paced.moved(100)
    # The next is requested in 1 ms; there is no descriptor until then and so much later.
    paced.after(MS + by, 100)
    paced.receive(5000, 100)
    paced.moved(100 + 100 * bursts)
    # Not in the first place: what was caught up on counts.
    since = by if by < 10 * MS else 10 * MS
    paced.after(MS * bursts - since - 1, 100 + 100 * bursts)
    paced.after(1, 200 + 100 * bursts)


@both
@each("rate, ns, count",
      {"third": (3, SECOND, 4), "odd": (7, SECOND, 8), "high": (300000000, 5000, 1501),
       "highest": (0xffffffff, 1000, 4295), "above_ghz": (1500000000, 2000, 3001)})
def test_exact(dev, rate, ns, count):
    """The rate is kept to, also if a byte is no whole number of nanoseconds."""
    paced = Paced(dev, rate)
    paced.receive(6000, 1)
    dev.m.settle()
    if rate < 1000:
        for _ in range(100):
            dev.m.clock(ns // 100)
            dev.m.settle()
        dev.m.clock(ns % 100)
    else:
        dev.m.clock(ns)
    dev.m.settle()
    got = paced.ch.get(HW.CH_CNT_BYTES_LO)
    # The machine has no time between two nanoseconds.
    most = rate * (ns + 1) // SECOND + 1
    require(count - 1 <= got <= most, f"{got} bytes in {ns} ns, not {count} to {most}")


# --- another rate -------------------------------------------------------------

@each("mode", BOTH)
def test_changed(bench, mode):
    """Written while a burst is waited for, a new rate is in force at once."""
    dev = bench.device("engines=1", mode)
    paced = Paced(dev, 1)
    paced.receive(1000, 100)
    paced.moved(100)
    paced.after(SECOND, 100)
    # At this rate it would have been requested just now; at the others later.
    paced.ch.set(HW.CH_RATE, 99)
    paced.moved(100)
    paced.ch.set(HW.CH_RATE, 100)
    paced.moved(200)
    paced.ch.set(HW.CH_RATE, 1000)
    paced.after(100 * MS - 1, 200)
    paced.ch.set(HW.CH_RATE, 500)
    paced.after(100 * MS, 200)
    paced.after(1, 300)
    paced.ch.set(HW.CH_RATE, 0)
    paced.moved(1000)


@both
def test_written_again(dev):
    """Writing the rate that there is requests nothing."""
    paced = Paced(dev, 1000)
    paced.receive(1000, 100)
    for _ in range(20):
        paced.ch.set(HW.CH_RATE, 1000)
    paced.moved(100)
    paced.after(100 * MS - 1, 100)
    paced.after(1, 200)


# --- what else may happen to a channel that waits -----------------------------

# Sooner than any timer that the machine has by itself.
SOON = 100000


@both
def test_timer(dev):
    """The next burst is what the machine's clock waits for."""
    paced = Paced(dev, 100 * SECOND // SOON)
    paced.receive(1000, 100)
    paced.moved(100)
    expect(dev.m.next_timer(), SOON, "the next timer")
    paced.moved(200)


def abort(ch):
    ch.set(HW.CH_ABORT, 1)
    ch.wait()
    ch.expect_results(0, refused(HW.ST_ABORTED, 900))


def disable(ch):
    ch.disable()


def finish(ch):
    ch.set(HW.CH_RATE, 0)
    ch.wait()
    ch.expect_results(0, DONE)


def fail(ch):
    ch.set(HW.CH_DOORBELL, 1000)
    ch.expect_error("DOORBELL")


ENDS = {"abort": abort, "disable": disable, "finish": finish, "fail": fail,
        "channel_reset": by_channel_reset, "device_reset": by_device_reset,
        "function_reset": by_function_reset}


@each("way, mode", {f"{name}.{mode}": (way, BOTH[mode]) for name, way in ENDS.items()
                    for mode in BOTH})
def test_ended(bench, way, mode):
    """What ends a descriptor or a channel does so at once, and leaves no timer behind."""
    dev = bench.device("engines=1", mode)
    paced = Paced(dev, 100 * SECOND // SOON)
    paced.receive(1000, 100)
    paced.moved(100)
    way(paced.ch)
    dev.m.settle()
    require(dev.m.next_timer() > SOON, "a timer was left behind")


@each("mode", BOTH)
def test_paused(bench, mode):
    """A channel that waits can be paused; its time goes on, nothing is moved."""
    dev = bench.device("engines=1", mode)
    paced = Paced(dev, 1000)
    paced.receive(1000, 100)
    paced.moved(100)
    paced.ch.pause()
    paced.after(105 * MS, 100)
    paced.ch.go_on()
    paced.moved(200)
    paced.after(95 * MS - 1, 200)
    paced.after(1, 300)
    expect(paced.ch.get(HW.CH_STATUS), RUNNING, "CH_STATUS")


@each("mode", BOTH)
def test_stopped(bench, mode):
    """Time stands still while the machine does."""
    dev = bench.device("engines=1", mode)
    paced = Paced(dev, 1000)
    paced.receive(1000, 100)
    paced.moved(100)
    dev.m.clock(60 * MS)
    dev.m.qmp.command("stop")
    expect(paced.ch.get(HW.CH_CNT_BYTES_LO), 100, "bytes, stopped")
    dev.m.qmp.command("cont")
    paced.after(40 * MS - 1, 100)
    paced.after(1, 200)


@each("mode", BOTH)
def test_migrated(bench, mode):
    """Migration: rate, and when the next burst is requested, are kept."""
    dev = begin(bench, mode=mode)
    paced = Paced(dev, 1000)
    paced.receive(1000, 100)
    paced.moved(100)
    # The clock of a machine under qtest begins with 0, as this one's still does.
    there = migrate(bench, dev, mode=mode)
    paced.ch, paced.m = paced.ch.moved_to(there), there.m
    expect(paced.ch.get(HW.CH_RATE), 1000, "CH_RATE")
    paced.after(100 * MS - 1, 100)
    paced.after(1, 200)


def test_clock_behind(bench):
    """A channel whose stream comes from a later time does not wait for that."""
    dev = begin(bench)
    paced = Paced(dev, 1000)
    dev.m.clock(1000 * SECOND)
    paced.receive(1000, 100)
    paced.moved(100)
    there = migrate(bench, dev)
    paced.ch, paced.m = paced.ch.moved_to(there), there.m
    paced.after(100 * MS - 1, 100)
    paced.after(1, 200)


@each("properties", {"1": "engines=1", "2": "engines=2"})
def test_no_engine(bench, properties):
    """A channel that waits occupies no engine."""
    dev = bench.device(properties, ASYNC)
    waiting = [Paced(dev, 1, index) for index in range(4)]
    for paced in waiting:
        paced.receive(1000, 100)
        paced.moved(100)
    other = Channel(dev, 4).enable()
    src = dev.m.alloc(2 * MIB)
    other.outcome(*[(copy(src, src + MIB, MIB), DONE)] * 8)
    for paced in waiting:
        paced.moved(100)
        paced.ch.set(HW.CH_RATE, 0)
        paced.ch.wait()


def test_quit_waiting(bench):
    """QEMU can be ended while channels wait, and the function reset."""
    dev = bench.device("engines=2", ASYNC)
    for index in range(4):
        paced = Paced(dev, 1, index)
        paced.receive(1000, 100)
        paced.moved(100)
    dev.m.quit()
    dev.m.gone = True
