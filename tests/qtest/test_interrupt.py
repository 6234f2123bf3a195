# SPDX-License-Identifier: GPL-2.0-only
"""Interrupts: suppression, INTx, MSI, MSI-X, events."""

from qtest.lib.dma import INT, Channel, nop
from qtest.lib.hw import HW
from qtest.lib.machine import PORT, Port
from qtest.lib.pci import (CAP_MSI, CAP_MSIX, COMMAND, COMMAND_INTX_OFF, INTERRUPT_PIN,
                           MESSAGE)
from qtest.lib.qemu import expect, require
from qtest.lib.suite import SYNC, both, device, each


def make_error(ch):
    ch.set(HW.CH_DOORBELL, ch.head + 0x1000)
    ch.expect_error("DOORBELL")


# --- suppression --------------------------------------------------------------

@both
@each("arm", {"zero": 0, "one": 1, "ones": 0xffffffff})
def test_first_request(dev, arm):
    """The first request after enable always interrupts, whatever arm is."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.arm(arm)
    ch.run(nop(INT))
    dev.wait_message(0)


@both
def test_suppression(dev):
    """After that only a change of arm allows one more interrupt."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.wait_message(0)
    for arm in (1, 2, 0, 0xffffffff, 7):
        ch.run(nop(INT), nop(INT))
        dev.no_message(0, "arm has not changed")
        ch.arm(arm)
        dev.no_message(0, "nothing was retired")
        ch.run(nop(INT))
        dev.wait_message(0)
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 6, "CH_CNT_INTERRUPTS")


@both
def test_suppression_forgets(dev):
    """The token is the value of arm at the last interrupt, not at the last request."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.wait_message(0)
    ch.arm(1)
    ch.run(nop())
    ch.arm(0)
    ch.run(nop(INT))
    dev.no_message(0, "arm is what it was")


@both
def test_enable_arms(dev):
    """Enabling forgets that an interrupt was raised."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    for _ in range(3):
        ch.run(nop(INT))
        dev.wait_message(0)
        ch.disable()
        ch.enable()


@both
def test_one_for_many(dev):
    """Several descriptors with INT under one value of arm: one interrupt."""
    dev.use_msix()
    ch = Channel(dev, 0, log2=7).enable()
    ch.run(*[nop(INT)] * 100)
    dev.wait_message(0)
    dev.no_message(0, "arm has not changed")
    expect(ch.get(HW.CH_CNT_INTERRUPTS), 1, "CH_CNT_INTERRUPTS")


