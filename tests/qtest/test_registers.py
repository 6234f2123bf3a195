# SPDX-License-Identifier: GPL-2.0-only
"""Registers: reset values, access, what is ignored."""

from qtest.lib import hw
from qtest.lib.dma import DONE, INT, MEMORY_CAPS, Channel, descriptor, nop, refused, rx, tx
from qtest.lib.hw import HW, ONES
from qtest.lib.pci import CAP_EXPRESS, CAP_MSI, CAP_MSIX, INTERRUPT_PIN
from qtest.lib.qemu import expect, require
from qtest.lib.suite import device, each


def test_pci_identity(dev):
    """Identity: vendor, device, revision, interrupt pin INTA."""
    expect(dev.config(0), HW.PCI_DEVICE_ID << 16 | HW.PCI_VENDOR_ID, "vendor and device")
    expect(dev.config(8, 1), HW.PCI_REVISION, "revision")
    expect(dev.config(0x3d, 1), 1, "interrupt pin")


def test_pci_bar(dev):
    """BAR 0: the only BAR, 64-bit, non-prefetchable, 64 KiB."""
    dev.change_config(4, 2, 0)
    dev.set_config(0x10, ONES)
    dev.set_config(0x14, ONES)
    expect(dev.config(0x10), -HW.BAR_SIZE & ONES | 4, "BAR 0")
    expect(dev.config(0x14), ONES, "BAR 0, high half")
    for offset in range(0x18, 0x28, 4):
        dev.set_config(offset, ONES)
        expect(dev.config(offset), 0, f"BAR at {offset:#x}")


@device("channels=6")
def test_pci_capabilities(dev):
    """PCI function: PCI Express endpoint with FLR, MSI-X with channels + 1 vectors, MSI."""
    express = dev.capability(CAP_EXPRESS)
    require(express, "no PCI Express capability")
    require(dev.config(express + 4) >> 28 & 1, "no function-level reset")
    msix = dev.capability(CAP_MSIX)
    expect(dev.config(msix + 2, 2) & 0x7ff, 6, "MSI-X table size - 1")
    expect(dev.config(msix + 4), HW.MSIX_TABLE, "MSI-X table")
    expect(dev.config(msix + 8), HW.MSIX_PBA, "MSI-X pending bits")
    require(dev.capability(CAP_MSI), "no MSI capability")


@each("mode, msix, msi", {"msix": ("msix", True, False), "msi": ("msi", False, True),
                          "intx": ("intx", False, False), "auto": ("auto", True, True),
                          "none": ("none", False, False)})
def test_irq_mode(bench, mode, msix, msi):
    """Capabilities: MSI-X and MSI may each be absent; with `none` so is the pin."""
    dev = bench.device(f"irq-mode={mode}")
    expect(bool(dev.capability(CAP_MSIX)), msix, "MSI-X")
    expect(bool(dev.capability(CAP_MSI)), msi, "MSI")
    expect(dev.config(INTERRUPT_PIN, 1), 0 if mode == "none" else 1, "interrupt pin")
    # What would interrupt does no harm if it cannot.
    dev.write(HW.RAISE, 0)


def test_id_and_version(dev):
    """ID is always the magic, VERSION 1.3."""
    expect(dev.read(HW.ID), HW.ID_MAGIC, "ID")
    expect(dev.read(HW.VERSION), HW.VERSION_1_4, "VERSION")


@device("x-id=0x12345678,x-version=0x00020007,vendor-id=0x1b36,device-id=0x00ff")
def test_id_and_version_replaced(dev):
    """Identity: a device model may let its user replace the IDs."""
    expect(dev.config(0), 0x00ff1b36, "vendor and device")
    expect(dev.read(HW.ID), 0x12345678, "ID")
    expect(dev.read(HW.VERSION), 0x00020007, "VERSION")


@device("channels=5,ring-max=1024,copy-align=6,addr-bits=40,max-len=100000,fifo-depth=1024,"
      "fifo-widths=0x15,fifo-max-burst=33,max-sources=11")
