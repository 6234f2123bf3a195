# SPDX-License-Identifier: GPL-2.0-only
"""Boots a guest with a loopdma device, runs a job in it, judges its log.

The guest is a kernel, a BusyBox initramfs made on the spot, and a job: a shell
script.  Its kernel log goes to a file; what the job prints goes to standard
output.
"""

import contextlib
import dataclasses
import functools
import io
import itertools
import os
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from lib import common, kernel, target
from lib.common import Fail

INIT = common.ROOT / "tests" / "guest" / "init"

TSC_KHZ = common.ROOT / "scripts" / "lib" / "tsc_khz.c"

# A job is over in seconds.  This only ends a guest that hangs, so it allows for
# a machine many times slower than any that this was measured on.
HANG = 600

# What is told of a guest that came to nothing of ours.
TOO_EARLY = "before loopdma was loaded; not judged"

# What QEMU says when it dies of a fault of its own: Documentation/qemu-device.rst, "Faults of
# QEMU to know of".
QEMU_FAULT = "iotlb_to_section: Assertion"

# How often a guest that is to be woken up is looked at.
WAKE_TICK = 0.2
# How often a guest that is watched is looked at.
WATCH_TICK = 1


# --- what a kernel log must not contain ---------------------------------------

# The driver's own, of a device that does not do what it should.
DRIVER = (r"loopdma .*(restarting it|does not (start|stop)|not freed|no end of reset|"
          r"no progress|resetting the function|function not reset|gone from the bus)")

COMPLAINTS = re.compile(
    r"BUG:|BUG |WARNING:|KASAN:|UBSAN:|DMA-API:|INFO: (possible|task|rcu|suspicious|"
    r"lockdep|trying)|suspicious RCU|Call Trace|Oops|general protection|Kernel panic|"
    r"Disabling lock debugging|[Ll]ockdep.*(disabled|turned off)|BUG_ON|ODEBUG:|"
    r"refcount_t:|list_(add|del) corruption|nobody cared|rcu: INFO|soft lockup|"
    r"hard LOCKUP|DMAR:.*([Ff]ault|[Ff]ailed|[Ee]rror)|AER:.*(error|Error)|"
    r"segfault at|double fault|stack-protector:|page allocation failure|"
    r"Module has invalid|disagrees about version|Unknown symbol|scheduling while atomic|"
    r"[Nn]o irq handler for vector|swiotlb buffer is full|Flags mismatch irq|"
    r"kobject_add_internal failed|does not have a release\(\) function|" + DRIVER)

# Lines that look like a complaint and are none, with the reason.
HARMLESS = [
    (r"DMA-API: preallocated \d+ debug entries", "its memory, said at every boot"),
    (r"DMA-API: debugging enabled by kernel config", "what we asked for"),
]

# Bits of /proc/sys/kernel/tainted that a test guest may have.
TAINT = {"out-of-tree module": 1 << 12, "unsigned module": 1 << 13}
TAINT_TEST = 1 << 18    # set by a KUnit suite that runs


def complaints(log, allowed=()):
    """Lines of a kernel log that say that something went wrong.

    `allowed` has pairs of a pattern and the reason why it is expected.
    """
    harmless = re.compile("|".join(f"(?:{pattern})" for pattern, _ in
                                   [*HARMLESS, *allowed]))
    return [line for line in log.splitlines()
            if COMPLAINTS.search(line) and not harmless.search(line)]


# Races within functions that a module calls, for which it is not to blame, with the reason.
KERNELS_OWN = {
    "hrtimer_wakeup / usleep_range_state": "the sleeper is on the stack of usleep_range()",
    "move_linked_works / queue_work_on": "the bits of a work item are the workqueue's",
}


def races_of_others(log):
    """A log without KCSAN's reports of the kernel's own, and how many those are.

    A report is about two accesses, or one and nobody knows whom with.  It is ours if
    one of them is made by a module, or by a function that a module has called, unless
    KERNELS_OWN has it.
    """
    kept, report, others = [], None, 0
    for line in log.splitlines():
        if report is None and "BUG: KCSAN: " not in line:
            kept.append(line)
            continue
        report = [*(report or ()), line]
        if not line.endswith("=" * 20):
            continue
        text = "\n".join(report)
        # Below each: who, called by whom.
        accesses = re.findall(r" to 0x[0-9a-f]+ of \d+ bytes by .*((?:\n.*){2})", text)
        between = report[0].partition(" data-race in ")[2].strip()
        ours = not accesses or any(re.search(r" \[\w+\]$", access, re.MULTILINE)
                                   for access in accesses)
        if ours and between not in KERNELS_OWN:
            kept += report
        else:
            others += 1
        report = None
    return "\n".join([*kept, *(report or ())]), others


