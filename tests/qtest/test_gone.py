# SPDX-License-Identifier: GPL-2.0-only
"""Surprise removal, and the test controls in the hands of the host."""

from qtest.lib import hw
from qtest.lib.dma import (DONE, INT, Channel, Result, copy, fail, fill, nop, pattern, refused,
                           rx, tx)
from qtest.lib.hw import HW, ONES
from qtest.lib.machine import PATH, PORT, Port
from qtest.lib.migration import begin, migrate
from qtest.lib.pci import CAP_EXPRESS, CAP_MSIX, COMMAND
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import after_reset, good_as_new
from qtest.lib.suite import ASYNC, MODES, SYNC, both, each


def get(dev, name):
    return dev.m.qmp.command("qom-get", path=PATH, property=name)


def put(dev, name, value):
    dev.m.qmp.command("qom-set", path=PATH, property=name, value=value)


def by_register(dev):
    dev.write(HW.TC_GONE, HW.TC_GONE_MAGIC)


def by_host(dev):
    put(dev, "gone", True)


WAYS = {"register": by_register, "host": by_host}


def absent(dev):
    """Reads of the function give all ones, and writes are dropped."""
    for _ in range(2):
        for offset in (HW.ID, HW.CAPS, HW.EVENT, HW.CONTROL, HW.CH_BASE + HW.CH_STATUS, 0x3000,
                       HW.CH_BASE + HW.CH_CNT_BYTES_LO, HW.MSIX_TABLE, HW.MSIX_TABLE + 12,
                       HW.MSIX_PBA, HW.BAR_SIZE - 4):
            expect(dev.read(offset), ONES, f"register {offset:#x}")
        for letter, size in (("b", 1), ("w", 2), ("q", 8)):
            expect(dev.m.qtest.get(f"read{letter}", dev.bar + HW.ID), (1 << 8 * size) - 1,
                   f"read of {size} bytes")
        for offset in (0, 4, 8, 0x10, 0x34, 0x3c, 0x40, 0xfc):
            expect(dev.config(offset), ONES, f"configuration space at {offset:#x}")
        expect(dev.config(0, 2), 0xffff, "vendor")
        expect(dev.config(0xe, 1), 0xff, "header type")
        for offset in (HW.CONTROL, HW.CH_BASE + HW.CH_CONTROL, HW.EVENT_VECTOR, HW.RAISE,
                       HW.CH_BASE + HW.CH_TC_HOLD, HW.MSIX_TABLE + 8):
            dev.write(offset, 1)
        for offset in (4, 0x10, 0x3c):
            dev.set_config(offset, 0)


def back(dev):
    """The host plugs it in again: it is as after power-on."""
    put(dev, "gone", False)
    expect(dev.config(0), HW.PCI_DEVICE_ID << 16 | HW.PCI_VENDOR_ID, "vendor and device")
    expect(dev.config(COMMAND, 2), 0, "PCI command register")
    expect(dev.config(0x10), 4, "BAR 0")
    dev.setup()
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    for name in hw.DEVICE:
        if name not in hw.READ_ONLY:
            expect(dev.read(getattr(HW, name)), 0, name)


# --- surprise removal ---------------------------------------------------------

@both
@each("way", {name: way for name, way in WAYS.items()})
def test_gone(dev, way):
    """All reads give all ones, writes are dropped; back it is as after power-on."""
    dev.use_msix()
    ch = Channel(dev, 1).enable()
    ch.works()
    ch.set(HW.CH_TC_SPURIOUS, 5)
    dev.write(HW.EVENT_VECTOR, 2)
    for _ in range(2):
        expect(get(dev, "gone"), False, "gone")
        way(dev)
        expect(get(dev, "gone"), True, "gone")
        # A second time changes nothing.
        put(dev, "gone", True)
        absent(dev)
        back(dev)
        expect(dev.config(dev.capability(CAP_MSIX) + 2, 2) >> 15, 0, "MSI-X enable")
        after_reset(ch)
        good_as_new(ch)
        dev.use_msix()
        ch.run(nop(INT))
        dev.wait_message(1)


def test_other_values(dev):
    """Any other value is ignored, and a guest error."""
    for value in (0, 1, HW.TC_GONE_MAGIC ^ 1, ONES):
        with dev.guest_error(f"TC_GONE {value:#x}"):
            dev.write(HW.TC_GONE, value)
        expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
        expect(dev.read(HW.TC_GONE), 0, "TC_GONE")


