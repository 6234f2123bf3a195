# SPDX-License-Identifier: GPL-2.0-only
"""Behind an IOMMU: bus addresses are not those of the CPU."""

import itertools

from qtest.lib.dma import (DONE, INT, Channel, Result, copy, fill, nop, pattern, rx, set_pattern,
                           string, tx)
from qtest.lib.hw import HW
from qtest.lib.iommu import ARGUMENTS, PAGE, READ, WRITE, Iommu
from qtest.lib.parity import Sources
from qtest.lib.pci import BAR
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import ASYNC, BOTH, EXACT, each

MODES = {**BOTH, "exact": EXACT}

# Where the bus sees what a case uses of memory: the address of the CPU plus this.
SHIFT = 0x4000000000


class Behind:
    """A device behind an IOMMU, with all memory mapped that a case will allocate."""

    def __init__(self, bench, mode, size=4 * MIB, properties="engines=2"):
        self.dev = bench.device(properties, mode=mode, extra=ARGUMENTS)
        self.m = self.dev.m
        self.iommu = Iommu(self.m)
        for at in range(0, size, PAGE):
            self.iommu.put(self.iommu.entry(SHIFT + MIB + at), MIB + at | READ | WRITE)
        self.iommu.invalidate()

    def channel(self, index, **options):
        return Channel(self.dev, index, bus=SHIFT, **options).enable()

    def buffer(self, data):
        return self.m.buffer(data) + SHIFT

    def alloc(self, size):
        return self.m.alloc(size) + SHIFT

    def read(self, bus, size):
        return self.m.read(bus - SHIFT, size)


@each("mode", MODES)
def test_mapped(bench, mode):
    """Everything goes through the IOMMU: ring, record and buffers."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    for length in (1, 4096, 5000, 300001):
        ch.copies(pattern(length))


@each("mode", MODES)
def test_scattered(bench, mode):
    """Pages that are next to each other on the bus may be anywhere in memory."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    count = 64
    data = pattern(count * PAGE)
    pages = made.m.buffer(data)
    bus, dst = SHIFT + (1 << 30), made.alloc(count * PAGE)
    for n in range(count):
        made.iommu.put(made.iommu.entry(bus + n * PAGE),
                       pages + (n * 37 % count) * PAGE | READ)
    made.iommu.invalidate()
    ch.outcome((copy(bus + 5, dst, count * PAGE - 5), DONE))
    want = b"".join(data[n * 37 % count * PAGE:][:PAGE] for n in range(count))
    require(made.read(dst, count * PAGE - 5) == want[5:], "data differs")