# --- initramfs ----------------------------------------------------------------

def fetched(package, program):
    """A program out of a package that is not installed."""
    final = common.cache() / program
    with common.lock(program):
        if not final.exists():
            log = common.new_log(program)
            with common.filling(final) as part:
                kernel.download([package], part, log)
                deb = next(part.glob("*.deb"))
                kernel.unpack(deb, part)
                deb.unlink()
                found = next(p for p in (part / top / program for top in (
                    "bin", "sbin", "usr/bin", "usr/sbin")) if p.exists())
                shutil.copy2(found, part / program)
    return final / program


def busybox():
    """A static BusyBox: as a package it displaces the dynamic one."""
    return fetched("busybox-static", "busybox")


def mdadm():
    """mdadm for the guest: as a package it would look after this machine's arrays."""
    return shared("mdadm", fetched("mdadm", "mdadm"))


def shared(program, path=None):
    """A program and the libraries of this machine that it needs, as guest files."""
    path = path or shutil.which(program, path=os.environ.get("PATH", "") +
                                ":/usr/sbin:/sbin")
    if not path:
        raise Fail(f"{program} is missing: run 'make deps'")
    text = common.run(["ldd", path])
    lacking = re.search(r"(\S+) => not found", text)
    if lacking:
        raise Fail(f"{program} needs {lacking[1]}, which this machine has not: install it")
    libraries = re.findall(r"(?:=> |^\s*)(/\S+) \(0x", text, re.MULTILINE)
    return {f"usr/bin/{program}": Path(path)} | {
        library.lstrip("/"): Path(library) for library in libraries}


PCI_IDS = """\
8086  Intel Corporation
\t29c0  82G33/G31/P35/P31 Express DRAM Controller
\t2918  82801IB (ICH9) LPC Interface Controller
\t2922  82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]
\t2930  82801I (ICH9 Family) SMBus Controller
1af4  Red Hat, Inc.
\t10f0  loopdma virtual DMA engine
C 01  Mass storage controller
\t06  SATA controller
C 06  Bridge
\t00  Host bridge
\t01  ISA bridge
C 08  Generic system peripheral
\t01  DMA controller
\t80  System peripheral
C 0c  Serial bus controller
\t05  SMBus
"""


def lspci():
    """lspci for the guest, with the few names that a guest needs."""
    names = common.BUILD / "guest" / "pci.ids"
    names.parent.mkdir(parents=True, exist_ok=True)
    common.write_atomically(names, PCI_IDS)
    return shared("lspci") | {"usr/share/misc/pci.ids": names}


def modprobe(files):
    """What modprobe in the guest reads about the modules among its files.

    They stay where they are.  The guest puts it into the directory that is named after
    its kernel.
    """
    modules = {}
    for name, content in files.items():
        if name.endswith(".ko"):
            data = content if isinstance(content, bytes) else Path(content).read_bytes()
            modules[target.stem(name)] = "/" + name, target.needs(data)

    def under(name):
        for need in modules[name][1]:
            # What is not here is built in, or the kernel says so when it is loaded.
            if need.replace("-", "_") in modules:
                yield modules[need.replace("-", "_")][0]
                yield from under(need.replace("-", "_"))

    lines = (f"{path}: {' '.join(under(name))}\n" for name, (path, _) in modules.items())
    return {"modules.dep": "".join(lines).encode()}


# In place of man, which takes more than a guest has.
MAN = b"""\
#!/bin/sh
page=/usr/share/man/$1.txt
[ -r "$page" ] && exec more "$page"
echo "man: only loopdmactl has a page here, if groff is installed on the host" >&2
exit 16
"""