@both
def test_not_asked_for(dev):
    """Without INT there is no interrupt."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    ch.run(nop(), nop())
    dev.no_message(0, "no descriptor has INT")


@both
def test_arm_unreadable(dev):
    """arm could not be read: ERROR, WRITEBACK."""
    ch = Channel(dev, 0)
    good, ch.comp = ch.comp, 0xfffff000
    ch.configure()
    ch.set(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE)
    ch.submit(nop(INT))
    ch.expect_error("WRITEBACK")
    ch.comp = good
    ch.leave_error()


# --- MSI-X --------------------------------------------------------------------

@both
@device("channels=8")
def test_msix_vectors(dev):
    """Channel n raises the vector in its CH_VECTOR; vectors can be shared."""
    expect(dev.use_msix(), 9, "vectors")
    for index, vector in ((0, 8), (1, 0), (2, 5), (3, 5), (7, 7)):
        ch = Channel(dev, index, vector=vector).enable()
        ch.run(nop(INT))
        dev.wait_message(vector)
    for vector in range(9):
        dev.no_message(vector, "nothing was retired")
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    expect(dev.read(HW.CNT_INTERRUPTS), 5, "CNT_INTERRUPTS")


@device("channels=32")
def test_msix_most(dev):
    """33 vectors with 32 channels."""
    expect(dev.use_msix(), 33, "vectors")
    dev.write(HW.RAISE, 32)
    dev.wait_message(32)
    Channel(dev, 31, vector=32).enable().run(nop(INT))
    dev.wait_message(32)


def pending(dev, vector):
    return dev.read(HW.MSIX_PBA) >> vector & 1


@both
def test_msix_masked(dev):
    """A vector raised while masked stays pending, and is sent when unmasked."""
    dev.use_msix()
    dev.msix_entry(1, dev.messages + 4, masked=1)
    ch = Channel(dev, 1).enable()
    ch.run(nop(INT))
    dev.no_message(1, "masked")
    expect(pending(dev, 1), 1, "pending bit")
    dev.msix_entry(1, dev.messages + 4)
    dev.wait_message(1)
    expect(pending(dev, 1), 0, "pending bit")


@both
def test_msix_function_mask(dev):
    """The function mask keeps all vectors pending."""
    dev.use_msix()
    control = dev.capability(CAP_MSIX) + 2
    dev.change_config(control, 0, 0x4000)
    Channel(dev, 2).enable().run(nop(INT))
    dev.no_message(2, "masked")
    expect(pending(dev, 2), 1, "pending bit")
    dev.change_config(control, 0x4000, 0)
    dev.wait_message(2)


@both
def test_msix_off_later(dev):
    """INT_STATUS is set while neither MSI-X nor MSI is enabled, asserts nothing else."""
    dev.watch_line()
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.m.until(dev.line, "INTx")
    dev.use_msix()
    require(not dev.line(), "the line is up under MSI-X")
    expect(dev.read(HW.INT_STATUS), 1, "INT_STATUS")
    ch.arm(1)
    ch.run(nop(INT))
    dev.wait_message(0)
    dev.change_config(dev.capability(CAP_MSIX) + 2, 0x8000, 0)
    dev.m.until(dev.line, "INTx")
    dev.write(HW.INT_STATUS, 1)
    require(not dev.line(), "the line is up")


# --- MSI ----------------------------------------------------------------------

@both
@device("irq-mode=msi,channels=7")
@each("log2", {"1": 0, "2": 1, "4": 2, "8": 3})
def test_msi(dev, log2):
    """The vector number is taken modulo the number of messages that are enabled."""
    dev.use_msi(log2)
    for index, vector in ((0, 0), (1, 1), (3, 3), (6, 7), (5, 6)):
        Channel(dev, index, vector=vector).enable().run(nop(INT))
        dev.wait_msi(vector % (1 << log2))
    dev.write(HW.RAISE, 7)
    dev.wait_msi(7 % (1 << log2))
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    expect(dev.read(HW.CNT_INTERRUPTS), 6, "CNT_INTERRUPTS")


@device("channels=32,irq-mode=msi")
def test_msi_most(dev):
    """33 vectors on the 32 messages that MSI can have."""
    dev.use_msi(5)
    dev.write(HW.RAISE, 31)
    dev.wait_msi(31)
    dev.write(HW.RAISE, 32)
    dev.wait_msi(0)


@device("irq-mode=msi")
def test_msi_event(dev):
    """Events raise EVENT_VECTOR."""
    dev.use_msi(3)
    dev.write(HW.EVENT_VECTOR, 5)
    make_error(Channel(dev, 0).enable())
    dev.wait_msi(5)


# --- INTx ---------------------------------------------------------------------

@both
def test_intx(dev):
    """INTx: bit n of INT_STATUS, and the line, until the bit is written back."""
    dev.watch_line()
    for index in (0, 3, 7):
        ch = Channel(dev, index).enable()
        require(not dev.line(), "the line is up")
        ch.run(nop(INT))
        dev.m.until(dev.line, "INTx")
        expect(dev.read(HW.INT_STATUS), 1 << index, "INT_STATUS")
        dev.write(HW.INT_STATUS, 0xff & ~(1 << index))
        expect(dev.read(HW.INT_STATUS), 1 << index, "INT_STATUS after others were cleared")
        require(dev.line(), "the line is down")
        dev.write(HW.INT_STATUS, 1 << index)
        expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    require(not dev.line(), "the line is up")


@both
def test_intx_shared(dev):
    """The line is asserted while any bit of INT_STATUS or EVENT is set."""
    dev.watch_line()
    for index in (0, 1):
        Channel(dev, index).enable().run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS) == 3, "both bits of INT_STATUS")
    make_error(Channel(dev, 2).enable())
    for register, bits in ((HW.INT_STATUS, 1), (HW.INT_STATUS, 2)):
        dev.write(register, bits)
        require(dev.line(), "the line is down")
    dev.write(HW.EVENT, HW.EVENT_CHANNEL_ERROR)
    require(not dev.line(), "the line is up")


@both
def test_intx_disable(dev):
    """The Interrupt Disable bit keeps the line down, not the status."""
    dev.watch_line()
    dev.change_config(COMMAND, 0, COMMAND_INTX_OFF)
    Channel(dev, 0).enable().run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS), "INT_STATUS")
    require(not dev.line(), "the line is up")
    dev.change_config(COMMAND, COMMAND_INTX_OFF, 0)
    require(dev.line(), "the line is down")


@both
def test_intx_error(dev):
    """An event asserts the line."""
    dev.watch_line()
    make_error(Channel(dev, 0).enable())
    dev.m.until(dev.line, "INTx")
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    expect(dev.read(HW.CNT_INTERRUPTS), 1, "CNT_INTERRUPTS")


@both
def test_intx_reset(dev):
    """A channel reset clears the channel's bit in INT_STATUS, and no other."""
    dev.watch_line()
    channels = [Channel(dev, n).enable() for n in (0, 1)]
    for ch in channels:
        ch.run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS) == 3, "both bits of INT_STATUS")
    channels[0].set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    dev.m.until(lambda: not channels[0].get(HW.CH_CONTROL), "end of the reset")
    expect(dev.read(HW.INT_STATUS), 2, "INT_STATUS")
    require(dev.line(), "the line is down")
    channels[1].set(HW.CH_CONTROL, HW.CH_CONTROL_RESET)
    dev.m.until(lambda: not channels[1].get(HW.CH_CONTROL), "end of the reset")
    require(not dev.line(), "the line is up")