def test_limits(dev):
    """TOPOLOGY and the limits say how the device was configured."""
    expect(dev.read(HW.CAPS), HW.CAPS_COPY | HW.CAPS_LOOPBACK | HW.CAPS_COUNTERS |
           HW.CAPS_TESTCTL | HW.CAPS_FILL | HW.CAPS_XOR | HW.CAPS_PQ | HW.CAPS_PAUSE |
           HW.CAPS_PROGRESS | HW.CAPS_PERIPH | HW.CAPS_METADATA | HW.CAPS_PRIORITY |
           HW.CAPS_FAULTS, "CAPS")
    # Synchronous execution: no engines of its own.
    expect(dev.read(HW.TOPOLOGY), 5, "TOPOLOGY")
    expect(dev.read(HW.RING_LIMITS), 10 << 8 | 1, "RING_LIMITS")
    expect(dev.read(HW.COPY_LIMITS), 40 << 8 | 6, "COPY_LIMITS")
    expect(dev.read(HW.MAX_LEN), 100000, "MAX_LEN")
    expect(dev.read(HW.FIFO_DEPTH), 1024, "FIFO_DEPTH")
    expect(dev.read(HW.FIFO_LIMITS), 33 << 16 | 0x15, "FIFO_LIMITS")
    expect(dev.read(HW.XOR_LIMITS), 11, "XOR_LIMITS")


@device("engines=7,sync=off")
def test_engines(dev):
    """TOPOLOGY.ENGINES: the number of engines."""
    expect(dev.read(HW.TOPOLOGY) >> 8, 7, "engines")


def test_defaults(dev):
    """The limits make sense without any property."""
    limit = dev.read(HW.RING_LIMITS)
    require(1 <= limit & 0xff <= limit >> 8 <= 16, f"RING_LIMITS {limit:#x}")
    limit = dev.read(HW.COPY_LIMITS)
    require(limit & 0xff <= 12 and 32 <= limit >> 8 <= 64, f"COPY_LIMITS {limit:#x}")
    require(dev.read(HW.MAX_LEN) >= 128, "MAX_LEN")
    depth = dev.read(HW.FIFO_DEPTH)
    require(depth and not depth & depth - 1, f"FIFO_DEPTH {depth:#x}")


def test_device_reset_values(dev):
    """All registers but the fixed ones are 0 after reset."""
    for name in hw.DEVICE:
        if name not in hw.READ_ONLY or name == "CHANNEL_ERRORS":
            expect(dev.read(getattr(HW, name)), 0, name)
    expect(dev.read(HW.CNT_INTERRUPTS), 0, "CNT_INTERRUPTS")


@device("channels=32")
def test_channel_reset_values(dev):
    """All channel registers but CH_CAPS are 0 after reset, for each of 32 channels."""
    for index in range(32):
        ch = Channel(dev, index)
        for name in hw.CHANNEL:
            if name != "CH_CAPS":
                expect(ch.get(getattr(HW, name)), 0, f"{name} of channel {index}")
        expect(ch.get(HW.CH_CAPS), MEMORY_CAPS | HW.CH_CAPS_TX | HW.CH_CAPS_RX,
               f"CH_CAPS of channel {index}")


def test_device_read_only(dev):
    """RO: a write is ignored and a guest error."""
    for name in hw.READ_ONLY:
        offset = getattr(HW, name)
        before = dev.read(offset)
        with dev.guest_error(f"write to {name}"):
            dev.write(offset, ~before & ONES)
        if name != "CNT_MMIO_READS":
            expect(dev.read(offset), before, name)


def test_channel_read_only(dev):
    """RO: a write to a channel's register is ignored and a guest error."""
    ch = Channel(dev, 3)
    for name in hw.CH_READ_ONLY:
        offset = getattr(HW, name)
        before = ch.get(offset)
        with dev.guest_error(f"write to {name}"):
            ch.set(offset, ~before & ONES)
        expect(ch.get(offset), before, name)


