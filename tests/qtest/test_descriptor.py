# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors: the checks, in their order."""

from qtest.lib.dma import (DONE, MEMORY_CAPS, Channel, copy, descriptor, nop, pattern, periph_of,
                           refused, rx, tx)
from qtest.lib.hw import HW
from qtest.lib.qemu import expect, require
from qtest.lib.suite import device, each

MAX_LEN = 100000
LIMITS = f"max-len={MAX_LEN},fifo-depth=1024,fifo-widths=0x0d,fifo-max-burst=300"

TRANSFERS = {"copy": HW.OP_COPY, "tx": HW.OP_TX, "rx": HW.OP_RX}


class Made:
    """A channel with a buffer for each side, and descriptors that use them."""

    def __init__(self, dev, index=0):
        self.ch = Channel(dev, index).enable()
        self.src = dev.m.buffer(pattern(4096))
        self.dst = dev.m.alloc(4096)

    def of(self, opcode, length=64, flags=0, **fields):
        """A good descriptor, but for the fields given."""
        fields.setdefault("src", self.src if opcode in (HW.OP_COPY, HW.OP_TX) else 0)
        fields.setdefault("dst", self.dst if opcode in (HW.OP_COPY, HW.OP_RX) else 0)
        return descriptor(opcode | flags, length, **fields)

    def refuse(self, status, *descriptors):
        """Each is refused with this status, and the channel goes on."""
        for data in descriptors:
            length = int.from_bytes(data[4:8], "little")
            self.ch.outcome((data, refused(status, length)))
        expect(self.ch.state(), HW.STATE_RUNNING, "state")
        self.ch.outcome((nop(), DONE))


def test_nothing(dev):
    """NOP moves nothing and is retired in order."""
    made = Made(dev)
    made.ch.outcome((nop(), DONE), (copy(made.src, made.dst, 64), DONE), (nop(), DONE))
    expect(made.ch.get(HW.CH_CNT_BYTES_LO), 64, "CH_CNT_BYTES_LO")


def test_opcode_unknown(dev):
    """OPCODE: the opcode is unknown."""
    made = Made(dev)
    made.refuse(HW.ST_OPCODE, *(descriptor(op, 77) for op in (0, 10, 11, 0x7f, 0x80, 255)))


@device("channels=3")
def test_opcode_not_capable(dev):
    """OPCODE: TX and RX on the odd last channel, which has no peer."""
    made = Made(dev, 2)
    expect(made.ch.get(HW.CH_CAPS), MEMORY_CAPS, "CH_CAPS")
    made.refuse(HW.ST_OPCODE, made.of(HW.OP_TX), made.of(HW.OP_RX))
    made.ch.works()


@device(f"x-caps-mask={HW.CAPS_COPY}")
def test_opcode_no_copy(dev):
    """OPCODE: COPY without CH_CAPS.COPY."""
    made = Made(dev)
    require(not made.ch.get(HW.CH_CAPS) & HW.CH_CAPS_COPY, "CH_CAPS.COPY is set")
    made.refuse(HW.ST_OPCODE, made.of(HW.OP_COPY))


@device(f"x-caps-mask={HW.CAPS_LOOPBACK}")
def test_opcode_no_loopback(dev):
    """OPCODE: TX and RX without CAPS.LOOPBACK."""
    made = Made(dev)
    made.refuse(HW.ST_OPCODE, made.of(HW.OP_TX), made.of(HW.OP_RX))


@each("opcode", {"nop": HW.OP_NOP, **TRANSFERS})
def test_reserved_ctrl(dev, opcode):
    """RESERVED: each of ctrl bits 31:10."""
    made = Made(dev)
    length = 0 if opcode == HW.OP_NOP else 64
    made.refuse(HW.ST_RESERVED, *(made.of(opcode, length, 1 << bit) for bit in range(10, 32)))