def copying(dev):
    src, dst = dev.m.buffer(pattern(MIB)), dev.m.alloc(MIB)
    for index in range(4):
        Channel(dev, index, log2=8).enable().submit(*[copy(src, dst, MIB, INT)] * 100)


def small(dev):
    dst = dev.m.alloc(64)
    ch = Channel(dev, 0, log2=8).enable()
    for _ in range(5):
        ch.submit(*[fill(dst, 64, 1, INT)] * 20)


def waiting(dev):
    ch, peer = Channel(dev, 0).enable(), Channel(dev, 1).enable()
    ch.submit(tx(dev.m.alloc(8192), 8192, 0, 10))
    peer.set(HW.CH_TC_DELAY, 100)
    peer.submit(rx(dev.m.alloc(8192), 8192))
    other = Channel(dev, 2).enable()
    other.set(HW.CH_RATE, 1000)
    other.submit(tx(dev.m.alloc(8192), 8192, 0, 10))


def stuck(dev):
    for index, level in enumerate((1, 2, 3, 4)):
        ch = Channel(dev, index).enable()
        ch.submit(*[nop(INT)] * 5)
        ch.set(HW.CH_TC_STUCK, level)
        ch.submit(*[nop(INT)] * 5)
        ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET if index % 2 else 0)
    dev.write(HW.CONTROL, HW.CONTROL_RESET)


@each("mode, extra, busy, way",
      {f"{name}.{busy.__name__}.{way}": (*mode, busy, WAYS[way])
       for name, mode in MODES.items() for busy in (copying, small, waiting, stuck)
       for way in WAYS})
def test_in_flight(bench, mode, extra, busy, way):
    """Whatever it does, no memory is touched and no interrupt sent any more."""
    dev = bench.device("engines=2", mode, extra=extra)
    dev.use_msix()
    for _ in range(3):
        busy(dev)
        way(dev)
        for vector in range(9):
            dev.took(vector)
        with dev.m.untouched("by a function that is gone"):
            dev.m.settle()
            dev.m.clock(10 ** 9)
        back(dev)
        Channel(dev, 1).enable().works()
        dev.use_msix()


@both
def test_line(dev):
    """The INTx line goes down with it, and comes back with nothing on it."""
    dev.watch_line()
    Channel(dev, 0).enable().run(nop(INT))
    dev.write(HW.RAISE, 0)
    dev.m.until(dev.line, "INTx")
    by_register(dev)
    require(not dev.line(), "the line is up")
    back(dev)
    require(not dev.line(), "the line is up")
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.m.until(dev.line, "INTx")


@both
def test_masked(dev):
    """A message that was masked is lost."""
    dev.use_msix()
    dev.msix_entry(0, dev.messages, 1)
    Channel(dev, 0).enable().run(nop(INT))
    dev.m.settle()
    expect(dev.read(HW.MSIX_PBA) & 1, 1, "pending bit")
    by_register(dev)
    dev.msix_entry(0, dev.messages, 0)
    dev.no_message(0, "the function is gone")
    back(dev)
    expect(dev.read(HW.MSIX_PBA), 0, "pending bits")
    dev.use_msix()
    dev.no_message(0, "it was pending before")


def test_function_reset(dev):
    """FLR is dropped as other writes."""
    express = dev.capability(CAP_EXPRESS)
    by_register(dev)
    dev.set_config(express + 8, 1 << 15, 2)
    absent(dev)
    back(dev)


@both
def test_machine_reset(dev):
    """A reset of the machine brings it back."""
    dev.use_msix()
    by_register(dev)
    dev.m.qmp.command("system_reset")
    dev.m.until(lambda: dev.m.qmp.had("RESET"), "the reset of the machine")
    expect(get(dev, "gone"), False, "gone")
    dev.setup()
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.works()
    ch.run(nop(INT))
    dev.wait_message(0)


