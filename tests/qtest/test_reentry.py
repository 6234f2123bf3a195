# SPDX-License-Identifier: GPL-2.0-only
"""A message is a memory write, and may change the function that sends it."""

from qtest.lib.dma import INT, PENDING, Channel, copy, long_ring, nop
from qtest.lib.hw import HW, ONES
from qtest.lib.iommu import AmdIommu, amd_arguments
from qtest.lib.machine import PATH, PORT, Ecam, Port
from qtest.lib.pci import (CAP_EXPRESS, CAP_MSI, CAP_MSIX, CAP_PM, COMMAND, COMMAND_MASTER,
                           COMMAND_MEMORY, SLOT, Device, Function)
from qtest.lib.qemu import MIB, expect, require
from qtest.lib.reset import device_reset
from qtest.lib.suite import ASYNC, ATONCE, SYNC, each

MODES = {"sync": SYNC, "async": ASYNC, "atonce": ATONCE}

D3HOT = 3

# Power controller and power indicator of a slot: off.
POWER_OFF = 0x0700

# The CPU has so much to do before it lets go of the machine.
MEANWHILE = "memset 0x2000000 0x1000000 0x0"

COUNT = 4


class Scene:
    """A device in a slot, and another of which nothing is asked but to live."""

    def __init__(self, bench, mode, extra=(), **properties):
        self.m = bench.machine(*extra, "-device", f"loopdma,id=other,addr={SLOT:#x},sync=on",
                               *PORT).connect()
        self.iommu = None
        self.mode = mode
        self.properties = properties
        self.port = Port(self.m)
        self.ecam = Ecam(self.m)
        self.other = Device(self.m, bar=0xe0200000)
        # Where a message goes that nobody has given an address.
        self.m.write(0, b"\x5a" * 64)
        self.dev = self.plug()

    def plug(self):
        dev = self.port.add(self.mode, **self.properties)
        dev.use_msix()
        return dev

    def aim(self, vector, function, offset, data):
        """The message of a vector, or of the IOMMU, is a write to configuration space."""
        if vector is None:
            self.iommu.message(self.ecam.at(function, offset), data)
        else:
            self.dev.msix_entry(vector, self.ecam.at(function, offset), data=data)

    def ask(self, channels, last):
        """All have asked for interrupts before one is sent, this one last; with an event."""
        src, dst = self.m.alloc(8192), self.m.alloc(8192)
        # Too much to be done at once.
        for ch in channels:
            ch.post(nop(INT) if ch is last else copy(src, dst, 8192, INT))
        bells = [ch.write_line(HW.CH_DOORBELL, ch.head) for ch in channels if ch is not last]
        self.dev.write(HW.EVENT_VECTOR, COUNT)
        # Of the bottom halves that are scheduled the first runs last.
        bells.insert(0, Channel(self.dev, COUNT).enable().write_line(HW.CH_DOORBELL, 1000))
        self.m.qtest.batch([*bells, MEANWHILE, last.write_line(HW.CH_DOORBELL, last.head),
                            MEANWHILE])

    def quiet(self):
        """Nothing is sent any more, nor was anything to where nothing belongs."""
        with self.m.untouched("after the message"):
            self.m.settle()
        expect(self.m.read(0, 64), b"\x5a" * 64, "memory at 0")
        Channel(self.other, 0).enable().works()
        self.other.write(HW.CONTROL, HW.CONTROL_RESET)

    def works(self):
        """The device is set up anew, and does what it is there for."""
        self.dev.setup()
        device_reset(self.dev, None)
        self.dev.use_msix()
        for index in range(COUNT):
            ch = Channel(self.dev, index).enable()
            ch.works()
            ch.run(nop(INT))
            self.dev.wait_message(index)
        device_reset(self.dev, None)
        self.dev.use_msix()


# --- what a message does: where it goes, how that is seen, and what undoes it --------------