def test_write_only(dev):
    """WO: reads 0, also after a write."""
    ch = Channel(dev, 0).enable()
    ch.submit(nop(), nop())
    ch.wait()
    ch.set(HW.CH_ABORT, 2)
    ch.set(HW.CH_TC_STEP, 3)
    dev.write(HW.RAISE, 0)
    for name in hw.CH_WRITE_ONLY:
        expect(ch.get(getattr(HW, name)), 0, name)
    expect(dev.read(HW.RAISE), 0, "RAISE")


@device("channels=32")
def test_configuration_kept(dev):
    """RW-D: reads return what was written, for each channel its own."""
    channels = [Channel(dev, index) for index in range(32)]
    for flip in (0, ONES):
        for ch in channels:
            for i, name in enumerate(hw.CH_CONFIG):
                ch.set(getattr(HW, name), (0x01020304 * i + ch.index) ^ flip)
        for ch in channels:
            for i, name in enumerate(hw.CH_CONFIG):
                expect(ch.get(getattr(HW, name)), (0x01020304 * i + ch.index) ^ flip,
                       f"{name} of channel {ch.index}")


def locked(dev, ch, state):
    for name in hw.CH_CONFIG:
        offset = getattr(HW, name)
        before = ch.get(offset)
        with dev.guest_error(f"write to {name}, {state}"):
            ch.set(offset, before ^ 0x40)
        expect(ch.get(offset), before, f"{name}, {state}")


def test_configuration_locked(dev):
    """RW-D: in RUNNING and ERROR a write is ignored and a guest error."""
    ch = Channel(dev, 1).enable()
    locked(dev, ch, "RUNNING")
    ch.works()
    ch.set(HW.CH_DOORBELL, ch.head - 1)
    ch.expect_error("DOORBELL")
    locked(dev, ch, "ERROR")
    ch.leave_error()
    ch.works()


@device("test-controls=off")
def test_test_controls_absent(dev):
    """Without CAPS.TESTCTL the registers read 0 and ignore writes."""
    require(not dev.read(HW.CAPS) & (HW.CAPS_TESTCTL | HW.CAPS_FAULTS),
            "CAPS.TESTCTL or FAULTS is set")
    ch = Channel(dev, 0).enable()
    for name in hw.CH_TEST + hw.CH_FAULTS + ["CH_TC_STEP"]:
        ch.set(getattr(HW, name), 1)
        expect(ch.get(getattr(HW, name)), 0, name)
    ch.works()


@device(f"x-caps-mask={HW.CAPS_COUNTERS}")
def test_counters_absent(dev):
    """Without CAPS.COUNTERS the registers read 0."""
    require(not dev.read(HW.CAPS) & HW.CAPS_COUNTERS, "CAPS.COUNTERS is set")
    ch = Channel(dev, 0).enable()
    ch.works()
    for name in hw.CH_COUNTERS:
        expect(ch.get(getattr(HW, name)), 0, name)
    for name in ("CNT_MMIO_READS", "CNT_INTERRUPTS"):
        expect(dev.read(getattr(HW, name)), 0, name)


@each("properties", {"hidden": f"x-caps-mask={HW.CAPS_LOOPBACK}", "removed": "loopback=off"})
def test_loopback_absent(bench, properties):
    """Without CAPS.LOOPBACK: FIFO_DEPTH and FIFO_LIMITS 0, no TX, no RX."""
    dev = bench.device(properties)
    require(not dev.read(HW.CAPS) & (HW.CAPS_LOOPBACK | HW.CAPS_PERIPH |
                                         HW.CAPS_METADATA),
            "CAPS.LOOPBACK, PERIPH or METADATA is set")
    expect(dev.read(HW.FIFO_DEPTH), 0, "FIFO_DEPTH")
    expect(dev.read(HW.FIFO_LIMITS), 0, "FIFO_LIMITS")
    ch = Channel(dev, 0).enable()
    expect(ch.get(HW.CH_CAPS), MEMORY_CAPS, "CH_CAPS")
    buffer = dev.m.alloc(64)
    ch.outcome((tx(buffer, 64), refused(HW.ST_OPCODE, 64)),
               (rx(buffer, 64), refused(HW.ST_OPCODE, 64)))
    ch.works()


