# SPDX-License-Identifier: GPL-2.0-only
"""PCI power management: D3hot, and what is left of it in D0."""

from qtest.lib import migration
from qtest.lib.dma import DONE, INT, Channel, copy, nop, pattern, tx
from qtest.lib.hw import HW, ONES
from qtest.lib.machine import PATH, PORT, Port, sleep, wake_up
from qtest.lib.migration import MEMORY, begin, migrate
from qtest.lib.pci import CAP_EXPRESS, CAP_MSIX, CAP_PM, COMMAND, COMMAND_MASTER
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import after_reset
from qtest.lib.suite import ASYNC, BOTH, MODES, both, device, each

D0, D1, D2, D3HOT = range(4)
NO_SOFT_RESET = 8


def state(dev):
    return dev.config(dev.capability(CAP_PM) + 4, 2)


def to(dev, wanted):
    dev.set_config(dev.capability(CAP_PM) + 4, wanted, 2)


def test_capability(dev):
    """Version 1.2, no PME, No_Soft_Reset; D1 and D2 are not there."""
    at = dev.capability(CAP_PM)
    require(at, "no power management capability")
    expect(dev.config(at + 2, 2), 3, "PMC")
    expect(state(dev), NO_SOFT_RESET, "PMCSR")
    to(dev, 0xffff)
    expect(state(dev), NO_SOFT_RESET | D3HOT, "PMCSR")
    for wanted in (D1, D2):
        to(dev, wanted)
        expect(state(dev), NO_SOFT_RESET | D3HOT, "PMCSR")
        expect(dev.read(HW.ID), ONES, "ID in D3hot")
    to(dev, D0)
    for wanted in (D1, D2):
        to(dev, wanted)
        expect(state(dev), NO_SOFT_RESET, "PMCSR")
        expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")


@device("pm=off")
def test_without(dev):
    """pm=off: no capability, and all else is as it was."""
    expect(dev.capability(CAP_PM), 0, "power management capability")
    for at in range(0x40, 0x100, 4):
        dev.set_config(at, D3HOT)
    dev.setup()
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")


def test_registers(dev):
    """D3hot: registers give all ones and take nothing, and are as they were in D0."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.works()
    ch.set(HW.CH_TC_HOLD, 1)
    want = {offset: dev.read(offset) for offset in (
        HW.ID, HW.CAPS, HW.EVENT_VECTOR, HW.CH_BASE + HW.CH_CONTROL,
        HW.CH_BASE + HW.CH_STATUS, HW.CH_BASE + HW.CH_RING_LO, HW.CH_BASE + HW.CH_CNT_BYTES_LO,
        HW.CH_BASE + HW.CH_TC_HOLD, HW.MSIX_TABLE, HW.MSIX_TABLE + 8, HW.MSIX_PBA)}
    to(dev, D3HOT)
    for offset in want:
        expect(dev.read(offset), ONES, f"register {offset:#x} in D3hot")
        dev.write(offset, 0x55)
    dev.write(HW.CONTROL, HW.CONTROL_RESET)
    expect(dev.config(0), HW.PCI_DEVICE_ID << 16 | HW.PCI_VENDOR_ID, "vendor and device")
    to(dev, D0)
    for offset, value in want.items():
        expect(dev.read(offset), value, f"register {offset:#x} after D3hot")
    ch.set(HW.CH_TC_HOLD, 0)
    ch.works()


@each("mode, extra", MODES)
def test_stands_still(bench, mode, extra):
    """D3hot while channels work: memory is left alone; in D0 all goes on where it was."""
    dev = bench.device("engines=2", mode, extra=extra)
    dev.use_msix()
    channels = [Channel(dev, n, log2=8).enable() for n in range(4)]
    src, dst = dev.m.buffer(pattern(MIB)), [dev.m.alloc(MIB) for _ in channels]
    for n, ch in enumerate(channels):
        ch.submit(*[copy(src, dst[n], MIB - i, INT) for i in range(30)])
    for _ in range(5):
        to(dev, D3HOT)
        with dev.m.untouched("in D3hot"):
            dev.m.settle()
            # Neither this nor the machine's own stop has it go on.
            dev.change_config(COMMAND, COMMAND_MASTER, 0)
            dev.change_config(COMMAND, 0, COMMAND_MASTER)
            dev.m.qmp.command("stop")
            dev.m.qmp.command("cont")
            for ch in channels:
                ch.ring_bell()
        to(dev, D0)
    for n, ch in enumerate(channels):
        ch.wait()
        ch.expect_results(0, *[DONE] * 30)
        require(dev.m.read(dst[n], MIB) == pattern(MIB), "data differs")
        dev.wait_message(n)
        expect(ch.get(HW.CH_CNT_BYTES_LO), 30 * MIB - sum(range(30)), "CH_CNT_BYTES_LO")


@both
def test_stopped(dev):
    """To D3hot and back while the machine stands: it goes on when that does."""
    ch = Channel(dev, 0).enable()
    dev.m.qmp.command("stop")
    to(dev, D3HOT)
    dev.m.qmp.command("cont")
    dev.m.qmp.command("stop")
    to(dev, D0)
    ch.submit(nop())
    with dev.m.untouched("while the machine stands"):
        dev.m.settle()
    dev.m.qmp.command("cont")
    ch.wait()


@both
def test_line(dev):
    """An INTx line that is up is down in D3hot, and up again in D0."""
    dev.watch_line()
    Channel(dev, 0).enable().run(nop(INT))
    dev.m.until(dev.line, "the line")
    to(dev, D3HOT)
    require(not dev.line(), "the line is up in D3hot")
    to(dev, D0)
    require(dev.line(), "the line is down in D0")
    dev.write(HW.INT_STATUS, 1)
    require(not dev.line(), "the line is up")


@both
def test_host_in_vain(dev):
    """In D3hot the host's interrupt for nothing is not sent, and no credit is used."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(INT), nop(INT))
    to(dev, D3HOT)
    for name, value in (("spurious[0]", HW.CH_TC_SPURIOUS_NOW), ("step[0]", 1)):
        dev.m.qmp.command("qom-set", path=PATH, property=name, value=value)
    with dev.m.untouched("in D3hot"):
        dev.m.settle()
    to(dev, D0)
    ch.wait(1)
    dev.wait_message(0)