def shuffled(made, sources, first):
    """Maps sources to bus addresses from `first` on, page by page, out of order."""
    at = []
    for n, source in enumerate(sources.at):
        bus = first + n * MIB
        pages = -(-(sources.length + source % PAGE) // PAGE)
        # In memory they are next to each other; here, the n-th is turned by n pages.
        copies = made.m.alloc(pages * PAGE)
        data = bytes(source % PAGE) + sources.data[n]
        for page in range(pages):
            there = copies + (page * 7 + n) % pages * PAGE
            made.m.write(there, data[page * PAGE:][:PAGE])
            made.iommu.put(made.iommu.entry(bus + page * PAGE), there | READ)
        at.append(bus + source % PAGE)
    made.iommu.invalidate()
    return at


@each("mode, count", {f"{name}.{count}": (mode, count) for name, mode in MODES.items()
                      for count in (1, 3, 16)})
def test_scattered_sources(bench, mode, count):
    """Sources whose pages are anywhere, each with another offset in its pages."""
    made = Behind(bench, mode, 16 * MIB)
    ch = made.channel(0)
    # A multiple of 7 pages would be no permutation.
    length = 60 * PAGE - 300
    sources = Sources(made.m, count, length, align=1, bus=SHIFT)
    sources.at = [at + 1 + n * 250 for n, at in enumerate(sources.at)]
    sources.renew(shuffled(made, sources, SHIFT + (1 << 30)))
    p, q = sources.room(), sources.room(b"\xee" * (length + 1)) + 1
    ch.outcome((sources.pq(p, q), DONE), (sources.pq_check(p, q), DONE))
    require(sources.read(p) == sources.p(), "P differs")
    require(sources.read(q) == sources.q(), "Q differs")
    expect(ch.get(HW.CH_CNT_BYTES_LO), 2 * length, "CH_CNT_BYTES_LO")


@each("mode, which", {f"{name}.{which}": (mode, which) for name, mode in MODES.items()
                      for which in range(5)})
def test_hole_in_parity(bench, mode, which):
    """A page of a source, of P or of Q is not mapped: what counts was moved in all."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    length, hole_at = 20 * PAGE, 7 * PAGE
    sources = Sources(made.m, 3, length, align=PAGE, bus=SHIFT)
    p, q = sources.room(), sources.room()
    fault = [*sources.at, p, q][which] + hole_at
    made.iommu.unmap(fault)
    status = HW.ST_READ if which < 3 else HW.ST_WRITE
    moved = partly(ch, sources.pq(p, q), status, length, fault, hole_at)
    require(sources.read(p, moved) == sources.p()[:moved], "P differs")
    require(sources.read(q, moved) == sources.q()[:moved], "Q differs")
    for dst in {p, q} - {fault - hole_at}:
        require(made.read(dst + hole_at, PAGE) == b"\xee" * PAGE, "moved beyond the fault")
    partly(ch, sources.pq_check(p, q), HW.ST_READ, length, fault, hole_at)
    made.iommu.map(fault, fault - SHIFT)
    ch.outcome((sources.pq(p, q), DONE), (sources.pq_check(p, q), DONE))


@each("mode", MODES)
def test_rights_of_results(bench, mode):
    """What is checked need not be writable; what is added to must be readable, too."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    sources = Sources(made.m, 3, PAGE, align=PAGE, bus=SHIFT)
    p, q = sources.room(sources.p()), sources.room(sources.q())
    made.iommu.map(p, p - SHIFT, rights=READ)
    made.iommu.map(q, q - SHIFT, rights=WRITE)
    more = {"flags": HW.ARG_CONTINUE}
    ch.outcome((sources.pq_check(p, None), DONE),
               (sources.pq(p, None), Result(HW.ST_WRITE, PAGE, p)),
               (sources.pq(p, None, **more), Result(HW.ST_WRITE, PAGE, p)),
               (sources.pq(None, q, **more), Result(HW.ST_READ, PAGE, q)),
               (sources.pq_check(None, q), Result(HW.ST_READ, PAGE, q)),
               (sources.pq(None, q), DONE), (fill(p, 64, 0), Result(HW.ST_WRITE, 64, p)),
               (fill(q, 64, 7), DONE))
    require(made.read(p, PAGE) == sources.p(), "the page that is not writable")


@each("mode", MODES)
def test_source_list(bench, mode):
    """The source list is read through the IOMMU, page by page."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    sources = Sources(made.m, 16, 64, bus=SHIFT)
    page = made.alloc(2 * PAGE)
    sources.list = page + PAGE - 64
    sources.renew()
    dst = sources.room()
    ch.outcome((sources.xor(dst), DONE))
    made.iommu.unmap(page + PAGE)
    ch.outcome((sources.xor(dst), Result(HW.ST_READ, 64, page + PAGE)))
    made.iommu.unmap(page)
    ch.outcome((sources.xor(dst), Result(HW.ST_READ, 64, sources.list)))


@each("mode", MODES)
def test_not_mapped(bench, mode):
    """READ, WRITE: fault_addr is the bus address that the IOMMU refuses."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    src, dst = made.buffer(pattern(64)), made.alloc(64)
    far = SHIFT + (1 << 32)
    ch.outcome((copy(far, dst, 64), Result(HW.ST_READ, 64, far)),
               (copy(src, far + 8, 64), Result(HW.ST_WRITE, 64, far + 8)),
               # Addresses of the CPU mean nothing here.
               (copy(src - SHIFT, dst, 64), Result(HW.ST_READ, 64, src - SHIFT)),
               (copy(src, dst, 64), DONE))


def partly(ch, data, status, length, fault, good):
    result, = ch.run(data)
    expect((result.status, result.fault), (status, fault), "status and fault_addr")
    require(length - good <= result.residue <= length, f"residue {result.residue:#x}")
    return length - result.residue


@each("mode", MODES)
def test_hole(bench, mode):
    """A buffer with a page that is not mapped: what counts as moved was moved."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    length = 20 * PAGE
    src, dst = made.buffer(pattern(length)), made.buffer(b"\xee" * length)
    made.iommu.unmap(src + 7 * PAGE)
    good = 7 * PAGE - 100
    moved = partly(ch, copy(src + 100, dst, length - 100), HW.ST_READ, length - 100,
                   src + 7 * PAGE, good)
    require(made.read(dst, moved) == pattern(length)[100:100 + moved], "data differs")
    require(made.read(dst + good, PAGE) == b"\xee" * PAGE, "moved beyond the fault")
    made.iommu.map(src + 7 * PAGE, src + 7 * PAGE - SHIFT)
    made.iommu.unmap(dst + 3 * PAGE)
    partly(ch, copy(src, dst, length), HW.ST_WRITE, length, dst + 3 * PAGE, 3 * PAGE)


@each("mode", MODES)
def test_rights(bench, mode):
    """A page may be readable or writable only."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    one, two = made.buffer(pattern(PAGE)), made.buffer(pattern(PAGE, 1))
    made.iommu.map(one, one - SHIFT, rights=READ)
    made.iommu.map(two, two - SHIFT, rights=WRITE)
    ch.outcome((copy(two, one, 64), Result(HW.ST_READ, 64, two)),
               (copy(one, one + 64, 64), Result(HW.ST_WRITE, 64, one + 64)),
               (copy(one, two, 64), DONE))
    expect(made.read(one, PAGE), pattern(PAGE), "the page that is not writable")


@each("mode", MODES)
def test_paused(bench, mode):
    """A paused channel touches nothing: what is mapped anew meanwhile is what it finds."""
    made = Behind(bench, mode, properties="fifo-depth=4096")
    ch, peer = made.channel(0), made.channel(1)
    src, dst, other = made.buffer(pattern(3 * PAGE)), made.alloc(3 * PAGE), made.alloc(PAGE)
    ch.submit(tx(src, 3 * PAGE))
    ch.fills(peer, PAGE)
    ch.pause()
    for bus in (src, src + PAGE, ch.ring + SHIFT, ch.comp + SHIFT):
        made.iommu.unmap(bus)
    peer.outcome((rx(dst, PAGE), DONE))
    made.m.settle()
    expect(ch.get(HW.CH_STATUS), HW.STATE_RUNNING | HW.CH_STATUS_PAUSED, "CH_STATUS")
    made.m.write(other - SHIFT, b"\x66" * PAGE)
    for bus, address in ((src + PAGE, other - SHIFT), (ch.ring + SHIFT, ch.ring),
                         (ch.comp + SHIFT, ch.comp)):
        made.iommu.map(bus, address)
    ch.go_on()
    peer.outcome((rx(dst + PAGE, 2 * PAGE), DONE))
    ch.wait()
    ch.expect_results(0, DONE)
    require(made.read(dst, 3 * PAGE) == pattern(3 * PAGE)[:PAGE] + b"\x66" * PAGE +
            pattern(3 * PAGE)[2 * PAGE:], "data differs")


@each("mode", MODES)
def test_progress_unwritable(bench, mode):
    """ERROR, WRITEBACK, if the progress of what is held cannot be written."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    ch.comp = made.m.alloc(PAGE)
    ch.disable()
    ch.enable()
    made.iommu.unmap(ch.comp + SHIFT)
    ch.submit(rx(made.alloc(64), 64))
    ch.expect_error("WRITEBACK")


@each("mode", MODES)
def test_not_ram(bench, mode):
    """What the IOMMU maps to a device's registers is an error, too."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    bus, dst = SHIFT + (1 << 33), made.alloc(64)
    made.iommu.map(bus, BAR)
    ch.outcome((copy(bus, dst, 64), Result(HW.ST_READ, 64, bus)),
               (copy(dst, bus, 64), Result(HW.ST_WRITE, 64, bus)))


@each("mode", MODES)
def test_ring(bench, mode):
    """A ring that is not mapped: ERROR, FETCH; one that is read-only: WRITEBACK."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    ch.works()
    made.iommu.unmap(ch.ring + SHIFT)
    ch.submit(nop())
    ch.expect_error("FETCH")
    made.iommu.map(ch.ring + SHIFT, ch.ring, rights=READ)
    ch.leave_error()
    ch.submit(nop())
    ch.expect_error("WRITEBACK")
    made.iommu.map(ch.ring + SHIFT, ch.ring)
    ch.leave_error()
    ch.works()


@each("mode", MODES)
def test_record(bench, mode):
    """A completion record that is not mapped: ERROR, WRITEBACK."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    ch.comp = made.m.alloc(PAGE)
    ch.disable()
    ch.enable().works()
    made.iommu.unmap(ch.comp + SHIFT)
    ch.submit(nop(INT))
    ch.expect_error("WRITEBACK")
    made.iommu.map(ch.comp + SHIFT, ch.comp)
    ch.leave_error()
    ch.works()


@each("mode", MODES)
def test_unmapped(bench, mode):
    """What was unmapped is not touched any more."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    src, dst = made.buffer(pattern(PAGE)), made.buffer(bytes(PAGE))
    ch.outcome((copy(src, dst, PAGE), DONE))
    made.iommu.unmap(dst)
    made.m.write(dst - SHIFT, bytes(PAGE))
    ch.outcome((copy(src, dst, PAGE), Result(HW.ST_WRITE, PAGE, dst)))
    expect(made.read(dst, PAGE), bytes(PAGE), "the page that was unmapped")
    made.iommu.map(dst, dst - SHIFT)
    ch.outcome((copy(src, dst, PAGE), DONE))


@each("mode", MODES)
def test_unmapped_page(bench, mode):
    """A page is unmapped and invalidated by itself; its neighbours stay mapped."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    src, dst = made.buffer(pattern(4 * PAGE)), made.buffer(bytes(4 * PAGE))
    for n in range(4):
        ch.outcome((copy(src, dst, 4 * PAGE), DONE))
        made.iommu.put(made.iommu.entry(dst + n * PAGE), 0)
        made.iommu.invalidate_pages(dst + n * PAGE, 0)
        at = dst + n * PAGE
        ch.outcome((copy(src, at, PAGE), Result(HW.ST_WRITE, PAGE, at)))
        ch.outcome(*((copy(src, dst + other * PAGE, PAGE), DONE)
                     for other in range(4) if other != n))
        made.iommu.map(at, at - SHIFT)


@each("mode, kind", {f"{name}.{kind}": (mode, kind) for name, mode in MODES.items()
                     for kind in ("all", "pages")})
def test_unmapped_busy(bench, mode, kind):
    """Unmapping while the device copies: when it is through, the page is not touched."""
    # More channels than engines: some have been prepared, and wait for theirs.
    made = Behind(bench, mode, 16 * MIB, "engines=1")
    length, count = MIB // 2, 100
    channels = [made.channel(index, log2=7) for index in range(8)]
    src = made.buffer(pattern(length))
    # Invalidations of several pages are for aligned ranges.
    places = [made.m.alloc(length, align=length) + SHIFT for _ in channels]
    for ch, dst in zip(channels, places):
        ch.submit(*[copy(src, dst, length)] * count)
    mark = b"\x77" * length
    for ch, dst in zip(channels, places):
        for offset in range(0, length, PAGE):
            made.iommu.put(made.iommu.entry(dst + offset), 0)
        if kind == "all":
            made.iommu.invalidate_all()
        else:
            made.iommu.invalidate_pages(dst, 7)
        made.m.write(dst - SHIFT, mark)
    for ch, dst in zip(channels, places):
        ch.wait()
        require(made.read(dst, length) == mark, "memory was touched after the unmap")
        results = [ch.result(n) for n in range(count)]
        require(all(result == DONE or result.status == HW.ST_WRITE for result in results),
                "a copy has another status than OK and WRITE")


@each("mode, what", {f"{name}.{what}": (mode, what) for name, mode in MODES.items()
                     for what in ("source", "p", "q")})
def test_parity_unmapped_busy(bench, mode, what):
    """The same while it computes: of a source, of P, of Q."""
    made = Behind(bench, mode, 16 * MIB, "engines=1")
    length, count = MIB // 2, 20
    channels = [made.channel(index, log2=5) for index in range(4)]
    sources = Sources(made.m, 5, length, align=length, bus=SHIFT)
    p, q = (made.m.alloc(length, align=length) + SHIFT for _ in range(2))
    gone = {"source": sources.at[2], "p": p, "q": q}[what]
    # Of a source that is read too late, no byte of P is right.
    mark = bytes(byte ^ 0xff for byte in made.read(gone, length))
    for ch in channels:
        ch.submit(*[sources.pq(p, q)] * count)
    for offset in range(0, length, PAGE):
        made.iommu.put(made.iommu.entry(gone + offset), 0)
    made.iommu.invalidate_pages(gone, 7)
    made.m.write(gone - SHIFT, mark)
    for ch in channels:
        ch.wait()
        for n in range(count):
            result = ch.result(n)
            require(result == DONE or result.status in (HW.ST_READ, HW.ST_WRITE) and
                    gone <= result.fault < gone + length, f"{n}: {result}")
    require(made.read(gone, length) == mark, "memory was touched after the unmap")
    for dst, want in ((p, sources.p()), (q, sources.q())):
        require(dst == gone or all(map(lambda got, good: got in (good, 0),
                                       made.read(dst, length), want)),
                "memory was read after the unmap")


@each("mode, what", {f"{name}.{what}": (mode, what) for name, mode in MODES.items()
                     for what in ("source", "other")})
def test_refused_unmapped_busy(bench, mode, what):
    """Pages are unmapped, and mapped again, while the sink refuses what engines send."""
    made = Behind(bench, mode, 8 * MIB)
    channels = [made.channel(index, log2=8) for index in range(4)]
    count, good, length = 200, 1000, 2000
    # On each page what the sink takes, and then what it does not.
    data = string(5, 0, count * good + 1)
    pages = [made.buffer(data[n * good:][:good] + bytes([data[(n + 1) * good] ^ 1]) * good)
             for n in range(count)]
    turns = itertools.cycle(pages if what == "source" else [made.alloc(PAGE)])

    def through():
        bus = next(turns)
        made.iommu.put(made.iommu.entry(bus), 0)
        made.iommu.invalidate_pages(bus, 0)
        made.iommu.put(made.iommu.entry(bus), bus - SHIFT | READ | WRITE)
        return all(ch.done() == ch.head for ch in channels)

    for _ in range(15):
        for ch in channels:
            set_pattern(ch, 5)
            ch.post(*[tx(page, length, 0, 100) for page in pages])
        made.m.qtest.batch([ch.write_line(HW.CH_DOORBELL, ch.head) for ch in channels])
        made.m.until(through, "the end of all")
        for ch in channels:
            results = [ch.result(ch.head - count + at) for at in range(count)]
            if what == "other":
                expect(set(map(str, results)), {str(Result(HW.ST_DATA, length - good, 0))},
                       "results")
            require(all(result.status == HW.ST_DATA or result.status == HW.ST_READ and
                        result.fault in range(page, page + length)
                        for result, page in zip(results, pages)), "results")


@each("mode", MODES)
def test_invalidated_across_interrupts(bench, mode):
    """An invalidation may reach across the interrupt range, where no memory is."""
    made = Behind(bench, mode)
    ch = made.channel(0)
    for bus, log2 in ((0xfe800000, 11), (0xfec00000, 10), (0xc0000000, 18), (0, 18)):
        made.iommu.invalidate_pages(bus, log2)
        ch.works()


@each("mode", MODES)
def test_loopback(bench, mode):
    """TX and RX through the IOMMU, and their errors."""
    made = Behind(bench, mode)
    a, b = made.channel(0), made.channel(1)
    src, dst = made.buffer(pattern(50000)), made.alloc(50000)
    a.submit(tx(src, 50000, 0, 100))
    b.submit(rx(dst, 50000, 0, 64))
    a.wait()
    b.wait()
    require(made.read(dst, 50000) == pattern(50000), "data differs")
    far = SHIFT + (1 << 35)
    a.outcome((tx(far, 64), Result(HW.ST_READ, 64, far)), (tx(src, 64), DONE))
    result, = b.run(rx(far, 64))
    expect((result.status, result.fault), (HW.ST_WRITE, far), "status and fault_addr of RX")


@each("mode", MODES)
def test_interrupts(bench, mode):
    """A message is a memory write of the device, and goes through the IOMMU, too."""
    made = Behind(bench, mode)
    made.dev.use_msix()
    page = made.dev.messages & ~(PAGE - 1)
    made.iommu.map(page, page)
    ch = made.channel(2)
    for n in range(20):
        ch.arm(n)
        ch.run(nop(INT))
        made.dev.wait_message(2)


STOPS = {
    "disable": lambda ch: ch.disable(),
    "channel_reset": lambda ch: ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET),
    "device_reset": lambda ch: ch.dev.write(HW.CONTROL, HW.CONTROL_RESET),
    "function_reset": lambda ch: ch.dev.flr(),
    "bus_master": lambda ch: ch.dev.master(False),
}