@each("capability, channel_capability, opcodes",
      {"fill": (HW.CAPS_FILL, HW.CH_CAPS_FILL, (HW.OP_FILL,)),
       "xor": (HW.CAPS_XOR, HW.CH_CAPS_XOR, (HW.OP_XOR, HW.OP_XOR_CHECK)),
       "pq": (HW.CAPS_PQ, HW.CH_CAPS_PQ, (HW.OP_PQ, HW.OP_PQ_CHECK))})
def test_kind_absent(bench, capability, channel_capability, opcodes):
    """Without CAPS.FILL, XOR or PQ: no such bit in CH_CAPS, no such opcodes."""
    dev = bench.device(f"x-caps-mask={capability}")
    require(not dev.read(HW.CAPS) & capability, "the bit in CAPS is set")
    ch = Channel(dev, 0).enable()
    expect(ch.get(HW.CH_CAPS), MEMORY_CAPS & ~channel_capability | HW.CH_CAPS_TX |
           HW.CH_CAPS_RX, "CH_CAPS")
    expect(dev.read(HW.XOR_LIMITS), HW.MAX_SOURCES, "XOR_LIMITS")
    ch.outcome(*((descriptor(opcode, 64), refused(HW.ST_OPCODE, 64)) for opcode in opcodes))
    ch.works()


@device(f"x-caps-mask={HW.CAPS_XOR | HW.CAPS_PQ}")
def test_parity_absent(dev):
    """XOR_LIMITS reads 0 without CAPS.XOR and CAPS.PQ."""
    expect(dev.read(HW.XOR_LIMITS), 0, "XOR_LIMITS")


@device("channels=1")
def test_loopback_alone(dev):
    """A single channel has no peer: no CAPS.LOOPBACK."""
    require(not dev.read(HW.CAPS) & HW.CAPS_LOOPBACK, "CAPS.LOOPBACK is set")
    expect(dev.read(HW.FIFO_DEPTH), 0, "FIFO_DEPTH")
    expect(Channel(dev, 0).get(HW.CH_CAPS), MEMORY_CAPS, "CH_CAPS")
    Channel(dev, 0).enable().works()


@device("channels=3")
def test_reserved_offsets(dev):
    """A reserved offset, an absent channel: reads 0, a write is ignored, guest errors."""
    device = [offset for offset in range(0, 0x100, 4)
              if offset not in {getattr(HW, name) for name in hw.DEVICE}]
    channel = [HW.CH_BASE + offset for offset in range(0, HW.CH_STRIDE, 4)
               if offset not in {getattr(HW, name) for name in hw.CHANNEL}]
    absent = [HW.CH_BASE + n * HW.CH_STRIDE + HW.CH_CAPS for n in (3, 4, 31)]
    for offset in device + channel + absent + [0xffc, 0x3000, 0x5678, 0x7ffc]:
        with dev.guest_error(f"read at {offset:#x}"):
            expect(dev.read(offset), 0, f"read at {offset:#x}")
        with dev.guest_error(f"write at {offset:#x}"):
            dev.write(offset, ONES)
        expect(dev.read(offset), 0, f"read at {offset:#x} after the write")


@each("letter, size", {"1": ("b", 1), "2": ("w", 2), "8": ("q", 8)})
def test_wrong_width(dev, letter, size):
    """Any other width than 32 bits: reads 0, a write is ignored, guest errors."""
    ch = Channel(dev, 0)
    for offset in (HW.ID, ch.offset(HW.CH_RING_LO), ch.offset(HW.CH_VECTOR) + 4 - size % 4):
        offset -= offset % size
        with dev.guest_error(f"{size}-byte read at {offset:#x}"):
            expect(dev.m.qtest.get(f"read{letter}", dev.bar + offset), 0,
                   f"{size}-byte read at {offset:#x}")
    offset = ch.offset(HW.CH_COMP_LO)
    ch.set(HW.CH_COMP_LO, 0x11223344)
    ch.set(HW.CH_COMP_HI, 0x55667788)
    with dev.guest_error(f"{size}-byte write"):
        dev.m.qtest.put(f"write{letter}", dev.bar + offset, (1 << 8 * size) - 1)
    expect(ch.get(HW.CH_COMP_LO), 0x11223344, "CH_COMP_LO after the write")
    expect(ch.get(HW.CH_COMP_HI), 0x55667788, "CH_COMP_HI after the write")