class Unplug:
    """The slot's power goes off, and the device with it."""

    @staticmethod
    def aim(scene, vector):
        scene.aim(vector, scene.port, scene.port.control, POWER_OFF)

    @staticmethod
    def wait(scene):
        scene.m.until(lambda: scene.m.qmp.had("DEVICE_DELETED"), "end of the unplug")

    @staticmethod
    def undo(scene):
        expect(scene.dev.config(0), ONES, "vendor and device in an empty slot")
        scene.port.power(True)
        scene.dev = scene.plug()


class FunctionReset:
    """Device Control of the function: FLR."""

    @staticmethod
    def aim(scene, vector):
        at = scene.dev.capability(CAP_EXPRESS) + 8
        scene.aim(vector, scene.dev, at, scene.dev.config(at, 2) | 1 << 15)

    @staticmethod
    def wait(scene):
        scene.m.until(lambda: not scene.dev.config(COMMAND, 2), "the reset")

    @staticmethod
    def undo(scene):
        pass


class BusReset:
    """Bridge Control of the port: Secondary Bus Reset."""

    @staticmethod
    def aim(scene, vector):
        scene.aim(vector, scene.port, 0x3c, 1 << 22)

    @staticmethod
    def wait(scene):
        scene.m.until(lambda: scene.port.config(0x3e, 2) & 1 << 6, "the reset of the bus")
        expect(scene.dev.config(COMMAND, 2), 0, "PCI command register")

    @staticmethod
    def undo(scene):
        scene.port.change_config(0x3e, 1 << 6, 0)


class MasterOff:
    """Bus Master Enable goes off."""

    @staticmethod
    def aim(scene, vector):
        scene.aim(vector, scene.dev, COMMAND, COMMAND_MEMORY)

    @staticmethod
    def wait(scene):
        scene.m.until(lambda: not scene.dev.config(COMMAND, 2) & COMMAND_MASTER,
                      "Bus Master Enable to be clear")

    @staticmethod
    def undo(scene):
        scene.dev.master(True)


class PowerState:
    """PMCSR: D3hot."""

    @staticmethod
    def register(scene):
        return scene.dev.capability(CAP_PM) + 4

    @classmethod
    def aim(cls, scene, vector):
        scene.aim(vector, scene.dev, cls.register(scene), D3HOT)

    @classmethod
    def wait(cls, scene):
        scene.m.until(lambda: scene.dev.config(cls.register(scene), 2) & 3 == D3HOT, "D3hot")

    @classmethod
    def undo(cls, scene):
        scene.dev.set_config(cls.register(scene), 0, 2)


EFFECTS = {"unplug": Unplug, "flr": FunctionReset, "bus_reset": BusReset,
           "bus_master": MasterOff, "d3hot": PowerState}

EACH = {f"{name}.{effect}": (mode, EFFECTS[effect]) for name, mode in MODES.items()
        for effect in EFFECTS}


@each("mode, effect", EACH)
def test_alone(bench, mode, effect):
    """A message may end the function that sends it, or stop it: the machine goes on."""
    scene = Scene(bench, mode)
    for _ in range(2):
        ch = Channel(scene.dev, 0).enable()
        effect.aim(scene, 0)
        ch.submit(nop(INT))
        effect.wait(scene)
        scene.quiet()
        effect.undo(scene)
        scene.works()


@each("mode, effect", EACH)
def test_with_others(bench, mode, effect):
    """The same while messages of other channels wait: these are not sent after it.

    What leads to D3hot is complete when they are sent.
    """
    scene = Scene(bench, mode)
    came = 0
    # Whatever the order is, one of these is not the last.
    for index in (0, COUNT - 1):
        channels = [Channel(scene.dev, n).enable() for n in range(COUNT)]
        others = [n for n in range(COUNT) if n != index]
        effect.aim(scene, index)
        scene.ask(channels, channels[index])
        effect.wait(scene)
        scene.quiet()
        came += sum(scene.dev.took(n) for n in others)
        effect.undo(scene)
        scene.works()
    if mode is SYNC and effect is not PowerState:
        require(came < 2 * len(others), "messages were sent that the function could not send")