def manual():
    """The manual page of loopdmactl for the guest, if this machine can format it."""
    files = {"bin/man": MAN}
    if shutil.which("groff"):
        text = common.run(["groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-o", "-P-u",
                           common.ROOT / "Documentation" / "loopdmactl.1"])
        files["usr/share/man/loopdmactl.txt"] = text.encode()
    return files


# What looks into a kernel, if this machine has it.
TRACERS = ("perf", "bpftrace", "trace-cmd")


def tracers():
    """Those of TRACERS that this machine has, with their libraries."""
    files = {}
    for program in TRACERS:
        path = shutil.which(program)
        if path and Path(path).read_bytes()[:4] == b"\x7fELF":
            with contextlib.suppress(Fail):
                files |= shared(program, path)
    return files


def initramfs(files):
    """A cpio archive of {guest path: host path or bytes}, as bytes."""
    archive = io.BytesIO()
    numbers = iter(range(1, 1 << 16))

    def add(name, mode, data=b"", device=(0, 0)):
        encoded = name.encode() + b"\0"
        fields = [next(numbers), mode, 0, 0, 1, 0, len(data), 0, 0, *device,
                  len(encoded), 0]
        archive.write(b"070701" + b"".join(b"%08x" % field for field in fields))
        for part in (encoded, data):
            archive.write(part)
            archive.write(b"\0" * (-archive.tell() % 4))

    directories = {str(parent) for name in files for parent in Path(name).parents}
    for name in sorted(directories | {"dev"} - {"."}):
        if name != ".":
            add(name, 0o040755)
    # Without it the kernel has nowhere to say that /init failed.
    add("dev/console", 0o020600, device=(5, 1))
    for name, content in files.items():
        data = content if isinstance(content, bytes) else Path(content).read_bytes()
        add(name, 0o100755, data)
    add("TRAILER!!!", 0)
    return archive.getvalue()


# Jobs for guests, and what they include.
JOBS = common.ROOT / "tests" / "guest"


def job_files(*names):
    """A job of tests/guest/, and what it includes, for the guest: {name: file}."""
    return {name: JOBS / name for name in names}


# --- the machine --------------------------------------------------------------

# TCG executes the string instructions element by element, up to 30 times slower
# than the loop of moves that the kernel's memcpy() is without them.  This CPU
# leaves the kernel no reason to use them, so that DMA is compared with the best
# that the guest can do.
TCG_CPU = "qemu64,vendor=GenuineIntel"


def accelerator():
    """KVM where it works.

    Inside a virtual machine without nested virtualisation /dev/kvm can exist
    and open, and a guest then hangs: the CPU's flags tell.
    """
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    if re.search(r"^flags\s*:.*\b(vmx|svm)\b", flags, re.MULTILINE):
        try:
            os.close(os.open("/dev/kvm", os.O_RDWR))
            return "kvm"
        except OSError:
            pass
    return "tcg"


@functools.lru_cache(maxsize=None)
def tsc_khz():
    """The rate of this machine's time stamp counter, which emulated CPUs read.

    0 if it has none, or none that always runs at one rate.
    """
    cpus = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    if not all(re.search(rf"^flags\s*:.*\b{flag}\b", cpus, re.MULTILINE)
               for flag in ("constant_tsc", "nonstop_tsc")):
        return 0
    return int(common.run([common.program(TSC_KHZ)]))


def release(qemu):
    """(10, 2) of a QEMU 10.2.2."""
    return tuple(map(int, common.qemu_version(qemu).split(".")[:2]))


def sends_astray(qemu):
    """Whether emulated CPUs that run side by side may send accesses to the wrong device.

    That is while another CPU changes the memory map: Documentation/qemu-device.rst,
    "Faults of QEMU to know of".
    """
    return (10, 1) <= release(qemu) < (11, 0)


def emulates_x2apic(qemu):
    """Whether an emulated CPU can have its interrupt controller in registers of its own."""
    return release(qemu) >= (9, 0)


def quoted(path):
    """A path as a value among QEMU's options."""
    return str(path).replace(",", ",,")