@each("opcode", {"nop": HW.OP_NOP, **TRANSFERS})
def test_reserved_fields(dev, opcode):
    """RESERVED: each bit of arg, dst2 and src_off that these do not have."""
    made = Made(dev)
    length = 0 if opcode == HW.OP_NOP else 64
    bits = [1 << bit for bit in range(64)]
    fields = {HW.OP_TX: HW.ARG_META_LEN, HW.OP_RX: HW.ARG_META}.get(opcode, 0)
    made.refuse(HW.ST_RESERVED, *(made.of(opcode, length, arg=bit) for bit in bits[:32]
                                  if not bit & fields))
    made.refuse(HW.ST_RESERVED, *(made.of(opcode, length, dst2=bit) for bit in bits))
    made.refuse(HW.ST_RESERVED, *(made.of(opcode, length, src_off=bit) for bit in bits))


def test_reserved_unused(dev):
    """RESERVED: src of NOP and RX, dst of NOP and TX, periph of NOP and COPY."""
    made = Made(dev)
    for bit in (0, 5, 31, 32, 63):
        made.refuse(HW.ST_RESERVED, made.of(HW.OP_NOP, 0, src=1 << bit),
                    made.of(HW.OP_NOP, 0, dst=1 << bit), made.of(HW.OP_RX, src=1 << bit),
                    made.of(HW.OP_TX, dst=1 << bit))
    for bit in range(32):
        made.refuse(HW.ST_RESERVED, made.of(HW.OP_NOP, 0, periph=1 << bit),
                    made.of(HW.OP_COPY, periph=1 << bit))


def test_reserved_periph(dev):
    """RESERVED: periph bits 15:4 of TX and RX."""
    made = Made(dev)
    for bit in range(4, 16):
        made.refuse(HW.ST_RESERVED, made.of(HW.OP_TX, periph=1 << bit),
                    made.of(HW.OP_RX, periph=1 << bit))


@device(LIMITS)
def test_length_nop(dev):
    """LENGTH: len of a NOP is 0."""
    made = Made(dev)
    made.refuse(HW.ST_LENGTH, *(descriptor(HW.OP_NOP, n) for n in (1, 64, 0xffffffff)))


@device(LIMITS)
@each("opcode", TRANSFERS)
def test_length(dev, opcode):
    """LENGTH: 0, MAX_LEN + 1 and more."""
    made = Made(dev)
    made.refuse(HW.ST_LENGTH, *(made.of(opcode, n) for n in (0, MAX_LEN + 1, 0x80000000,
                                                             0xffffffff)))


@device(LIMITS)
def test_length_element(dev):
    """LENGTH: TX and RX a multiple of 2^WIDTH, whether or not it is supported."""
    made = Made(dev)
    for width, n in ((1, 3), (2, 6), (3, 12), (4, 24), (15, 16384), (15, 1)):
        made.refuse(HW.ST_LENGTH, made.of(HW.OP_TX, n, periph=width),
                    made.of(HW.OP_RX, n, periph=width))


@device(LIMITS)
def test_length_max(dev):
    """MAX_LEN itself is allowed, and need not be a power of two."""
    Made(dev).ch.copies(pattern(MAX_LEN))


@device(LIMITS)
def test_periph_width(dev):
    """PERIPH: bit WIDTH of FIFO_LIMITS.WIDTHS is not set."""
    made = Made(dev)
    for width in (1, 4, 7, 8, 15):
        n = 1 << width if width < 15 else 65536
        made.refuse(HW.ST_PERIPH, made.of(HW.OP_TX, n, periph=width),
                    made.of(HW.OP_RX, n, periph=width))


@device(LIMITS)
def test_periph_burst(dev):
    """PERIPH: BURST above FIFO_LIMITS.BURST, or a burst above FIFO_DEPTH."""
    made = Made(dev)
    for width, burst in ((0, 301), (0, 0xffff), (2, 257), (3, 129), (3, 300)):
        made.refuse(HW.ST_PERIPH, made.of(HW.OP_TX, periph=periph_of(width, burst)),
                    made.of(HW.OP_RX, periph=periph_of(width, burst)))


@device(LIMITS)
def test_periph_burst_good(dev):
    """Bursts up to both limits, and BURST 0, which is 1, are good."""
    made = Made(dev)
    peer = Channel(dev, 1).enable()
    for width, burst in ((0, 0), (0, 300), (2, 256), (3, 128), (3, 0), (2, 1)):
        made.ch.outcome((tx(made.src, 64, width, burst), DONE))
        peer.outcome((rx(made.dst, 64, width, burst), DONE))
        expect(dev.m.read(made.dst, 64), pattern(4096)[:64], f"width {width} burst {burst}")


