# SPDX-License-Identifier: GPL-2.0-only
"""Migration: everything goes on, and a bad stream is refused."""

from qtest.lib import hw, migration
from qtest.lib.dma import (CHAIN, DONE, INT, Channel, Result, aborted, copy, descriptor, nop,
                           pattern, refused, rx, tx)
from qtest.lib.hw import HW, ONES
from qtest.lib.machine import PATH
from qtest.lib.migration import MEMORY, begin, incoming, migrate, receive, refusal
from qtest.lib.parity import Sources, flipped, stop_in
from qtest.lib.pci import CAP_PM, Device
from qtest.lib.qemu import MIB, Failed, expect, require
from qtest.lib.registers import REGISTERS
from qtest.lib.suite import ASYNC, ATONCE, BOTH, MODES, SYNC, each, slow


def registers(dev):
    """All that can be read, by name, but for the counter of reads, and what they change."""
    found = {name: dev.read(getattr(HW, name)) for name in hw.DEVICE
             if name != "CNT_MMIO_READS"}
    for index in range(dev.channels()):
        found |= {f"{name} of channel {index}":
                  dev.read(HW.CH_BASE + index * HW.CH_STRIDE + getattr(HW, name))
                  for name in hw.CHANNEL if name != "CH_FIFO_DATA"}
    return found


def same(before, after):
    for name, value in before.items():
        expect(after[name], value, f"{name} after migration")


def test_registers_kept(bench):
    """Migration: all registers have the values that they had."""
    dev = begin(bench, "channels=4")
    for index in range(4):
        ch = Channel(dev, index)
        for i, name in enumerate(hw.CH_CONFIG):
            ch.set(getattr(HW, name), 0x01010101 * i + index & 0xffffff)
        for name, one in REGISTERS.items():
            ch.set(getattr(HW, name), (0, *one.good)[index % (len(one.good) + 1)])
    # Of the first all that can be 0 is.
    Channel(dev, 0).enable().run(nop(INT), nop())
    dev.write(HW.EVENT_VECTOR, 3)
    dev.write(HW.RAISE, 0)
    dev.m.settle()
    before = registers(dev)
    same(before, registers(migrate(bench, dev, properties="channels=4")))


@each("mode", BOTH)
def test_transmission_half_way(bench, mode):
    """Migration: a TX with a part of it in the FIFO goes on where it was."""
    dev = begin(bench, mode=mode)
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src, dst = dev.m.buffer(pattern(20000)), dev.m.alloc(20000)
    peer.outcome((nop(), DONE))
    ch.submit(tx(src, 20000, 2, 100), nop(INT))
    peer.submit(rx(dst, 5000, 0, 100))
    peer.wait()
    dev.m.settle()
    there = migrate(bench, dev, mode=mode)
    ch, peer = ch.moved_to(there), peer.moved_to(there)
    expect(ch.state(), HW.STATE_RUNNING, "state")
    peer.outcome((rx(dst + 5000, 15000, 0, 100), DONE))
    ch.wait()
    ch.expect_results(0, DONE, DONE)
    require(there.m.read(dst, 20000) == pattern(20000), "data differs")


def test_reception_half_way(bench):
    """Migration: an RX that waits for its peer goes on where it was."""
    dev = begin(bench)
    ch, peer = Channel(dev, 2).enable(), Channel(dev, 3).enable()
    src, dst = dev.m.buffer(pattern(1000)), dev.m.alloc(1000)
    peer.submit(rx(dst, 1000, 0, 16))
    ch.run(tx(src, 333))
    there = migrate(bench, dev)
    ch, peer = ch.moved_to(there), peer.moved_to(there)
    peer.stuck(0, "333 bytes of 1000")
    ch.outcome((tx(src + 333, 667), DONE))
    peer.wait()
    require(there.m.read(dst, 1000) == pattern(1000), "data differs")


@each("mode", BOTH)
def test_paused(bench, mode):
    """Migration: a paused channel stays paused, and goes on where it was."""
    dev = begin(bench, mode=mode)
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src, dst = dev.m.buffer(pattern(10000)), dev.m.alloc(10000)
    ch.submit(tx(src, 10000, 0, 10), nop())
    ch.fills(peer, 4090)
    ch.pause()
    there = migrate(bench, dev, mode=mode)
    ch, peer = ch.moved_to(there), peer.moved_to(there)
    expect(ch.get(HW.CH_STATUS), HW.STATE_RUNNING | HW.CH_STATUS_PAUSED, "CH_STATUS")
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE | HW.CH_CONTROL_PAUSE, "CH_CONTROL")
    peer.submit(rx(dst, 10000, 0, 10))
    peer.stuck(0, "the sender is paused")
    expect(ch.progress(), (0, 4090), "progress")
    ch.go_on()
    ch.wait()
    peer.wait()
    require(there.m.read(dst, 10000) == pattern(10000), "data differs")