# --- RAISE and events ---------------------------------------------------------

@device("channels=4")
def test_raise_msix(dev):
    """RAISE n raises vector n, whatever was raised before."""
    dev.use_msix()
    for vector in (0, 4, 2, 2, 2):
        dev.write(HW.RAISE, vector)
        dev.wait_message(vector)
    expect(dev.read(HW.EVENT), 0, "EVENT")
    expect(dev.read(HW.CNT_INTERRUPTS), 5, "CNT_INTERRUPTS")


def test_raise_intx(dev):
    """Under INTx RAISE sets EVENT.RAISED instead."""
    dev.watch_line()
    dev.write(HW.RAISE, 0)
    dev.m.until(dev.line, "INTx")
    expect(dev.read(HW.EVENT), HW.EVENT_RAISED, "EVENT")
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    dev.write(HW.EVENT, HW.EVENT_RAISED)
    require(not dev.line(), "the line is up")


@each("kind", {"msix": CAP_MSIX, "msi": CAP_MSI, "intx": 0})
def test_raise_out_of_range(bench, kind):
    """RAISE of a vector above CHANNELS is a guest error, and nothing is raised."""
    dev = bench.device("channels=4")
    if kind == CAP_MSIX:
        dev.use_msix()
    elif kind == CAP_MSI:
        dev.use_msi(2)
    for vector in (5, 33, 0x80000000, 0xffffffff):
        with dev.guest_error(f"RAISE {vector:#x}"):
            dev.write(HW.RAISE, vector)
    expect(dev.read(HW.EVENT), 0, "EVENT")
    expect(dev.read(HW.CNT_INTERRUPTS), 0, "CNT_INTERRUPTS")


@both
def test_event_once(dev):
    """Setting a bit of EVENT that was clear raises EVENT_VECTOR; one that is set does not."""
    dev.use_msix()
    dev.write(HW.EVENT_VECTOR, 8)
    channels = [Channel(dev, n).enable() for n in range(3)]
    make_error(channels[0])
    dev.wait_message(8)
    make_error(channels[1])
    dev.no_message(8, "EVENT was set already")
    dev.write(HW.EVENT, HW.EVENT_CHANNEL_ERROR)
    dev.no_message(8, "EVENT was cleared")
    make_error(channels[2])
    dev.wait_message(8)
    expect(dev.read(HW.CHANNEL_ERRORS), 7, "CHANNEL_ERRORS")


@device("channels=4")
def test_event_vector_out_of_range(dev):
    """With an EVENT_VECTOR above CHANNELS nothing is raised; EVENT is set."""
    count = dev.use_msix()
    dev.write(HW.EVENT_VECTOR, 5)
    make_error(Channel(dev, 0).enable())
    for vector in range(count):
        dev.no_message(vector, "EVENT_VECTOR is out of range")
    expect(dev.read(HW.EVENT), HW.EVENT_CHANNEL_ERROR, "EVENT")


@both
def test_event_shares_a_vector(dev):
    """EVENT_VECTOR may be the vector of a channel."""
    dev.use_msix()
    dev.write(HW.EVENT_VECTOR, 0)
    ch = Channel(dev, 0).enable()
    ch.run(nop(INT))
    dev.wait_message(0)
    make_error(ch)
    dev.wait_message(0)


