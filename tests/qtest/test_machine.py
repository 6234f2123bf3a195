# SPDX-License-Identifier: GPL-2.0-only
"""The device in its machine: properties, hotplug, stopping the machine."""

import re

from qtest.lib.dma import DONE, INT, Channel, copy, nop, pattern, rx, tx
from qtest.lib.hw import HW
from qtest.lib.machine import PORT, Port
from qtest.lib.pci import CAP_MSIX, Device
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.suite import BOTH, SYNC, device, each

# Properties, values out of their range, and the range as a message must name it.
RANGES = {
    "channels": ([0, 33, 255], "1", "32"),
    "engines": ([0, 17], "1", "16"),
    "ring-max": ([0, 1, 3, 131072], "2", "65536"),
    "max-len": ([0, 127, 2 << 30], "128", str(1 << 30)),
    "copy-align": ([13, 64], "0", "12"),
    "addr-bits": ([0, 31, 65], "32", "64"),
    "fifo-depth": ([0, 32, 100, 131072], "64", "65536"),
    "fifo-widths": ([0, 0x80, 0x100], "1", "127"),
    "fifo-max-burst": ([0, 65536], "1", "65535"),
    "max-sources": ([0, 17], "1", "16"),
    "spin-us": ([1001], "0", "1000"),
    "irq-delay-us": ([1001], "0", "1000"),
    "at-once-bytes": ([65537, 1 << 20], "0", "65536"),
    "x-bar-size": ([0, 2048, 5000, 2 << 20], "4096", str(1 << 20)),
    "irq-mode": (["off", ""], "msix", "none"),
}

# The ends of the ranges, which are good.
ENDS = {
    "channels": [1, 32], "engines": [1, 16], "ring-max": [2, 65536],
    "max-len": [128, 1 << 30], "copy-align": [0], "addr-bits": [32, 64],
    "fifo-depth": [64, 65536], "fifo-widths": [1, 0x7f], "fifo-max-burst": [1, 65535],
    "max-sources": [1, 16], "loopback": ["on", "off"], "spin-us": [0, 1000],
    "irq-delay-us": [0, 1000], "at-once-bytes": [0, 65536],
    "irq-mode": ["auto", "msix", "msi", "intx", "none"],
}


def refused_well(message, name, value, low, high):
    require(name in message and str(value) in message, f"{name}={value}: {message}")
    require(re.search(rf"\b{low}\b.*\b{high}\b", message),
            f"{name}={value}: the range {low} to {high} is not named: {message}")


@each("name, values, low, high",
      {name.replace("-", "_"): (name, *rest) for name, rest in RANGES.items()})
def test_property_refused(bench, name, values, low, high):
    """A property out of range is refused, with a message that names the range."""
    machine = bench.machine("-device", "pcie-root-port,id=root,slot=1").connect()
    for value in values:
        refused_well(machine.qmp.refused("device_add", driver="loopdma", bus="root",
                                         **{name: value}), name, value, low, high)
    machine.qmp.command("device_add", driver="loopdma", bus="root")


def test_property_refused_at_start(bench):
    """The same on QEMU's command line: it ends with the message."""
    machine = bench.machine("-device", "loopdma,channels=33")
    refused_well(machine.refuses(), "channels", 33, "1", "32")


@each("name, values", {name.replace("-", "_"): (name, values) for name, values in ENDS.items()})
def test_property_ends(bench, name, values):
    """The ends of a property's range are good, and the device works."""
    for value in values:
        bench.device(f"{name}={value}")
        dev = Device(bench.machines[-1])
        Channel(dev, 0, log2=1).enable().copies(pattern(128))


@device("copy-align=12,max-len=4096")
def test_property_max_len(dev):
    """MAX_LEN is at least 2^COPY_LIMITS.ALIGN."""
    Channel(dev, 0).enable().copies(pattern(4096), align=4096)


def test_property_max_len_small(bench):
    """MAX_LEN below 2^COPY_LIMITS.ALIGN is refused."""
    message = bench.machine("-device", "loopdma,copy-align=12,max-len=4095").refuses()
    refused_well(message, "max-len", 4095, "4096", str(1 << 30))


# --- the machine stops --------------------------------------------------------

def test_stopped(dev):
    """While the machine is stopped the device moves nothing; then it goes on."""
    ch = Channel(dev, 0).enable()
    src, dst = dev.m.buffer(pattern(1000)), dev.m.alloc(1000)
    dev.m.qmp.command("stop")
    ch.submit(copy(src, dst, 1000))
    with dev.m.untouched("while the machine is stopped"):
        dev.m.qmp.command("query-status")
    dev.m.qmp.command("cont")
    ch.wait()
    expect(dev.m.read(dst, 1000), pattern(1000), "data")


@each("mode", BOTH)
def test_stopped_busy(bench, mode):
    """Stopping the machine while the device is busy loses nothing."""
    dev = bench.device(mode=mode)
    channels = [Channel(dev, n, log2=8).enable() for n in range(4)]
    src, dst = dev.m.buffer(pattern(MIB)), [dev.m.alloc(MIB) for _ in channels]
    for n, ch in enumerate(channels):
        ch.submit(*[copy(src, dst[n], MIB - i) for i in range(30)])
    for _ in range(5):
        dev.m.qmp.command("stop")
        with dev.m.untouched("while the machine is stopped"):
            dev.m.qmp.command("query-status")
        dev.m.qmp.command("cont")
    for n, ch in enumerate(channels):
        ch.wait()
        require(dev.m.read(dst[n], MIB) == pattern(MIB), "data differs")