@each("stop", STOPS)
def test_stopped_busy(bench, stop):
    """The acknowledgements of a stop hold behind an IOMMU, too."""
    made = Behind(bench, ASYNC)
    ch = made.channel(0, log2=6)
    length = MIB
    src, dst = made.buffer(pattern(length)), made.alloc(length)
    for _ in range(3):
        made.m.write(dst - SHIFT, bytes(length))
        ch.submit(*[copy(src, dst, length)] * 60)
        made.m.until(lambda: made.m.read32(dst - SHIFT), "the first bytes")
        stop(ch)
        made.m.write(dst - SHIFT, b"\x77" * length)
        made.m.settle()
        require(made.read(dst, length) == b"\x77" * length, "memory was touched")
        made.dev.setup()
        made.dev.write(HW.CONTROL, HW.CONTROL_RESET)
        ch.enable()


@each("mode", MODES)
def test_held_and_stopped(bench, mode):
    """A channel that is held goes on after the machine was stopped."""
    made = Behind(bench, mode)
    a, b = made.channel(0), made.channel(1)
    src, dst = made.buffer(pattern(10000)), made.alloc(10000)
    a.submit(tx(src, 10000, 0, 10))
    made.m.settle()
    made.m.qmp.command("stop")
    made.m.qmp.command("cont")
    b.outcome((rx(dst, 10000, 0, 10), DONE))
    a.wait()
    require(made.read(dst, 10000) == pattern(10000), "data differs")


@each("mode", MODES)
def test_function_reset(bench, mode):
    """FLR is the way out of IOMMU faults."""
    made = Behind(bench, mode)
    for index in range(4):
        ch = made.channel(index)
        made.iommu.unmap(ch.ring + SHIFT)
        ch.submit(nop())
        if index % 2:
            ch.expect_error("FETCH")
        made.dev.flr()
        made.dev.setup()
        expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS after the FLR")
        made.iommu.map(ch.ring + SHIFT, ch.ring)
        ch.enable().works()


@each("mode", MODES)
def test_translation_off_and_on(bench, mode):
    """Before the IOMMU translates, bus addresses are those of the CPU."""
    dev = bench.device(mode=mode, extra=ARGUMENTS)
    ch = Channel(dev, 0).enable()
    ch.works()
    iommu = Iommu(dev.m)
    ch.submit(nop())
    ch.expect_error("FETCH")
    iommu.map(0, 0, 8 * MIB)
    ch.leave_error()
    ch.works()