@dataclasses.dataclass
class Guest:
    """A guest to be booted once."""
    kernel: Path
    job: str
    name: str = "guest"             # of its logs
    files: dict = dataclasses.field(default_factory=dict)
    append: str = ""
    smp: int = 2
    mem: int = 512                  # MiB
    prealloc: bool = False          # touch it all first, for measurements
    emulated: bool = False          # even where KVM works
    iommu: str = "strict"           # or "off"
    swiotlb: bool = False           # force
    device: str = ""                # properties of the device, "channels=8"; None: no device
    more_devices: tuple = ()        # properties of further ones
    other_devices: tuple = ()       # devices that are not ours, as -device has them
    numa: bool = False              # two nodes, a CPU and half of the memory each
    taint: int = 0                  # bits of tainted that the job is to set
    interactive: bool = False
    timeout: float = HANG
    icount: str = ""                # QEMU's -icount: time is instructions; never KVM
    qemu: Path | None = None        # default: the one of this checkout
    debug_kernel: bool = False      # must prove that its checks are on
    kcsan: bool = False             # must prove that it looks for data races
    allowed: tuple = ()             # complaints expected, with the reason
    slot: bool = False              # the device, called "dma", is in a PCIe slot
    map_changes: bool = False       # the device is reset, goes or sleeps under load
    monitor: bool = False           # lines "%% ..." of the job are for QEMU, see Monitor
    disk: int = 0                   # MiB of a virtio disk that is empty at first
    share: Path | None = None       # directory of the host that the guest has as SHARED
    again: str = ""                 # command that runs it again, for people
    reboots: bool = False           # a reset is none of its ends
    watch: object = None            # called with its log now and then; True: it is to end

    @property
    def log(self):
        return common.LOGS / f"{self.name}.log"

    @property
    def results(self):
        return common.LOGS / f"{self.name}.out"

    def own_files(self):
        """What a guest has besides `files`."""
        return {"init": INIT, "bin/busybox": busybox(), "job": self.job.encode()}

    def program(self):
        """The QEMU that runs it."""
        return str(self.qemu or common.qemu())

    def ports(self):
        """The two serial ports, see INIT."""
        # A guest that moves to another QEMU has one log.
        return ["-chardev", f"file,id=console,path={quoted(self.log)},append=on",
                "-serial", "chardev:console",
                "-chardev", "stdio,id=results,signal=off",
                "-serial", "chardev:results"]

    def launch(self, command, **options):
        """Starts QEMU; returns the process, or what behaves like one."""
        return subprocess.Popen(command, **options)

    def command(self, initrd):
        kvm = not (self.emulated or self.icount) and accelerator() == "kvm"
        # Memory on both sides of 4 GiB, without having to have that much of it.  QEMU
        # warns of more than twice as much.
        machine = f"q35,max-ram-below-4g={max(256, (self.mem + 1) // 2)}M"
        if kvm:
            # Interrupt remapping needs the I/O APIC in QEMU under KVM.
            machine += ",accel=kvm,kernel-irqchip=split"
        append = ["console=ttyS0", "panic=-1", "oops=panic",
                  "quiet" if self.interactive else "loglevel=7"]
        if not kvm:
            # An emulated CPU can stand still for seconds on a loaded host, which
            # is neither a dead timer nor a lockup.
            append += ["no_timer_check", "rcupdate.rcu_cpu_stall_timeout=60",
                       "watchdog_thresh=60"]
            # They guard a CPU that speculates.  One that is emulated does not, and
            # pays with its translation caches for every entry of the kernel.
            append += ["mitigations=off"]
            if not self.icount:
                # What a loaded host lets Linux measure at boot is no rate to rely on.  The
                # HPET is slow, but has a known one.  The ACPI timer wraps after 4.7 s: a
                # guest that the host does not run for that long sees time stand still.
                khz = tsc_khz()
                append += [f"tsc_early_khz={khz}", "tsc=reliable"] if khz else \
                    ["tsc=unstable"]
            # While Linux lays out PCI, or patches itself, no other CPU shall run; INIT
            # starts them.  QEMU 10.1 and 10.2 let an access to a device, such as the
            # interrupt controller, go to another one while a CPU changes the memory map.
            # QEMU before 8.1 runs code that was patched.
            append += ["maxcpus=1"]
        devices = []
        cpu, iommu = TCG_CPU, "intel-iommu,intremap=on"
        # With -icount QEMU ends at the first write of such a register: "Bad icount read".
        if not kvm and not self.icount and self.iommu == "strict" and \
                emulates_x2apic(self.program()):
            # No access to a device at each tick: faster, and see maxcpus above.
            cpu, iommu = f"{TCG_CPU},+x2apic", f"{iommu},eim=on"
        if self.iommu == "strict":
            append += ["intel_iommu=on", "iommu.strict=1"]
            devices += ["-device", iommu]
        if self.swiotlb:
            # Linux 7.x counts what is in use only if it is told to; others ignore that.
            append += ["swiotlb=force", "swiotlb=,,,track_hiwater"]
        if self.slot:
            # Faster, the kernel waits after a reset of the bus for a link that is active,
            # which QEMU does not say of a port whose hotplug is ACPI's.
            devices += ["-device", "pcie-root-port,id=rp0,chassis=1,x-speed=2_5",
                        "-device", ",".join(filter(None, ["loopdma,bus=rp0,id=dma",
                                                          self.device]))]
        elif self.device is not None:
            for properties in (self.device, *self.more_devices):
                devices += ["-device", ",".join(filter(None, ["loopdma", properties]))]
        for other in self.other_devices:
            devices += ["-device", other]
        if self.disk:
            devices += ["-blockdev", "file,node-name=disk,filename=" +
                        quoted(initrd.parent / "disk"),
                        "-device", "virtio-blk-pci,drive=disk"]
        if self.share:
            devices += ["-fsdev", f"local,id=share,path={quoted(self.share)},"
                        "security_model=none,multidevs=remap",
                        "-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]
        if self.interactive:
            serial = ["-chardev", "stdio,id=console,mux=on,signal=off",
                      "-mon", "chardev=console", "-serial", "chardev:console"]
        else:
            serial = self.ports()
        memory = ["-m", str(self.mem)]
        for node in range(2) if self.numa else ():
            memory += ["-object", f"memory-backend-ram,id=node{node},size={self.mem // 2}M",
                       "-numa", f"node,nodeid={node},memdev=node{node},cpus={node}"]
        if self.prealloc:
            memory += ["-object", f"memory-backend-ram,id=ram,size={self.mem}M,prealloc=on",
                       "-machine", "memory-backend=ram"]
        if kvm:
            speed = []
        elif self.icount:
            speed = ["-accel", "tcg,thread=single", "-icount", self.icount]
        else:
            in_turn = self.map_changes and sends_astray(self.program())
            speed = ["-accel", f"tcg,thread={'single' if in_turn else 'multi'}"]
        return [self.program(), "-nodefaults", "-no-user-config",
                # What 'top -H' and bench.py call QEMU's threads by.
                "-name", "debug-threads=on",
                "-display", "none", *([] if self.reboots else ["-no-reboot"]),
                "-machine", machine, *speed, "-cpu", "host" if kvm else cpu, "-smp",
                # A socket that is in two nodes is nothing that the kernel believes.
                f"{self.smp}{',sockets=2' if self.numa else ''}", *memory,
                "-kernel", str(self.kernel), "-initrd", str(initrd),
                "-append", " ".join([*append, self.append]).strip(),
                *serial, *devices]


@dataclasses.dataclass
class Outcome:
    """How a guest ended."""
    reason: str         # empty: well
    lines: list         # what the job printed
    log: str            # kernel log
    seconds: float
    place: str = ""     # of the kernel log, as a user would type it
    judged: bool = True     # False: it ended by no fault of ours
    kernel: str = ""    # as uname -r tells it; empty: it never came so far
    qemu: str = ""      # as --version tells it

    @property
    def ok(self):
        return not self.reason

    @property
    def told(self):
        """Why it is not good, and where to look."""
        return self.reason and f"{self.reason} (log: {self.place})"


def prepare(guest):
    """Makes a guest's initramfs; returns its directory and the QEMU command."""
    directory = common.BUILD / "guest" / guest.name
    directory.mkdir(parents=True, exist_ok=True)
    initrd = directory / "initramfs"
    initrd.write_bytes(initramfs({**guest.own_files(), **guest.files}))
    if guest.disk:
        disk = directory / "disk"
        disk.write_bytes(b"")
        os.truncate(disk, guest.disk << 20)
    command = guest.command(initrd)
    # To be run again by hand.
    (directory / "command").write_text(shlex.join(command) + "\n", encoding="utf-8")
    return directory, command


@contextlib.contextmanager
def own_name(name):
    """A name for a guest that no other run uses: NAME, else NAME-2 and so on.

    To wait for the other run would be to wait for a person who has a shell.
    """
    for number in itertools.count(1):
        free = name if number == 1 else f"{name}-{number}"
        path = common.cache() / "locks" / f"guest-{free}-{common.digest(common.ROOT)}.own.lock"
        with open(path, "w", encoding="ascii") as f:
            if common.try_lock(f):
                yield free
                return


def interact(guest):
    """Hands the terminal to a guest until it ends; returns QEMU's status."""
    guest.interactive = True
    guest.files = guest.files | {"interactive": b""}
    _, command = prepare(guest)
    return subprocess.run([*common.MORTAL, *command], check=False).returncode


def run(guest, on_line=None):
    """Boots a guest, waits for its end, judges it.

    on_line is called with each line the job prints, as it comes.
    """
    # Two guests of one name would write to the same logs.
    with common.lock(f"guest-{guest.name}-{common.digest(common.ROOT)}"):
        return run_alone(guest, on_line)


class Monitor:
    """QEMU's human monitor, for a job that asks for something.

    %% hmp COMMAND     now
    %% still COMMAND   while no CPU runs: what changes the memory map from outside the
                       CPUs, see "Faults of QEMU to know of" in qemu-device.rst
    %% wake COMMAND    when the guest has gone to sleep: in ACPI's S3, of which QEMU
                       knows; or idle, of which the kernel says so with pm_debug_messages
    """
    def __init__(self, log, kernel_log):
        self.socket, self.theirs = socket.socketpair()
        self.arguments = ["-chardev", f"socket,id=monitor,fd={self.theirs.fileno()}",
                          "-mon", "chardev=monitor"]
        self.log = log
        # What says that the guest sleeps, and how far each log was read.
        self.asleep = {kernel_log: b"PM: suspend-to-idle", log: b"paused (suspended)"}
        self.read = dict.fromkeys(self.asleep, 0)

    def started(self):
        """QEMU has its end; what it says goes to the log."""
        self.theirs.close()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with open(self.log, "wb") as log:
            while said := self.socket.recv(4096):
                log.write(said)
                log.flush()

    def command(self, command):
        self.socket.sendall(command.encode() + b"\n")

    def sleeps(self):
        for path, text in self.asleep.items():
            found = path.read_bytes().find(text, self.read[path])
            if found >= 0:
                self.read[path] = found + len(text)
                return True
        return False

    def wake(self, command):
        try:
            while not self.sleeps():
                self.command("info status")
                time.sleep(WAKE_TICK)
            self.command(command)
        except OSError:     # QEMU has ended
            pass

    def ask(self, line):
        if line.startswith("%% hmp "):
            self.command(line[7:])
        elif line.startswith("%% still "):
            self.command(f"stop\n{line[9:]}\ncont")
        elif line.startswith("%% wake "):
            threading.Thread(target=self.wake, args=(line[8:],), daemon=True).start()


def watch(guest, qemu):
    """Ends a guest when whoever watches its log says so."""
    while qemu.poll() is None:
        time.sleep(WATCH_TICK)
        if guest.watch(guest.log.read_text(encoding="utf-8", errors="replace")):
            qemu.kill()


def run_alone(guest, on_line):
    common.LOGS.mkdir(parents=True, exist_ok=True)
    for path in (guest.log, guest.results):
        path.write_text("", encoding="utf-8")
    directory, command = prepare(guest)
    errors = directory / "qemu.err"
    start = time.monotonic()
    hung = threading.Event()
    lines = []
    monitor = Monitor(directory / "monitor.log", guest.log) if guest.monitor else None
    if monitor:
        command += monitor.arguments
    with open(errors, "w", encoding="utf-8") as err, \
            open(guest.results, "w", encoding="utf-8") as results:
        qemu = guest.launch([*common.MORTAL, *command], stdin=subprocess.DEVNULL, stderr=err,
                            stdout=subprocess.PIPE, encoding="utf-8", errors="replace",
                            pass_fds=[monitor.theirs.fileno()] if monitor else [])
        if monitor:
            monitor.started()

        def end():
            hung.set()
            qemu.kill()

        timer = threading.Timer(guest.timeout, end)
        timer.start()
        if guest.watch:
            threading.Thread(target=watch, args=(guest, qemu), daemon=True).start()
        try:
            for line in qemu.stdout:
                line = line.rstrip("\r\n")
                results.write(line + "\n")
                lines.append(line)
                if monitor:
                    monitor.ask(line)
                if on_line and not line.startswith("@@ "):
                    on_line(line)
            status = qemu.wait()
        finally:
            timer.cancel()
            if qemu.poll() is None:
                qemu.kill()
                qemu.wait()
    log = guest.log.read_text(encoding="utf-8", errors="replace")
    reason, judged = judge(guest, lines, log, status, hung.is_set(),
                           errors.read_text(encoding="utf-8", errors="replace"))
    return Outcome(reason, [l for l in lines if not l.startswith("@@ ")], log,
                   time.monotonic() - start, common.relative(guest.log), judged,
                   facts_in(lines).get("start", ""), common.qemu_version(command[0]))


def facts_in(lines):
    """What /init said about the guest at the end of its run."""
    return dict(line[3:].partition(" ")[::2] for line in lines if line.startswith("@@ "))


def died_early(guest, facts, log, found):
    """Whether a guest that has ended never came to what it was to test.

    Either its kernel died, or was reset, before /init had a word, or it died before it was
    told to load the driver, which leaves a line in its log.
    """
    if "start" not in facts:
        return True
    told = re.sub(r"Kernel command line:.*", "", log)
    return bool(found) and guest.device is not None and "loopdma" not in told


def judge(guest, lines, log, status, hung, errors):
    """Why a guest's run is not good, in one line, empty if it is; and whether that says
    anything of loopdma."""
    facts = facts_in(lines)
    found = complaints(races_of_others(log)[0] if guest.kcsan else log, guest.allowed)
    first = f": {found[0].strip()}" if found else ""
    if hung:
        early = "start" not in facts
        before = f" {TOO_EARLY}" if early else ""
        return f"guest hangs{before}, ended after {guest.timeout:.0f} s{first}", not early
    if status < 0 and QEMU_FAULT in errors:
        return f"QEMU crashed by a fault of its own, {QEMU_FAULT}; not judged", False
    if status < 0:
        return f"QEMU crashed, signal {-status}", True
    if status > 0:
        return f"QEMU failed, status {status}: {common.reason_in(errors)}", True
    if "exit" not in facts and died_early(guest, facts, log, found):
        again = guest.again or \
            f"sh {common.relative(common.BUILD / 'guest' / guest.name / 'command')}"
        return f"the guest's kernel died {TOO_EARLY}{first}; try again: {again}", False
    return complaint(guest, lines, log, facts, found), True


def complaint(guest, lines, log, facts, found):
    """Why a guest that QEMU has run to its end is not good, empty if it is."""
    first = f": {found[0].strip()}" if found else ""
    if "Kernel panic" in log:
        return f"guest panic{first}"
    if "exit" not in facts:
        return f"guest ended before its job{first}"
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return f"kernel log{first}{more}"
    allowed = sum(TAINT.values()) | guest.taint | (TAINT_TEST if guest.debug_kernel else 0)
    if int(facts["taint"]) & ~allowed:
        return f"kernel tainted: {facts['taint']}"
    if facts.get("dma-api-errors", "0") != "0":
        return f"DMA API: {facts['dma-api-errors']} errors"
    if guest.debug_kernel:
        if facts.get("debug-locks") != "1":
            return "lockdep is off at the end of the run"
        if facts.get("dma-api-disabled") != "N":
            return "the check of the DMA API is off at the end of the run"
        if "KernelAddressSanitizer initialized" not in log:
            return "KASAN is not on"
    if guest.kcsan and ("kcsan: enabled early" not in log or facts.get("kcsan") != "1"):
        return "KCSAN is not on"
    if facts["exit"] != "0":
        said = [line for line in lines if line.strip() and not line.startswith("@@ ")]
        return f"job failed, status {facts['exit']}: {said[-1] if said else 'silent'}"
    return ""


def module_files(top):
    """The modules below a directory, as guest files /NAME.ko."""
    return {path.name: path for path in sorted(Path(top).rglob("*.ko"))}
