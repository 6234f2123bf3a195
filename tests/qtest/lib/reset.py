# SPDX-License-Identifier: GPL-2.0-only
"""Resets: of a channel, the device, the function, the machine; and what is so after them."""

from qtest.lib import hw
from qtest.lib.dma import Channel, pattern, rx, tx
from qtest.lib.hw import HW
from qtest.lib.pci import COMMAND
from qtest.lib.qemu import expect


def channel_reset(dev, channels):
    for ch in channels:
        ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
        dev.m.until(lambda ch=ch: not ch.get(HW.CH_CONTROL), "end of the reset")


def device_reset(dev, _):
    dev.write(HW.CONTROL, HW.CONTROL_RESET)
    dev.m.until(lambda: not dev.read(HW.CONTROL), "end of the reset")


def function_reset(dev, _):
    dev.flr()
    expect(dev.config(COMMAND, 2), 0, "PCI command register")
    expect(dev.config(0x10), 4, "BAR 0")
    dev.setup()


def system_reset(dev, _):
    dev.m.qmp.command("system_reset")
    dev.m.until(lambda: dev.m.qmp.had("RESET"), "the reset of the machine")
    dev.setup()


RESETS = [channel_reset, device_reset, function_reset, system_reset]


def after_reset(ch):
    for name in hw.CHANNEL:
        if name != "CH_CAPS":
            expect(ch.get(getattr(HW, name)), 0, f"{name} of channel {ch.index}")


def good_as_new(ch):
    """Copies, receives, and its FIFO is empty."""
    m = ch.m
    ch.enable().works()
    peer = Channel(ch.dev, ch.index ^ 1).enable()
    dst = m.alloc(64)
    ch.submit(rx(dst, 64))
    ch.stuck(1, "FIFO empty after a reset")
    peer.run(tx(m.buffer(pattern(64, 9)), 64))
    ch.wait()
    expect(m.read(dst, 64), pattern(64, 9), "data received")


def by_channel_reset(ch):
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)


def by_device_reset(ch):
    ch.dev.write(HW.CONTROL, HW.CONTROL_RESET)


def by_function_reset(ch):
    ch.dev.flr()
    ch.dev.setup()