def test_d3hot_keeps_others(bench):
    """Messages that wait when one leads to D3hot are sent in D0."""
    scene = Scene(bench, SYNC)
    for index in (0, COUNT - 1):
        channels = [Channel(scene.dev, n).enable() for n in range(COUNT)]
        PowerState.aim(scene, index)
        scene.ask(channels, channels[index])
        PowerState.wait(scene)
        PowerState.undo(scene)
        for n in range(COUNT):
            if n != index:
                scene.dev.wait_message(n)
        scene.works()


# What sends an interrupt that was put off: the commands that the CPU gives.
SENDS = {
    "stuck": lambda scene, ch: [ch.write_line(HW.CH_TC_STUCK, HW.STUCK_WORK)],
    "paused": lambda scene, ch: [ch.write_line(HW.CH_CONTROL, HW.CH_CONTROL_ENABLE |
                                               HW.CH_CONTROL_PAUSE)],
    "disabled": lambda scene, ch: [ch.write_line(HW.CH_CONTROL, 0)],
}

# The same from outside.
HOST = {
    "stop": lambda scene: scene.m.qmp.command("stop"),
    "host": lambda scene: scene.m.qmp.call("qom-set", path=PATH, property="stuck[0]", value=1),
}


@each("way, effect", {f"{way}.{effect}": (way, EFFECTS[effect]) for way in [*SENDS, *HOST]
                      for effect in EFFECTS})
def test_put_off(bench, way, effect):
    """A message that was put off does the same when something else has it sent."""
    scene = Scene(bench, ASYNC, engines=1, irq_delay_us=1000)
    ch = Channel(scene.dev, 0, log2=8).enable()
    # The device knows from this one how long a copy takes.
    long_ring(scene.dev, ch)
    ch.wait()
    scene.dev.wait_message(0)
    commands = SENDS[way](scene, ch) if way in SENDS else []
    effect.aim(scene, 0)
    ch.arm(1)
    before = ch.head
    long_ring(scene.dev, ch)
    scene.m.until(lambda: ch.done() > before, "the first copy")
    if commands:
        scene.m.qtest.batch(commands)
    else:
        HOST[way](scene)
    effect.wait(scene)
    if way == "stop":
        scene.m.qmp.command("cont")
    scene.quiet()
    effect.undo(scene)
    scene.works()


# --- a message of the IOMMU -----------------------------------------------------------------

# What is not mapped: where the device is in a turn when it finds that out.
FAULTS = {"fetch": lambda ch, src, dst: ch.ring, "source": lambda ch, src, dst: src,
          "destination": lambda ch, src, dst: dst, "record": lambda ch, src, dst: ch.comp}


@each("mode, fault, effect",
      {f"{name}.{fault}.{effect}": (MODES[name], FAULTS[fault], EFFECTS[effect])
       for name in ("sync", "async") for fault in FAULTS
       for effect in ("unplug", "flr", "bus_master", "d3hot")})
def test_fault(bench, mode, fault, effect):
    """The message of an IOMMU's fault ends the function in the middle of its access."""
    scene = Scene(bench, mode, extra=amd_arguments(bench.qemu))
    scene.iommu = AmdIommu(scene.m, scene.dev)
    for _ in range(2):
        src, dst = scene.m.alloc(8192), scene.m.alloc(8192)
        ch, other = (Channel(scene.dev, n, log2=5) for n in (0, 1))
        for one in (ch, other):
            # Nothing else is on the page.
            one.comp = scene.m.alloc(4096)
            one.enable().post(*[copy(src, dst, 8192, INT)] * 20)
        page = fault(ch, src, dst)
        scene.iommu.unmap(page)
        effect.aim(scene, None)
        scene.m.qtest.batch([one.write_line(HW.CH_DOORBELL, one.head) for one in (other, ch)])
        effect.wait(scene)
        scene.quiet()
        # Nothing was told by a function that could not do so any more.
        expect(ch.done(), 0, "done")
        if page in (src, dst):
            for one in (ch, other):
                expect(str(one.result(0)), str(PENDING), f"status on channel {one.index}")
        scene.iommu.silence()
        scene.iommu.map(page)
        effect.undo(scene)
        scene.works()