def by_flr(dev):
    dev.flr()


def by_machine(dev):
    dev.m.qmp.command("system_reset")
    dev.m.until(lambda: dev.m.qmp.had("RESET"), "the reset")


@both
@each("how", {"function": by_flr, "machine": by_machine})
def test_reset(dev, how):
    """A reset leads out of D3hot, and forgets all."""
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(tx(dev.m.alloc(64), 64), nop())
    to(dev, D3HOT)
    how(dev)
    expect(state(dev), NO_SOFT_RESET, "PMCSR after the reset")
    dev.setup()
    after_reset(ch)
    ch.enable().works()


def write(function, at, value):
    """A write of 16 bits to configuration space as commands of the qtest protocol."""
    return [f"outl 0xcf8 {function.select | at & ~3:#x}", f"outw {0xcfc | at & 2:#x} {value:#x}"]


def wakeup(machine):
    sleep(machine)
    wake_up(machine)


def system_reset(machine):
    machine.qmp.command("system_reset")
    machine.until(lambda: machine.qmp.had("RESET"), "the reset")


# What is written, and what is done after that.
RESETS = {
    "function": (lambda dev, port: write(dev, dev.capability(CAP_EXPRESS) + 8, 1 << 15), None),
    "bus": (lambda dev, port: [*write(port, 0x3e, 1 << 6), *write(port, 0x3e, 0)], None),
    "machine": (lambda dev, port: [], system_reset),
    "wakeup": (lambda dev, port: [], wakeup),
}


@each("written, done", RESETS)
def test_reset_starts_nothing(bench, written, done):
    """A reset in D3hot lets nothing go on: no byte is written from there on."""
    machine = bench.machine(*PORT).connect()
    port = Port(machine)
    dev = port.add(ASYNC, channels=32, engines=4, spin_us=1000)
    channels = [Channel(dev, n) for n in range(32)]
    length = 1 << 15
    src, dst = machine.buffer(pattern(length)), machine.alloc(length * len(channels))
    for _ in range(20):
        dev.setup()
        for n, ch in enumerate(channels):
            ch.enable().post(*[copy(src, dst + n * length, length)] * 15)
        # All that lies between is what the CPU needs for it: engines that look for work do so.
        machine.qtest.batch([
            *(ch.write_line(HW.CH_DOORBELL, ch.head) for ch in channels),
            *write(dev, dev.capability(CAP_PM) + 4, D3HOT),
            f"memset {dst:#x} {length * len(channels):#x} 0x77", *written(dev, port)])
        if done:
            done(machine)
        machine.settle()
        require(machine.read(dst, length * len(channels)) == b"\x77" * length * len(channels),
                "memory was touched by a function that was reset in D3hot")
        # The machine's reset takes the bus away.
        port = Port(machine)
        expect(state(dev), NO_SOFT_RESET, "PMCSR after the reset")


def test_gone(dev):
    """Taken away in D3hot and plugged in again it is in D0."""
    dev.use_msix()
    to(dev, D3HOT)
    dev.m.qmp.command("qom-set", path=PATH, property="gone", value=True)
    at = 0x40
    dev.set_config(at, 0)
    expect(dev.config(0), ONES, "vendor and device")
    dev.m.qmp.command("qom-set", path=PATH, property="gone", value=False)
    expect(state(dev), NO_SOFT_RESET, "PMCSR")
    dev.setup()
    expect(dev.config(dev.capability(CAP_MSIX) + 2, 2) >> 15, 0, "MSI-X enable")
    Channel(dev, 0).enable().works()


@each("mode", BOTH)
def test_migrated(bench, mode):
    """Migration in D3hot: it is there as well, and goes on in D0."""
    dev = begin(bench, mode=mode)
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(10000)), dev.m.alloc(10000)
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(copy(src, dst, 10000, INT))
    dev.m.settle()
    to(dev, D3HOT)
    there = migrate(bench, dev, mode=mode)
    expect(state(there), NO_SOFT_RESET | D3HOT, "PMCSR")
    expect(there.read(HW.ID), ONES, "ID in D3hot")
    expect(there.read(HW.MSIX_TABLE), ONES, "MSI-X table in D3hot")
    with there.m.untouched("in D3hot"):
        there.m.settle()
    to(there, D0)
    ch = ch.moved_to(there)
    ch.set(HW.CH_TC_HOLD, 0)
    ch.wait()
    there.wait_message(0)
    require(there.m.read(dst, 10000) == pattern(10000), "data differs")


def test_migrated_without(bench):
    """Between a device with the capability and one without it there is no migration."""
    dev = begin(bench)
    stream = bench.directory / "stream"
    migration.save(dev.m, stream)
    machine = bench.boot("pm=off", extra=migration.incoming(stream), memory=MEMORY)
    require("pci" in machine.refuses().lower(), "the reason is not the configuration space")