def test_held_by_test_control(bench):
    """Migration: credits, failures to come, and skipping are kept."""
    dev = begin(bench)
    ch, skipping = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(*[nop()] * 6)
    ch.set(HW.CH_TC_STEP, 2)
    ch.wait(2)
    ch.set(HW.CH_TC_FAIL, HW.ST_LENGTH << 16 | 3)
    skipping.run(descriptor(CHAIN))
    there = migrate(bench, dev)
    ch, skipping = ch.moved_to(there), skipping.moved_to(there)
    ch.stuck(2, "held")
    skipping.outcome((nop(CHAIN), refused(HW.ST_SKIPPED, 0)),
                     (nop(), refused(HW.ST_SKIPPED, 0)), (nop(), DONE))
    ch.set(HW.CH_TC_STEP, 1)
    ch.wait(3)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait(6)
    ch.expect_results(0, DONE, DONE, DONE, DONE, refused(HW.ST_LENGTH, 0), DONE)


@each("mode, kind",
      {f"{name}.{kind}": (mode, kind) for name, mode in BOTH.items()
       for kind in ("pq", "pq_check", "xor")})
def test_parity_half_way(bench, mode, kind):
    """Migration: a parity goes on where it was, with the list that it had."""
    options = {"properties": "channels=2", "memory": 32}
    dev = begin(bench, mode=mode, **options)
    ch = Channel(dev, 0).enable()
    made = Sources(dev.m, 16, MIB)
    check = kind == "pq_check"
    # What a check has found before counts after.
    p = made.room(flipped(made.p(), 0) if check else None)
    q = made.room(None if kind == "pq" else made.q())
    count = stop_in(ch, {"pq": made.pq(p, q), "pq_check": made.pq_check(p, q),
                         "xor": made.xor(p)}[kind])
    want = made.q()
    made.coefs = [7] * 16
    made.renew([0xd0000000] * 16)
    there = migrate(bench, dev, mode=mode, state="paused", **options)
    there.m.qmp.command("cont")
    ch = ch.moved_to(there)
    ch.wait()
    ch.expect_results(count, Result(HW.ST_OK | HW.STATUS_P_WRONG, 0, 0) if check else DONE)
    if not check:
        require(there.m.read(p, MIB) == made.p(), "P differs")
        require(there.m.read(q, MIB) == want, "Q differs")
    expect(ch.get(HW.CH_CNT_BYTES_LO), (MIB + 1) * (count + 1) // 2, "CH_CNT_BYTES_LO")


def test_failure_half_way(bench):
    """Migration: a descriptor that CH_TC_FAIL has chosen fails where it was to."""
    dev = begin(bench, "fifo-depth=64")
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src, dst = dev.m.buffer(pattern(200)), dev.m.alloc(200)
    ch.set(HW.CH_TC_FAIL_BYTES, 100)
    ch.set(HW.CH_TC_FAIL, HW.ST_READ << 16 | 1)
    ch.submit(tx(src, 200))
    dev.m.settle()
    there = migrate(bench, dev, properties="fifo-depth=64")
    ch, peer = ch.moved_to(there), peer.moved_to(there)
    peer.outcome((rx(dst, 64), DONE), (rx(dst + 64, 36), DONE))
    ch.wait()
    ch.expect_results(0, Result(HW.ST_READ, 100, src + 100))
    expect(there.m.read(dst, 100), pattern(100), "data received")


def test_credits_left(bench):
    """Migration: credits that nobody has used yet are kept."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.set(HW.CH_TC_STEP, 3)
    there = migrate(bench, dev)
    ch = ch.moved_to(there)
    ch.submit(*[nop()] * 6)
    ch.wait(3)
    ch.stuck(3, "3 credits")


def test_error_kept(bench):
    """Migration: a channel in ERROR stays there, and can be used again."""
    dev = begin(bench)
    ch = Channel(dev, 5).enable()
    ch.set(HW.CH_DOORBELL, 0x100)
    ch.expect_error("DOORBELL")
    there = migrate(bench, dev)
    ch = ch.moved_to(there)
    ch.expect_error("DOORBELL")
    ch.leave_error()
    ch.works()


def test_interrupts(bench):
    """Migration: MSI-X, the suppression protocol and CH_TC_DROP_IRQ go on."""
    dev = begin(bench)
    dev.use_msix()
    ch, drop = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    ch.arm(5)
    ch.run(nop(INT))
    dev.wait_message(0)
    drop.set(HW.CH_TC_DROP_IRQ, 1)
    there = migrate(bench, dev)
    ch, drop = ch.moved_to(there), drop.moved_to(there)
    ch.run(nop(INT))
    there.no_message(0, "arm has not changed")
    ch.arm(1)
    ch.run(nop(INT))
    there.wait_message(0)
    drop.run(nop(INT))
    there.no_message(1, "CH_TC_DROP_IRQ 1")


def test_line_kept(bench):
    """Migration: an asserted INTx line stays asserted, and W1C lowers it."""
    dev = begin(bench)
    Channel(dev, 0).enable().run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS), "INT_STATUS")
    there = migrate(bench, dev)
    there.watch_line()
    expect(there.read(HW.INT_STATUS), 1, "INT_STATUS")
    dev.write(HW.INT_STATUS, 1)
    there.write(HW.INT_STATUS, 1)
    require(not there.line(), "the line is up")


@each("mode", BOTH)
def test_busy(bench, mode):
    """Migration while the device works: nothing is lost, nothing done twice."""
    dev = begin(bench, mode=mode, memory=16)
    ch = Channel(dev, 0, log2=8).enable()
    src = dev.m.buffer(pattern(100000))
    dst = [dev.m.alloc(100000) for _ in range(100)]
    ch.submit(*(copy(src, to, 100000) for to in dst))
    there = migrate(bench, dev, mode=mode, memory=16)
    ch = ch.moved_to(there)
    ch.wait()
    ch.expect_results(0, *[DONE] * 100)
    for to in dst:
        require(there.m.read(to, 100000) == pattern(100000), f"data at {to:#x} differs")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 10000000, "CH_CNT_BYTES_LO")


def test_twice(bench):
    """Migration, again and again."""
    dev = begin(bench)
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    src, dst = dev.m.buffer(pattern(10000)), dev.m.alloc(10000)
    ch.submit(tx(src, 10000, 0, 10))
    at = 0
    for part in (1000, 3500, 5500):
        dev.m.settle()
        dev = migrate(bench, dev)
        ch, peer = ch.moved_to(dev), peer.moved_to(dev)
        peer.outcome((rx(dst + at, part, 0, 10), DONE))
        at += part
    ch.wait()
    require(dev.m.read(dst, 10000) == pattern(10000), "data differs")


@each("mode, extra", MODES)
def test_version_1(bench, mode, extra):
    """A stream of version 1, which has neither properties nor the AER log, is taken."""
    dev = begin(bench, mode=mode, extra=extra)
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    go_on = sends(ch, peer)
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream").cut(1, "config[0]")
    # What is not compared may differ.
    there = migration.load(bench, stream.save(bench.directory / "old"), dev, "engines=1",
                           mode=mode, extra=extra, memory=MEMORY)
    go_on(ch.moved_to(there), peer.moved_to(there))


# --- after a stop -------------------------------------------------------------

SIZE = 3 * MIB // 2


def sends(ch, peer):
    """A TX that fills the FIFO; returns what must be so when all is let go."""
    src, dst = ch.m.buffer(pattern(10000)), ch.m.alloc(10000)
    ch.submit(tx(src, 10000, 0, 10), nop(INT))
    ch.fills(peer, 4090)

    def end(ch, peer):
        peer.outcome((rx(dst, 10000, 0, 10), DONE))
        ch.wait()
        ch.expect_results(0, DONE, DONE)
        require(ch.m.read(dst, 10000) == pattern(10000), "data differs")
    return end


def receives(ch, peer):
    """An RX that has something, and waits for more."""
    src, dst = ch.m.buffer(pattern(100)), ch.m.alloc(100)
    ch.submit(rx(dst, 100, 0, 16), nop(INT))
    peer.run(tx(src, 40))
    ch.stuck(0, "40 bytes of 100")

    def end(ch, peer):
        peer.outcome((tx(src + 40, 60), DONE))
        ch.wait()
        require(ch.m.read(dst, 100) == pattern(100), "data differs")
    return end


def paused(ch, peer):
    end = sends(ch, peer)
    ch.pause()

    def go_on(ch, peer):
        expect(ch.get(HW.CH_STATUS), HW.STATE_RUNNING | HW.CH_STATUS_PAUSED, "CH_STATUS")
        ch.go_on()
        end(ch, peer)
    return go_on


def copies(ch, settle=True):
    """So many that none would be done at once."""
    src, dst = ch.m.buffer(pattern(SIZE)), ch.m.alloc(SIZE)
    first = ch.submit(*[copy(src, dst, SIZE, INT)] * 14)
    if settle:
        ch.m.settle()

    def end(ch, _):
        ch.wait()
        ch.expect_results(first, *[DONE] * 14)
        require(ch.m.read(dst, SIZE) == pattern(SIZE), "data differs")
        expect(ch.get(HW.CH_CNT_BYTES_LO), 14 * SIZE, "CH_CNT_BYTES_LO")
        ch.m.until(lambda: ch.dev.read(HW.INT_STATUS) == 1, "the interrupt")
    return end


def unfinished(ch, _):
    """One of them is in progress, for all that is known."""
    return copies(ch, settle=False)


def control(register, value):
    """Kept by a test control, until that is 0."""
    def kept(ch, _):
        ch.set(register, value)
        end = copies(ch)
        ch.stuck(0, "kept")

        def go_on(ch, peer):
            expect(ch.get(register), value, "test control")
            ch.set(register, 0)
            end(ch, peer)
        return go_on
    return kept


def aborting(ch, peer):
    """An abort has no effect yet, on a descriptor in progress and on the next."""
    sends(ch, peer)
    ch.set(HW.CH_TC_STUCK, HW.STUCK_WORK)
    ch.submit(nop(INT))
    ch.set(HW.CH_ABORT, 2)
    ch.stuck(0, "stuck")

    def go_on(ch, _):
        ch.set(HW.CH_TC_STUCK, 0)
        ch.wait()
        ch.expect_results(0, aborted(10000 - 4090), aborted(0), DONE)
    return go_on


def stuck(level, stop):
    """It does not admit that it was stopped, until it is let go."""
    def stopping(ch, peer):
        sends(ch, peer)
        ch.set(HW.CH_TC_STUCK, level)
        stop(ch)
        expect(ch.state(), HW.STATE_STOPPING, "state")

        def go_on(ch, _):
            expect(ch.state(), HW.STATE_STOPPING, "state")
            ch.set(HW.CH_TC_STUCK, 0)
            ch.m.until(lambda: ch.state() == HW.STATE_DISABLED and not ch.get(HW.CH_CONTROL) and
                       not ch.dev.read(HW.CONTROL), "DISABLED")
            ch.enable().works()
        return go_on
    return stopping


STANDING = {
    "sends": sends, "receives": receives, "paused": paused, "unfinished": unfinished,
    "held": control(HW.CH_TC_HOLD, 1), "delayed": control(HW.CH_TC_DELAY, 5000000),
    "stuck": control(HW.CH_TC_STUCK, HW.STUCK_WORK), "aborting": aborting,
    "stuck_stop": stuck(HW.STUCK_STOP, lambda ch: ch.set(HW.CH_CONTROL, 0)),
    "stuck_reset": stuck(HW.STUCK_RESET,
                         lambda ch: ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)),
    "stuck_device": stuck(HW.STUCK_DEVICE, lambda ch: ch.dev.write(HW.CONTROL,
                                                                   HW.CONTROL_RESET)),
}


def set_again(dev):
    """The host sets test controls to what they are."""
    for name in ("stuck[0]", "addr-bits[0]", "hold[0]", "delay[0]", "stuck[1]"):
        value = dev.m.qmp.command("qom-get", path=PATH, property=name)
        dev.m.qmp.command("qom-set", path=PATH, property=name, value=value)


def stand_still(dev):
    dev.m.qmp.command("stop")


def sleep(dev):
    dev.set_config(dev.capability(CAP_PM) + 4, 3, 2)


# What makes the device end its turns.
ENDS = {"stop": [stand_still, set_again], "d3hot": [sleep], "set": [set_again]}


@each("mode, extra, situation, steps",
      {f"{name}.{situation}.{end}": (*MODES[name], STANDING[situation], steps)
       for name in ("sync", "async", "iommu") for situation in STANDING
       for end, steps in ENDS.items()})
def test_stands(bench, mode, extra, situation, steps):
    """What a stop of whatever kind leaves is good in a stream, and goes on from there."""
    dev = begin(bench, mode=mode, extra=extra)
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    go_on = situation(ch, peer)
    for step in steps:
        step(dev)
    there = migrate(bench, dev, mode=mode, extra=extra,
                    state="paused" if stand_still in steps else "running")
    if stand_still in steps:
        there.m.qmp.command("cont")
    if sleep in steps:
        there.set_config(there.capability(CAP_PM) + 4, 0, 2)
    go_on(ch.moved_to(there), peer.moved_to(there))


# --- live ---------------------------------------------------------------------

class Copier:
    """Copies that all are in the ring before, and are revealed as time goes by.

    Each writes other data than the last to its place, so that one that is missing, or
    comes again later, is seen in the end; of the last, some were done before and some after.
    """
    PLACES, LENGTH, LOG2, AFTER = 7, 50000, 12, 3

    def __init__(self, dev, index, src):
        self.ch = Channel(dev, index, log2=self.LOG2).enable()
        self.src = src
        self.dst = [dev.m.alloc(self.LENGTH) for _ in range(self.PLACES)]
        self.ch.post(*(copy(self.source(n), self.dst[n % self.PLACES], self.LENGTH)
                       for n in range(1 << self.LOG2)))
        self.shown = 0

    def source(self, n):
        return self.src + n * 101 % 100000

    def show(self):
        require(self.shown + self.AFTER < 1 << self.LOG2, "the copies are done too soon")
        self.shown += 1
        self.ch.set(HW.CH_DOORBELL, self.shown)

    def check(self, there, data):
        ch = self.ch.moved_to(there)
        ch.wait(self.shown)
        count = self.shown + self.AFTER
        ch.set(HW.CH_DOORBELL, count)
        ch.wait(count)
        ch.expect_results(0, *[DONE] * count)
        for n in range(count - self.PLACES, count):
            at = self.source(n) - self.src
            require(there.m.read(self.dst[n % self.PLACES], self.LENGTH) ==
                    data[at:at + self.LENGTH], f"the data of copy {n} differ")
        expect(ch.get(HW.CH_CNT_DESCRIPTORS), count, "CH_CNT_DESCRIPTORS")
        expect(ch.get(HW.CH_CNT_BYTES_LO), count * self.LENGTH, "CH_CNT_BYTES_LO")


@each("mode", {"sync": SYNC, "async": ASYNC, "atonce": ATONCE})
def test_live(bench, mode):
    """Live migration while engines copy: all is done once, whatever state a channel is in."""
    options = {"properties": "channels=16", "mode": mode, "memory": 16}
    dev = begin(bench, **options)
    data = pattern(150000)
    src = dev.m.buffer(data)
    copiers = [Copier(dev, n, src) for n in (0, 1)]
    paused, receiver, held, stuck, error, sender, sink, paced = (
        Channel(dev, n).enable() for n in (2, 3, 4, 5, 6, 8, 9, 10))
    dst = {name: dev.m.alloc(20000) for name in ("paused", "stuck", "stream", "paced")}
    paused.submit(tx(src, 20000))
    paused.fills(receiver, 4096)
    paused.pause()
    held.set(HW.CH_TC_HOLD, 1)
    held.submit(*[nop()] * 3)
    stuck.set(HW.CH_TC_STUCK, HW.STUCK_WORK)
    stuck.submit(copy(src, dst["stuck"], 20000))
    error.set(HW.CH_DOORBELL, 0x100)
    error.expect_error("DOORBELL")
    sender.submit(tx(src, 20000))
    sink.submit(rx(dst["stream"], 10000))
    sink.wait()
    paced.set(HW.CH_PERIPH, HW.CH_PERIPH_PATTERN)
    paced.set(HW.CH_RATE, 1000)
    paced.submit(rx(dst["paced"], 20000))

    def work():
        for copier in copiers:
            copier.show()

    there = migration.live(bench, dev, work, **options)
    with dev.m.untouched("after the migration"):
        for copier in copiers:
            copier.ch.set(HW.CH_DOORBELL, copier.shown + 1)
    for copier in copiers:
        copier.check(there, data)
    paused, receiver, held, stuck, error, sender, sink, paced = (
        ch.moved_to(there) for ch in (paused, receiver, held, stuck, error, sender, sink,
                                      paced))
    expect(paused.get(HW.CH_STATUS), HW.STATE_RUNNING | HW.CH_STATUS_PAUSED, "CH_STATUS")
    paused.go_on()
    receiver.outcome((rx(dst["paused"], 20000), DONE))
    held.stuck(0, "held")
    held.set(HW.CH_TC_STEP, 1)
    held.wait(1)
    held.set(HW.CH_TC_HOLD, 0)
    stuck.stuck(0, "stuck")
    stuck.set(HW.CH_TC_STUCK, 0)
    error.expect_error("DOORBELL")
    error.leave_error()
    error.works()
    sink.outcome((rx(dst["stream"] + 10000, 10000), DONE))
    paced.stuck(0, "its time has not come")
    paced.set(HW.CH_RATE, 0)
    for ch in (paused, held, stuck, sender, paced):
        ch.wait()
    for name in ("paused", "stuck", "stream"):
        require(there.m.read(dst[name], 20000) == data[:20000], f"data differ: {name}")
    dev.m.qmp.command("quit")
    dev.m.gone = True


@each("mode", {"sync": SYNC, "async": ASYNC, "atonce": ATONCE})
def test_snapshot(bench, mode):
    """savevm and loadvm while the device works: it goes on from there, again and again."""
    dev = begin(bench, mode=mode, memory=16)
    disk = migration.Snapshots(bench, dev.m)
    dev.use_msix()
    busy, held, sender = Channel(dev, 0, log2=8), Channel(dev, 1), Channel(dev, 2)
    peer, running = Channel(dev, 3), Channel(dev, 4, log2=8)
    for ch in (busy, held, sender, peer, running):
        ch.enable()
    src = dev.m.buffer(pattern(100000))
    dst = [dev.m.alloc(100000) for _ in range(6)]
    # Half way, and of those that come later each is a little shorter.
    busy.set(HW.CH_TC_HOLD, 1)
    busy.submit(*(copy(src, dst[n % 5], 100000 - n, INT) for n in range(200)))
    held.set(HW.CH_TC_HOLD, 1)
    held.submit(nop(), nop())
    sender.submit(tx(src, 20000))
    sender.fills(peer, 4096)
    busy.set(HW.CH_TC_STEP, 100)
    busy.wait(100)
    running.submit(*[copy(src, dst[5], 100000)] * 200)
    disk.save()
    for how in ("as it was", "disabled", "reset", "in D3hot"):
        if how == "disabled":
            busy.disable()
            held.set(HW.CH_TC_HOLD, 0)
            held.wait()
        elif how == "reset":
            dev.flr()
        elif how == "in D3hot":
            dev.set_config(dev.capability(CAP_PM) + 4, 3, 2)
        for to in dst:
            dev.m.write(to, bytes(100000))
        disk.load()
        dev.m.qmp.command("cont")
        busy.stuck(100, f"held, {how}")
        busy.set(HW.CH_TC_HOLD, 0)
        busy.wait()
        busy.expect_results(0, *[DONE] * 200)
        expect(busy.get(HW.CH_CNT_DESCRIPTORS), 200, f"CH_CNT_DESCRIPTORS, {how}")
        expect(busy.get(HW.CH_CNT_BYTES_LO), 20000000 - 19900, f"CH_CNT_BYTES_LO, {how}")
        for to in dst:
            require(dev.m.read(to, 99805) == pattern(100000)[:99805], f"data differs, {how}")
        running.wait()
        running.expect_results(0, *[DONE] * 200)
        expect(running.get(HW.CH_CNT_DESCRIPTORS), 200, f"CH_CNT_DESCRIPTORS, {how}")
        held.stuck(0, f"held, {how}")
        sender.stuck(0, f"FIFO full, {how}")
        expect(peer.get(HW.CH_FIFO_LEVEL), 4096, f"CH_FIFO_LEVEL, {how}")
        dev.wait_message(0)
    held.set(HW.CH_TC_HOLD, 0)
    held.wait()
    to = dev.m.alloc(20000)
    peer.outcome((rx(to, 20000), DONE))
    require(dev.m.read(to, 20000) == pattern(100000)[:20000], "data received differ")


# --- counts that wrap ---------------------------------------------------------

@each("mode", BOTH)
def test_counts_wrap(bench, mode):
    """Counts run through 2^32: the stream of a channel is made to be just before."""
    dev = begin(bench, mode=mode)
    ch = Channel(dev, 0, log2=3).enable()
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    start = ONES - 11
    stream.set("ch[0].tail", start).set("ch[0].retired", start)
    there = migration.load(bench, stream.save(bench.directory / "edited"), dev, mode=mode,
                           memory=MEMORY)
    ch = ch.moved_to(there)
    ch.head = start
    there.m.write32(ch.comp, start)
    for _ in range(3):
        ch.outcome(*[(nop(), DONE)] * 5)
        ch.works()
    expect(ch.done(), 6, "done")
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(), nop())
    there.m.settle()
    ch.set(HW.CH_ABORT, 8)
    ch.wait()
    ch.set(HW.CH_DOORBELL, ONES)
    ch.expect_error("DOORBELL")


def test_counts_wrap_full(bench):
    """A ring that is full, and aborted, across 2^32."""
    dev = begin(bench)
    ch = Channel(dev, 0, log2=3).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set("ch[0].tail", ONES - 3).set("ch[0].retired", ONES - 3)
    there = migration.load(bench, stream.save(bench.directory / "edited"), dev,
                           memory=MEMORY)
    ch = ch.moved_to(there)
    ch.head = ONES - 3
    there.m.write32(ch.comp, ch.head)
    first = ch.submit(*[nop()] * 8)
    ch.stuck(ONES - 3, "held")
    ch.set(HW.CH_ABORT, 2)
    ch.wait(2)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait(4)
    ch.expect_results(first, *[refused(HW.ST_ABORTED, 0)] * 6, DONE, DONE)


def test_pending(bench):
    """An abort that came too late and an interrupt that was not sent yet are kept."""
    dev = begin(bench)
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(), nop())
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream")
    stream.set("ch[0].aborting", 1).set("ch[0].abort_to", ONES).set("pending", 1)
    there = migration.load(bench, stream.save(bench.directory / "edited"), dev,
                           memory=MEMORY)
    ch = ch.moved_to(there)
    there.m.until(lambda: there.read(HW.INT_STATUS) == 1, "the interrupt")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()
    ch.expect_results(0, DONE, DONE)


# --- bad streams --------------------------------------------------------------

def busy_stream(bench, properties="channels=2"):
    """A stream with a descriptor in progress in channel 0, and a FIFO with bytes in it."""
    dev = begin(bench, properties)
    ch = Channel(dev, 0, log2=3).enable()
    ch.submit(tx(dev.m.buffer(pattern(8000)), 8000, 0, 16), nop())
    dev.m.settle()
    migration.save(dev.m, bench.directory / "stream")
    return migration.Stream(bench.directory / "stream")


DAMAGE = {
    "ring_log2_large": ("ch[0].ring.log2", 17), "ring_log2_32": ("ch[0].ring.log2", 32),
    "ring_log2_ones": ("ch[0].ring.log2", ONES), "ring_log2_zero": ("ch[0].ring.log2", 0),
    "ring_unaligned": ("ch[0].ring.base", 0x100020), "ring_end": ("ch[0].ring.base", -0x40),
    "comp_unaligned": ("ch[0].comp", 0x100040), "vector": ("ch[0].vector", 3),
    "tail_far": ("ch[0].tail", 9), "tail_behind": ("ch[0].tail", ONES),
    "retired": ("ch[0].retired", 3), "state": ("ch[0].state", 4),
    "state_stopping": ("ch[0].state", HW.STATE_STOPPING),
    "state_disabled": ("ch[0].state", HW.STATE_DISABLED),
    "error_in_running": ("ch[0].error", 1), "error": ("ch[0].error", 6),
    "fifo_count": ("ch[1].fifo.count", 4097), "fifo_count_ones": ("ch[1].fifo.count", ONES),
    "fifo_head": ("ch[1].fifo.head", 4096), "fifo_head_ones": ("ch[1].fifo.head", ONES),
    "fifo_depth": ("ch[1].fifo.depth", 8192), "op_moved": ("ch[0].op[0].moved", 8001),
    "op_moved_ones": ("ch[0].op[0].moved", ONES), "op_len_zero": ("ch[0].op[0].len", 0),
    "op_len_large": ("ch[0].op[0].len", ONES), "op_limit": ("ch[0].op[0].limit", ONES),
    "op_code": ("ch[0].op[0].ctrl", 0), "op_periph": ("ch[0].op[0].periph", 0xffff0000),
    "op_moved_in_a_burst": ("ch[0].op[0].moved", 4097), "pending": ("pending", 4),
    "int_status": ("status", 4), "event": ("event", 4), "channels": ("channels", 1),
    "channels_more": ("channels", 33), "caps": ("caps", 7),
    "paused_disabled": ("ch[1].paused", 1), "priority": ("ch[1].priority", 4),
    "periph_reserved": ("ch[0].select", 2), "periph_ones": ("ch[1].select", ONES),
    "burst": ("ch[0].requests.bytes", 4097),
    "received": ("ch[1].fifo.received", 4095), "meta_of_none": ("ch[0].meta[0].len", 1),
    "delay": ("ch[0].delay", 10000001), "reorder": ("ch[1].reorder", 65),
    "spurious": ("ch[0].spurious", 0x80000000), "stuck": ("ch[1].stuck", 5),
    "addr_bits": ("ch[1].addr_bits", 65), "resetting": ("ch[0].resetting", 1),
    "resetting_disabled": ("ch[1].resetting", 1), "device_resetting": ("resetting", 1),
    "gone": ("gone", 1), "repeat": ("repeat", 4),
}


@each("field, value", DAMAGE)
def test_damaged(bench, field, value):
    """A stream with state that cannot be is refused with a message."""
    busy_stream(bench).set(field, value).save(bench.directory / "damaged")
    message = receive(bench, "damaged").refuses()
    require("loopdma" in message, f"the message does not name the device: {message}")


ALIGNED = "channels=2,copy-align=4"


def parity_stream(bench):
    """The same, but the descriptor in progress is a check of P and Q of two sources."""
    stream = busy_stream(bench, ALIGNED)
    fields = {"ctrl": HW.OP_PQ_CHECK, "src": 0x100000, "dst": 0x200000, "periph": 0, "arg": 2,
              "moved": 4096, "wrong": HW.STATUS_Q_WRONG}
    for name, value in fields.items():
        stream.set(f"ch[0].op[0].{name}", value)
    stream.set("ch[0].sources[0].addr[0]", 0x300000).set("ch[0].sources[0].addr[1]", 0x400000)
    return stream.set("ch[0].sources[0].dst2", 0x500000)


def test_parity_stream_good(bench):
    """What the next cases damage is good as it is."""
    parity_stream(bench).save(bench.directory / "good")
    machine = receive(bench, "good", ALIGNED).connect()
    machine.until(lambda: machine.qmp.command("query-status")["running"], "a running machine")
    ch = Channel(Device(machine, fresh=False), 0)
    machine.until(lambda: ch.get(HW.CH_CNT_DESCRIPTORS), "the end of the check")


PARITY_DAMAGE = {
    "no_sources": ("ch[0].op[0].arg", 0), "sources": ("ch[0].op[0].arg", 17),
    "neither": ("ch[0].op[0].arg", 2 | HW.ARG_NO_P | HW.ARG_NO_Q),
    "reserved": ("ch[0].op[0].arg", 2 | HW.ARG_CONTINUE),
    "list": ("ch[0].op[0].src", 0x100020), "dst": ("ch[0].op[0].dst", 0x200008),
    "dst2": ("ch[0].sources[0].dst2", 0x500008),
    "source": ("ch[0].sources[0].addr[1]", 0x400008),
    "wrong": ("ch[0].op[0].wrong", 1), "wrong_ones": ("ch[0].op[0].wrong", 0xffff),
}


@each("field, value", PARITY_DAMAGE)
def test_damaged_parity(bench, field, value):
    """A descriptor in progress that cannot have passed the checks is refused."""
    parity_stream(bench).set(field, value).save(bench.directory / "damaged")
    receive(bench, "damaged", ALIGNED).refuses()


def test_damaged_finding(bench):
    """So is one that is no check, and has found something."""
    stream = busy_stream(bench).set("ch[0].op[0].wrong", HW.STATUS_P_WRONG)
    stream.save(bench.directory / "damaged")
    receive(bench, "damaged").refuses()


def test_damaged_paused(bench):
    """A paused channel in ERROR, or without CAPS.PAUSE, is refused."""
    stream = busy_stream(bench).set("ch[0].paused", 1)
    stream.set("ch[0].state", HW.STATE_ERROR).set("ch[0].error", 1).set("ch[0].carried", 0)
    stream.save(bench.directory / "damaged")
    receive(bench, "damaged").refuses()
    dev = begin(bench, f"channels=2,x-caps-mask={HW.CAPS_PAUSE}")
    Channel(dev, 0).enable()
    migration.save(dev.m, bench.directory / "stream")
    stream = migration.Stream(bench.directory / "stream").set("ch[0].paused", 1)
    stream.save(bench.directory / "damaged")
    receive(bench, "damaged", f"channels=2,x-caps-mask={HW.CAPS_PAUSE}").refuses()


@each("count", {"beyond_tail": 3, "far_behind": -15})
def test_damaged_abort(bench, count):
    """An abort to a count that cannot have been written is refused."""
    busy_stream(bench).set("ch[0].aborting", 1).set("ch[0].abort_to", count).save(
        bench.directory / "damaged")
    receive(bench, "damaged").refuses()


def test_damaged_interrupt(bench):
    """An interrupt of a channel that has no vector is refused."""
    stream = busy_stream(bench).set("pending", 2)
    stream.set("ch[1].enabled", 0).set("ch[1].state", HW.STATE_DISABLED)
    stream.set("ch[1].vector", 3).save(bench.directory / "damaged")
    receive(bench, "damaged").refuses()


@each("properties", {"channels": "channels=4", "fifo_depth": "channels=2,fifo-depth=8192",
                     "test_controls": "channels=2,test-controls=off",
                     "ring_max": "channels=2,ring-max=4"})
def test_other_configuration(bench, properties):
    """A stream does not fit a device that is configured in another way."""
    busy_stream(bench)
    receive(bench, "stream", properties).refuses()


# What two devices may differ in: a value at the source, and another at the destination.
DIFFERENCES = {
    "max-len": ("4M", "1M"), "addr-bits": (64, 48), "copy-align": (0, 2),
    "fifo-widths": (0x7f, 0x01), "fifo-max-burst": (256, 16), "max-sources": (16, 8),
    "ring-max": (65536, 1024), "engines": (2, 1), "x-version": (0x10003, 0x10002),
    "x-id": (HW.ID_MAGIC, HW.ID_MAGIC ^ 1), "x-bar-size": ("64K", "128K"),
}


# The same, of what all other cases have an opinion about.
MODES_DIFFER = {"sync": ("off", "on"), "irq-mode": ("intx", "none")}


@each("name, values", {name.replace("-", "_"): (name, values)
                       for name, values in {**DIFFERENCES, **MODES_DIFFER}.items()})
def test_difference_refused(bench, name, values):
    """A device with another value of a property does not take a stream, and names it."""
    for n, (source, destination) in enumerate((values, values[::-1])):
        dev = begin(bench, f"{name}={source}", ASYNC)
        migration.save(dev.m, bench.directory / f"stream{n}")
        machine = bench.boot(f"{name}={destination}", ASYNC, memory=MEMORY,
                             extra=incoming(bench.directory / f"stream{n}"))
        said = refusal(machine)
        require(any("loopdma" in line and name in line for line in said.splitlines()),
                f"no line names {name}: {said}")


@each("mode", BOTH)
@each("which", {"source": 0, "destination": 1})
def test_difference_none(bench, mode, which):
    """With the same values on both sides, whatever they are, the stream is loaded."""
    properties = ",".join(f"{name}={values[which]}" for name, values in DIFFERENCES.items())
    dev = begin(bench, properties, mode)
    ch = Channel(dev, 0, log2=6).enable()
    ch.copies(pattern(1000), align=4)
    there = migrate(bench, dev, mode=mode, properties=properties)
    same(registers(dev), registers(there))
    ch = ch.moved_to(there)
    ch.copies(pattern(1000), align=4)


def use(machine):
    """Does what a guest might, with a device in whatever state."""
    dev = Device(machine)
    machine.settle()
    registers(dev)
    for index in range(2):
        ch = Channel(dev, index)
        ch.set(HW.CH_TC_HOLD, 0)
        ch.set(HW.CH_DOORBELL, 3)
        ch.set(HW.CH_ABORT, 3)
    machine.settle()
    dev.write(HW.CONTROL, HW.CONTROL_RESET)
    Channel(dev, 0).enable().works()
    machine.quit()
    machine.gone = True


PARTS = 4


@slow
@each("part", {f"part{part}": part for part in range(PARTS)})
def test_any_field(bench, part):
    """Whatever a field of the stream holds, QEMU refuses it or the device can be used."""
    stream = busy_stream(bench)
    small = sorted(name for name, (_, size) in stream.fields.items()
                   if size <= 8 and
                   not name.startswith(("ch[1].op", "ch[1].sources", "ch[1].meta")))
    for name in small[part::PARTS]:
        before = stream.get(name)
        for value in (0, -1) if stream.fields[name][1] == 1 else (-1,):
            stream.set(name, value).save(bench.directory / "damaged")
            machine = receive(bench, "damaged")
            try:
                machine.connect()
                machine.until(lambda m=machine: m.qmp.command("query-status")["running"],
                              f"{name}={value}: a running machine")
            except Failed:
                machine.refuses()
            else:
                use(machine)
        stream.set(name, before)