@each("level", {"work": HW.STUCK_WORK, "device": HW.STUCK_DEVICE})
def test_fault_stuck(bench, level):
    """A level whose write leads to a fault, and the fault's message to FLR, is gone with it."""
    scene = Scene(bench, ASYNC, extra=amd_arguments(bench.qemu), engines=1)
    scene.iommu = AmdIommu(scene.m, scene.dev)
    src, dst = scene.m.alloc(MIB), scene.m.alloc(MIB)
    command = [f"outl 0xcf8 {scene.dev.select | COMMAND:#x}", "inw 0xcfc"]

    def caught():
        ch = Channel(scene.dev, 0, log2=6)
        # Nothing else is on the page: there the write of the level has it tell its progress.
        ch.comp = scene.m.alloc(4096)
        ch.enable()
        scene.iommu.unmap(ch.comp)
        FunctionReset.aim(scene, None)
        scene.m.write(dst, bytes(MIB))
        ch.submit(*[copy(src, dst, MIB)] * 60)
        scene.m.until(lambda: scene.m.read32(dst) or not scene.dev.config(COMMAND, 2),
                      "the first bytes")
        answers = scene.m.qtest.batch([*command, ch.write_line(HW.CH_TC_STUCK, level), *command])
        FunctionReset.wait(scene)
        scene.quiet()
        scene.iommu.silence()
        scene.iommu.map(ch.comp)
        scene.dev.setup()
        expect(ch.get(HW.CH_TC_STUCK), HW.STUCK_NOT, "CH_TC_STUCK after FLR")
        scene.works()
        # It was the write that led to it.
        return int(answers[1][0], 0) and not int(answers[-1][0], 0)

    scene.m.write(src, b"\1" * MIB)
    scene.m.until(caught, "a write of the level while an engine copies")


@each("control, value, status", {
    "hold": (HW.CH_TC_HOLD, 1, HW.ST_OK),
    "fail": (HW.CH_TC_FAIL, HW.ST_ALIGN << 16 | 1, HW.ST_ALIGN)})
def test_fault_counts_nothing(bench, control, value, status):
    """A descriptor that a fault's message keeps from starting counts once."""
    scene = Scene(bench, SYNC, extra=amd_arguments(bench.qemu))
    scene.iommu = AmdIommu(scene.m, scene.dev)
    src, dst = scene.m.alloc(8192), scene.m.alloc(8192)
    ch = Channel(scene.dev, 0, log2=5)
    ch.comp = scene.m.alloc(4096)
    ch.enable().post(copy(src, dst, 8192, INT))
    ch.set(control, value)
    ch.set(HW.CH_TC_STEP, 1)
    ch.set(HW.CH_TC_FAIL_BYTES, 8192)
    scene.iommu.unmap(src)
    PowerState.aim(scene, None)
    ch.ring_bell()
    PowerState.wait(scene)
    scene.quiet()
    scene.iommu.silence()
    scene.iommu.map(src)
    PowerState.undo(scene)
    ch.wait()
    expect(ch.result(0).status, status, "status")
    expect(ch.get(HW.CH_TC_FAIL) & HW.CH_TC_FAIL_AFTER, 0, "what is left to count")


# --- messages for nothing -------------------------------------------------------------------

def to_be_repeated(scene):
    """Two channels whose interrupts will be followed by one for nothing."""
    for ch in [Channel(scene.dev, n).enable() for n in (0, 1)]:
        ch.set(HW.CH_TC_SPURIOUS, 1)
        ch.run(nop(INT))
        scene.dev.wait_message(ch.index)