@device("copy-align=6")
def test_align_copy(dev):
    """ALIGN: src, dst and len of a COPY are multiples of 2^COPY_LIMITS.ALIGN."""
    made = Made(dev)
    for off in (1, 2, 32, 63):
        made.refuse(HW.ST_ALIGN, copy(made.src + off, made.dst, 64),
                    copy(made.src, made.dst + off, 64), copy(made.src, made.dst, 64 + off),
                    copy(made.src, made.dst, off))
    made.ch.outcome((copy(made.src + 64, made.dst + 128, 192), DONE))


@device("copy-align=6")
def test_align_copy_only(dev):
    """COPY_LIMITS.ALIGN is for COPY, not for TX and RX."""
    made = Made(dev)
    peer = Channel(dev, 1).enable()
    made.ch.outcome((tx(made.src + 3, 5), DONE))
    peer.outcome((rx(made.dst + 1, 5), DONE))
    expect(dev.m.read(made.dst + 1, 5), pattern(4096)[3:8], "data")


def test_align_element(dev):
    """ALIGN: src of a TX and dst of an RX are multiples of 2^WIDTH."""
    made = Made(dev)
    for width in range(1, 7):
        for off in (1, 1 << width - 1):
            made.refuse(HW.ST_ALIGN, tx(made.src + off, 64, width),
                        rx(made.dst + off, 64, width))


@device("copy-align=4,max-len=1024,fifo-widths=1")
def test_order(dev):
    """Checks: the first that fails gives the status."""
    made = Made(dev)
    bad = {"src_off": 1}
    made.refuse(HW.ST_OPCODE, made.of(10, 0, 1 << 20, **bad, periph=0xffffffff))
    made.refuse(HW.ST_RESERVED, made.of(HW.OP_COPY, 0, **bad),
                made.of(HW.OP_COPY, 2000, src=made.src + 1, **bad),
                made.of(HW.OP_TX, 0, periph=3, **bad))
    made.refuse(HW.ST_LENGTH, copy(made.src + 1, made.dst, 1025),
                copy(1 << 60, made.dst, 0), tx(made.src + 1, 9, 3), tx(made.src, 0, 3, 999))
    made.refuse(HW.ST_PERIPH, tx(made.src + 1, 8, 3), tx(0xd0000001, 8, 3))
    made.refuse(HW.ST_ALIGN, copy(0xd0000001, made.dst, 16), copy(made.src, 0xd0000001, 16))


def test_writes_status_only(dev):
    """The device writes bytes 0x30 to 0x3f of a descriptor and does not look at them."""
    made = Made(dev)
    for data in (made.of(HW.OP_COPY), nop(), made.of(0)):
        data = data[:48] + b"\xa5" * 16
        count = made.ch.submit(data)
        made.ch.wait()
        expect(dev.m.read(made.ch.slot(count), 48), data[:48], "bytes 0x00 to 0x2f")
        want = DONE if data[0] else refused(HW.ST_OPCODE, 64)
        made.ch.expect_results(count, want)


def test_writes_done_only(dev):
    """The device writes done and nothing else of the completion record."""
    ch = Channel(dev, 0).enable()
    dev.m.write(ch.comp, bytes(4) + b"\xa5" * (HW.COMP_SIZE - 4))
    ch.run(*[nop(HW.CTRL_INT)] * 5)
    expect(dev.m.read(ch.comp + 4, HW.COMP_SIZE - 4), b"\xa5" * (HW.COMP_SIZE - 4),
           "completion record")


def test_errors_do_not_stop(dev):
    """The error of a descriptor never stops the channel; each counts as executed."""
    made = Made(dev)
    made.ch.outcome((made.of(0), refused(HW.ST_OPCODE, 64)),
                    (made.of(HW.OP_COPY, 0), refused(HW.ST_LENGTH, 0)),
                    (made.of(HW.OP_COPY), DONE),
                    (made.of(HW.OP_COPY, arg=1), refused(HW.ST_RESERVED, 64)), (nop(), DONE))
    expect(made.ch.get(HW.CH_CNT_DESCRIPTORS), 5, "CH_CNT_DESCRIPTORS")
    expect(dev.read(HW.EVENT), 0, "EVENT")