def test_unaligned(dev):
    """An unaligned access: reads 0, a write is ignored, guest errors."""
    ch = Channel(dev, 0)
    ch.set(HW.CH_RING_LO, ONES)
    for shift in (1, 2, 3):
        address = dev.bar + ch.offset(HW.CH_RING_LO) + shift
        with dev.guest_error("unaligned read"):
            expect(dev.m.qtest.get("readl", address), 0, f"read at +{shift}")
        with dev.guest_error("unaligned write"):
            dev.m.qtest.put("writel", address, 0)
        expect(ch.get(HW.CH_RING_LO), ONES, "CH_RING_LO")
        expect(ch.get(HW.CH_RING_HI), 0, "CH_RING_HI")


def test_reserved_bits(dev):
    """Writing a reserved bit is a guest error; the rest of the write takes effect."""
    ch = Channel(dev, 0)
    ch.configure()
    with dev.guest_error("reserved bits of CH_CONTROL"):
        ch.set(HW.CH_CONTROL, ONES & ~HW.CH_CONTROL_RESET)
    expect(ch.get(HW.CH_CONTROL), HW.CH_CONTROL_ENABLE, "CH_CONTROL")
    expect(ch.state(), HW.STATE_RUNNING, "state")
    dev.write(HW.RAISE, 0)
    dev.m.settle()
    expect(dev.read(HW.EVENT), HW.EVENT_RAISED, "EVENT")
    with dev.guest_error("reserved bits of EVENT"):
        dev.write(HW.EVENT, ONES)
    expect(dev.read(HW.EVENT), 0, "EVENT")
    with dev.guest_error("reserved bits of CONTROL"):
        dev.write(HW.CONTROL, ONES)
    dev.m.until(lambda: not dev.read(HW.CONTROL), "end of the reset")
    expect(ch.get(HW.CH_RING_LO), 0, "CH_RING_LO after the reset")


@device("channels=4")
def test_event_vector(dev):
    """EVENT_VECTOR: 0 to CHANNELS; writing a larger value is a guest error."""
    for value in range(5):
        dev.write(HW.EVENT_VECTOR, value)
        expect(dev.read(HW.EVENT_VECTOR), value, "EVENT_VECTOR")
    with dev.guest_error("EVENT_VECTOR 5"):
        dev.write(HW.EVENT_VECTOR, 5)


def test_mmio_reads(dev):
    """CNT_MMIO_READS: register reads, except those of CNT registers."""
    ch = Channel(dev, 0)
    before = dev.read(HW.CNT_MMIO_READS)
    for _ in range(5):
        dev.read(HW.ID)
        ch.get(HW.CH_STATUS)
    for _ in range(3):
        dev.read(HW.CNT_INTERRUPTS)
        ch.get(HW.CH_CNT_BYTES_HI)
        dev.read(HW.MSIX_TABLE)
    dev.write(HW.EVENT, 0)
    expect(dev.read(HW.CNT_MMIO_READS), before + 10, "CNT_MMIO_READS")


def test_conventional_bus(bench):
    """Capabilities: PCI Express and FLR on an Express bus only; all else works."""
    dev = bench.device(board="pc")
    expect(dev.capability(CAP_EXPRESS), 0, "PCI Express capability")
    expect(dev.use_msix(), dev.channels() + 1, "vectors")
    ch = Channel(dev, 1).enable()
    ch.works()
    ch.outcome((nop(INT), DONE))
    dev.wait_message(1)