@each("effect", EFFECTS)
def test_repeated(bench, effect):
    """One of two messages for nothing ends the function: the other is not sent after it."""
    scene = Scene(bench, SYNC)
    to_be_repeated(scene)
    effect.aim(scene, 0)
    scene.m.clock(200_000)
    effect.wait(scene)
    scene.quiet()
    if effect in (Unplug, FunctionReset, BusReset):
        expect(scene.dev.took(1), 0, "messages after the end")
    effect.undo(scene)
    scene.works()


def test_repeated_to_itself(bench):
    """A message for nothing does not reach the function's own registers."""
    scene = Scene(bench, SYNC)
    to_be_repeated(scene)
    scene.dev.msix_entry(0, scene.dev.bar + HW.TC_GONE, data=HW.TC_GONE_MAGIC)
    scene.m.clock(200_000)
    scene.dev.wait_message(1)
    expect(scene.dev.read(HW.ID), HW.ID_MAGIC, "ID")


# --- a slot of conventional PCI -------------------------------------------------------------

def test_unmasked(bench):
    """A message that a write to configuration space unmasks unplugs the function."""
    m = bench.machine("-device", "pcie-pci-bridge,id=bridge,addr=3", "-device",
                      f"loopdma,id=dma,bus=bridge,addr=1,{SYNC}").connect()
    bridge = Function(m, slot=3)
    registers = 0xe1000000
    bridge.set_config(0x10, registers)
    bridge.set_config(0x18, 0x010100)
    bridge.set_config(0x20, 0xe000e000)
    bridge.change_config(COMMAND, 0, COMMAND_MEMORY | COMMAND_MASTER)
    dev = Device(m, slot=1, bus=1)
    dev.use_msix()
    # SHPC's command: slot 1 off.
    dev.msix_entry(0, registers + 0x14, data=0x010f)
    at = dev.capability(CAP_MSIX) + 2
    dev.change_config(at, 0, 0x4000)
    dev.write(HW.RAISE, 0)
    dev.change_config(at, 0x4000, 0)
    m.until(lambda: m.qmp.had("DEVICE_DELETED"), "end of the unplug")
    expect(dev.config(0), ONES, "vendor and device in an empty slot")


# --- a message that switches messages off ---------------------------------------------------

@each("mode, irq_mode", {f"{name}.{irq_mode}": (mode, irq_mode) for name, mode in MODES.items()
                         for irq_mode in ("msix", "auto")})
def test_switched_off(bench, mode, irq_mode):
    """A message that switches MSI-X off is the last: none goes out by MSI, which is off, too."""
    dev = bench.device(f"channels=32,irq-mode={irq_mode}", mode)
    ecam, m = Ecam(dev.m), dev.m
    m.write(0, b"\x5a" * 64)
    if irq_mode == "auto":
        dev.use_msi(5)
        dev.change_config(dev.capability(CAP_MSI) + 2, 1, 0)
    msi = dev.messages
    at = dev.capability(CAP_MSIX)
    src, dst = m.alloc(8192), m.alloc(8192)
    for first, last in ((0, 31), (31, 0)):
        dev.use_msix()
        dev.msix_entry(0, ecam.at(dev, at), data=0)
        switch = Channel(dev, first, vector=0).enable()
        other = Channel(dev, last, vector=32).enable()
        switch.post(nop(INT))
        other.post(copy(src, dst, 8192, INT))
        m.qtest.batch([other.write_line(HW.CH_DOORBELL, 1), MEANWHILE,
                       switch.write_line(HW.CH_DOORBELL, 1), MEANWHILE])
        m.until(lambda: not dev.config(at + 2, 2) >> 15, "MSI-X to be off")
        switch.wait()
        other.wait()
        with m.untouched("with MSI-X and MSI off"):
            m.settle()
        expect(m.read(0, 64), b"\x5a" * 64, "memory at 0")
        if msi:
            expect(m.read32(msi), 0, "data of an MSI, with MSI off")
        device_reset(dev, None)
        dev.use_msix()
        Channel(dev, 3).enable().run(nop(INT))
        dev.wait_message(3)
        device_reset(dev, None)