def test_bus_reset(bench):
    """A reset of its bus does not; it can be unplugged, and the next is there."""
    machine = bench.machine(*PORT).connect()
    port = Port(machine)
    for mode in (SYNC, ASYNC):
        dev = port.add(mode)
        dev.setup()
        Channel(dev, 0).enable().works()
        by_register(dev)
        absent(dev)
        port.reset_bus()
        expect(dev.config(0), ONES, "vendor and device")
        expect(get(dev, "gone"), True, "gone")
        port.remove()
        dev = port.add(mode)
        dev.setup()
        Channel(dev, 0).enable().works()
        port.remove()


def test_migrated(bench):
    """Migration: it stays gone, and comes back there."""
    dev = begin(bench)
    dev.use_msix()
    by_register(dev)
    there = migrate(bench, dev)
    expect(get(there, "gone"), True, "gone")
    absent(there)
    back(there)
    there.use_msix()
    Channel(there, 0).enable().run(nop(INT))
    there.wait_message(0)


@each("mode", {"intx": "intx", "msi": "msi", "none": "none"})
def test_without_msix(bench, mode):
    """It can go and come back without MSI-X as well."""
    dev = bench.device(f"irq-mode={mode}")
    by_register(dev)
    absent(dev)
    back(dev)
    Channel(dev, 0).enable().works()


# --- properties ---------------------------------------------------------------

# Name, register, a value, and the first that is out of range.
CONTROLS = {
    "hold": ("CH_TC_HOLD", 1, 2), "step": ("CH_TC_STEP", 1, 1 << 32),
    "fail": ("CH_TC_FAIL", fail(3, HW.ST_READ), 1 << 24),
    "fail-bytes": ("CH_TC_FAIL_BYTES", 0xfedcba98, 1 << 32),
    "drop-irq": ("CH_TC_DROP_IRQ", 0x89abcdef, 1 << 32), "lie": ("CH_TC_LIE", 3, 1 << 32),
    "delay": ("CH_TC_DELAY", 1000, 10000001), "reorder": ("CH_TC_REORDER", 5, 65),
    "spurious": ("CH_TC_SPURIOUS", 7, 1 << 32), "early": ("CH_TC_EARLY", 5, 1 << 32),
    "stuck": ("CH_TC_STUCK", 2, 5), "addr-bits": ("CH_TC_ADDR_BITS", 20, 65),
}


@each("name, register, value, bad",
      {name.replace("-", "_"): (name, *rest) for name, rest in CONTROLS.items()})
def test_control(dev, name, register, value, bad):
    """A property of each channel is the register; a value out of range is refused."""
    ch, other = Channel(dev, 3), Channel(dev, 4)
    register = getattr(HW, register)
    before = ch.get(register)
    message = dev.m.qmp.refused("qom-set", path=PATH, property=f"{name}[3]", value=bad)
    require(name in message, message)
    if bad < 1 << 32:
        require(str(bad) in message and str(bad - 1) in message, message)
    expect(ch.get(register), before, "register, after what was refused")
    put(dev, f"{name}[3]", value)
    want = 0 if name == "step" else value
    expect(ch.get(register), want, "register")
    expect(get(dev, f"{name}[3]"), want, "property")
    expect((other.get(register), get(dev, f"{name}[4]")), (0, 0), "another channel's")
    ch.set(register, 0)
    expect(get(dev, f"{name}[3]"), 0, "property, after a write of the register")
    dev.m.qmp.refused("qom-get", path=PATH, property=f"{name}[8]")


@each("name", {name.replace("-", "_"): name for name in [*CONTROLS, "gone"]})
def test_control_refused(bench, name):
    """Without test-controls=on there is no such property; without the bit it is refused."""
    device = "loopdma,id=dma,addr=4,channels=2,sync=on"
    for rest, want in ((",test-controls=off", "not found"),
                       (f",test-controls=on,x-caps-mask={HW.CAPS_TESTCTL}", "x-caps-mask")):
        machine = bench.machine("-device", device + rest).connect()
        name_, value = (name, True) if name == "gone" else (f"{name}[0]", 1)
        for message in (machine.qmp.refused("qom-get", path=PATH, property=name_),
                        machine.qmp.refused("qom-set", path=PATH, property=name_, value=value)):
            require(want in message and name_ in message, message)