@each("mode", BOTH)
def test_reset_while_stopped(bench, mode):
    """A stopped machine can be reset, its channels disabled; then all works."""
    dev = bench.device(mode=mode)
    channels = [Channel(dev, n, log2=6).enable() for n in range(3)]
    src, dst = dev.m.buffer(pattern(MIB)), dev.m.alloc(MIB)
    for ch in channels:
        ch.submit(*[copy(src, dst, MIB)] * 50)
    dev.m.qmp.command("stop")
    channels[0].set(HW.CH_CONTROL, 0)
    expect(channels[0].get(HW.CH_STATUS), 0, "CH_STATUS after ENABLE = 0")
    channels[1].set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    expect(channels[1].get(HW.CH_CONTROL), 0, "CH_CONTROL after the reset")
    dev.flr()
    dev.setup()
    with dev.m.untouched("after the reset"):
        dev.m.qmp.command("cont")
    for ch in channels:
        ch.enable().works()


@each("mode", BOTH)
def test_bar_moves(bench, mode):
    """The BAR moves while the device works: other memory is not concerned."""
    dev = bench.device(mode=mode)
    ch = Channel(dev, 0, log2=8).enable()
    data = pattern(MIB)
    src, dst = dev.m.buffer(data), [dev.m.alloc(MIB) for _ in range(4)]
    ch.submit(*[copy(src, dst[n % 4], MIB) for n in range(100)])
    for n in range(30):
        dev.bar = 0xe0000000 + (n % 2) * 0x1000000
        dev.set_config(0x10, dev.bar)
        expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    ch.wait()
    ch.expect_results(0, *[DONE] * 100)
    for to in dst:
        require(dev.m.read(to, MIB) == data, "data differs")


@each("mode", BOTH)
def test_bus_master_flickers(bench, mode):
    """Bus Master Enable goes off and on while the device works: errors, and no more."""
    dev = bench.device(mode=mode)
    channels = [Channel(dev, n, log2=8).enable() for n in range(4)]
    src, dst = dev.m.buffer(pattern(MIB)), dev.m.alloc(MIB)
    for _ in range(5):
        for ch in channels:
            ch.submit(*[copy(src, dst, MIB)] * 20)
        for _ in range(10):
            dev.master(False)
            dev.master(True)
        for ch in channels:
            ch.disable()
            ch.enable()
            ch.works()


def test_bar_small(bench):
    """x-bar-size: a BAR that is too small for MSI-X has none, and does no harm."""
    dev = bench.device("x-bar-size=4096")
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    expect(dev.capability(CAP_MSIX), 0, "MSI-X capability")
    dev.write(0xffc, 1)
    expect(dev.read(0xffc), 0, "the last register")


def test_bar_large(bench):
    """x-bar-size: in a BAR that is larger all is where it was."""
    dev = bench.device("x-bar-size=1M")
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.wait_message(0)


# --- behind a root port ------------------------------------------------------------------


def test_behind_a_port(bench):
    """Behind a root port the device works, and a reset of the bus resets it."""
    machine = bench.machine(*PORT).connect()
    port = Port(machine)
    dev = port.add(SYNC)
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.works()
    ch.run(nop(INT))
    dev.wait_message(0)
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop())
    port.reset_bus()
    expect(dev.config(0x10), 4, "BAR 0 after the reset of the bus")
    dev.setup()
    expect(ch.get(HW.CH_STATUS), 0, "CH_STATUS")
    expect(ch.get(HW.CH_TC_HOLD), 0, "CH_TC_HOLD")
    ch.enable().works()


def busy_nothing(dev):
    Channel(dev, 0).enable().works()


def busy_held(dev):
    ch = Channel(dev, 0).enable()
    ch.set(HW.CH_TC_HOLD, 1)
    ch.submit(nop(), nop())
    other = Channel(dev, 2).enable()
    other.submit(rx(dev.m.alloc(64), 64))
    sender = Channel(dev, 4).enable()
    sender.submit(tx(dev.m.alloc(8192), 8192))
    dev.m.settle()


def busy_copying(dev):
    src = dev.m.alloc(MIB)
    for n in range(8):
        ch = Channel(dev, n, log2=8).enable()
        dst = dev.m.alloc(MIB)
        ch.submit(*[copy(src, dst, MIB)] * 100)


@each("mode, busy", {f"{name}.{busy.__name__[5:]}": (mode, busy)
                     for name, mode in BOTH.items()
                     for busy in (busy_nothing, busy_held, busy_copying)})
def test_unplug(bench, mode, busy):
    """device_del completes whatever the device does, and memory is left alone after it."""
    machine = bench.machine(*PORT).connect()
    port = Port(machine)
    for _ in range(3):
        dev = port.add(mode)
        expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
        busy(dev)
        port.remove()
        with machine.untouched("after the unplug"):
            expect(dev.config(0), 0xffffffff, "vendor and device")


def test_two_devices(bench):
    """Two devices in one machine do not know of each other."""
    first = bench.device(extra=("-device", f"loopdma,addr=5,{SYNC}"))
    second = Device(first.m, slot=5, bar=0xe0100000)
    channels = [Channel(first, 0).enable(), Channel(second, 0).enable()]
    channels[0].set(HW.CH_TC_HOLD, 1)
    channels[0].submit(nop())
    channels[1].works()
    channels[0].stuck(0, "held")
    first.flr()
    channels[1].works()