def test_message_after_done(dev):
    """A message is ordered after the status and done."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    for n in range(1, 50):
        ch.arm(n)
        ch.submit(nop(INT))
        dev.m.until(lambda: dev.m.read32(dev.messages) == MESSAGE, "a message")
        expect(ch.done(), n, "done when the message is here")
        expect(ch.result(n - 1).status, HW.ST_OK, "status when the message is here")
        dev.took(0)


@both
def test_message_to_own_bar(dev):
    """A message that the driver sends to the device's own registers does no harm."""
    dev.use_msix()
    dev.msix_entry(0, dev.bar + HW.RAISE)
    dev.msix_entry(1, dev.bar + HW.CONTROL)
    dev.write(HW.RAISE, 0)
    dev.write(HW.RAISE, 1)
    Channel(dev, 0).enable().run(nop(INT))
    dev.m.settle()
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")


@both
def test_bus_master_off(dev):
    """A message is a memory write of the device: none while Bus Master Enable is clear."""
    dev.use_msix()
    ch = Channel(dev, 0).enable()
    dev.write(HW.EVENT_VECTOR, 1)
    dev.master(False)
    make_error(ch)
    dev.write(HW.RAISE, 0)
    dev.no_message(0, "Bus Master Enable is clear")
    dev.no_message(1, "Bus Master Enable is clear")


# --- machines without messages ------------------------------------------------

# A machine whose interrupt controllers take no messages.
NO_MESSAGES = ("-cpu", "486,-apic")


@each("board", {"pc": "pc", "q35": "q35"})
@each("properties", {"auto": "", "intx": "irq-mode=intx"})
def test_no_messages(bench, board, properties):
    """Where messages cannot be had, irq-mode=auto is INTx, and so the function has it alone."""
    dev = bench.device(properties, extra=NO_MESSAGES, board=board)
    expect((dev.capability(CAP_MSIX), dev.capability(CAP_MSI)), (0, 0), "MSI-X and MSI")
    expect(dev.config(INTERRUPT_PIN, 1), 1, "interrupt pin")
    # Where the table would be are registers, or nothing.
    expect((dev.read(HW.MSIX_TABLE), dev.read(HW.MSIX_PBA)), (0, 0), "MSI-X structures")
    ch = Channel(dev, 0).enable()
    ch.works()
    ch.run(nop(INT))
    dev.m.until(lambda: dev.read(HW.INT_STATUS) == 1, "INT_STATUS")
    dev.write(HW.INT_STATUS, 1)
    expect(dev.read(HW.INT_STATUS), 0, "INT_STATUS")
    dev.m.qmp.command("system_reset")
    dev.m.until(lambda: dev.m.qmp.had("RESET"), "the reset of the machine")
    dev.setup()
    ch.enable().works()


@each("mode", {"msix": "msix", "msi": "msi"})
def test_no_messages_refused(bench, mode):
    """There, a device that is to have nothing but messages is refused, and leaves nothing."""
    machine = bench.machine(*NO_MESSAGES, board="pc", leaks=True).connect()
    for pm in (True, False):
        said = machine.qmp.refused("device_add", driver="loopdma", irq_mode=mode, pm=pm)
        require("irq-mode" in said and mode in said, f"the message does not name irq-mode: {said}")
    machine.qmp.command("device_add", driver="loopdma", irq_mode="intx")
    machine.quit()
    machine.gone = True
    found = machine.lost("loopdma")
    require(not found, "\n".join(found))
    # On a PCI Express bus no device can be plugged in there: it ends QEMU.
    bench.boot(f"irq-mode={mode}", extra=NO_MESSAGES).refuses()


def test_refused_leaves_nothing(bench):
    """Nor does one that is refused for another reason, as LeakSanitizer would tell."""
    machine = bench.machine(*PORT, leaks=True).connect()
    port = Port(machine)
    for properties in ({"channels": 33}, {"max_len": 1}, {"irq_mode": "off"},
                       {"irq_mode": "off", "x_bar_size": 5000}, {"fifo_depth": 100}):
        machine.qmp.refused("device_add", driver="loopdma", bus="root", **properties)
    port.add(SYNC, irq_mode="msix")
    port.remove()
    machine.quit()
    machine.gone = True
    found = machine.lost("loopdma")
    require(not found, "\n".join(found))