def test_control_while_gone(dev):
    """While the function is gone its channels' properties are refused."""
    put(dev, "hold[0]", 1)
    by_register(dev)
    for name in CONTROLS:
        message = dev.m.qmp.refused("qom-set", path=PATH, property=f"{name}[0]", value=1)
        require("gone" in message, message)
    expect(get(dev, "hold[0]"), 0, "hold[0]")
    back(dev)
    put(dev, "hold[0]", 1)
    expect(Channel(dev, 0).get(HW.CH_TC_HOLD), 1, "CH_TC_HOLD")


@each("mode, extra", MODES)
def test_session(bench, mode, extra):
    """The host uses them on a channel at work."""
    dev = bench.device("engines=1", mode, extra=extra)
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    data = pattern(1000)
    src, dst = dev.m.buffer(data), dev.m.alloc(1000)
    put(dev, "hold[0]", 1)
    ch.submit(copy(src, dst, 1000), *[nop()] * 3)
    ch.stuck(0, "held")
    put(dev, "step[0]", 2)
    ch.wait(2)
    ch.stuck(2, "no credit")
    put(dev, "hold[0]", 0)
    ch.wait()
    require(dev.m.read(dst, 1000) == data, "data differs")
    put(dev, "fail[0]", fail(1, HW.ST_WRITE))
    put(dev, "fail-bytes[0]", 100)
    ch.outcome((copy(src, dst, 1000), Result(HW.ST_WRITE, 900, dst + 100)))
    put(dev, "early[0]", 1)
    ch.outcome((copy(0xd0000000, dst, 1000), DONE))
    put(dev, "lie[0]", 5)
    ch.submit(nop())
    ch.wait(ch.head + 5)
    put(dev, "drop-irq[0]", 1)
    ch.run(nop(INT))
    dev.no_message(0, "swallowed")
    put(dev, "spurious[0]", HW.CH_TC_SPURIOUS_NOW)
    dev.wait_message(0)
    put(dev, "addr-bits[0]", 20)
    ch.outcome((copy(src, dst, 1000), Result(HW.ST_READ, 1000, src)))
    put(dev, "addr-bits[0]", 0)
    put(dev, "delay[0]", 10)
    ch.submit(nop())
    ch.stuck(ch.head - 1, "waiting")
    put(dev, "delay[0]", 0)
    ch.wait()
    put(dev, "reorder[0]", 2)
    ch.outcome((fill(dst, 1, 1), DONE), (fill(dst, 1, 2), DONE))
    expect(dev.m.read(dst, 1), b"\1", "who came last")
    put(dev, "reorder[0]", 0)
    put(dev, "stuck[0]", 1)
    first = ch.submit(nop())
    ch.set(HW.CH_ABORT, ch.head)
    ch.stuck(first, "stuck")
    put(dev, "stuck[0]", 0)
    ch.wait()
    ch.expect_results(first, refused(HW.ST_ABORTED, 0))


def test_stopped(bench):
    """They can be used while the machine stands, and are in force when it goes on."""
    for mode in (SYNC, ASYNC):
        dev = bench.device("", mode)
        ch = Channel(dev, 0).enable()
        ch.set(HW.CH_TC_HOLD, 1)
        ch.submit(*[nop()] * 3)
        ch.stuck(0, "held")
        dev.m.qmp.command("stop")
        put(dev, "stuck[0]", 1)
        put(dev, "hold[0]", 0)
        with dev.m.untouched("while the machine stands"):
            dev.m.settle()
        dev.m.qmp.command("cont")
        ch.stuck(0, "stuck")
        dev.m.qmp.command("stop")
        put(dev, "stuck[0]", 0)
        with dev.m.untouched("while the machine stands"):
            dev.m.settle()
        dev.m.qmp.command("cont")
        ch.wait()
        dev.m.qmp.command("stop")
        put(dev, "gone", True)
        dev.m.qmp.command("cont")
        expect(dev.read(HW.ID), ONES, "ID")
        back(dev)
        Channel(dev, 0).enable().works()


def test_unplugged(bench):
    """A device that is plugged in again has its properties again, each its own."""
    machine = bench.machine(*PORT).connect()
    port = Port(machine)
    for _ in range(2):
        dev = port.add(SYNC)
        dev.setup()
        put(dev, "hold[7]", 1)
        expect(Channel(dev, 7).get(HW.CH_TC_HOLD), 1, "CH_TC_HOLD")
        port.remove()
        machine.qmp.refused("qom-get", path=PATH, property="hold[7]")
