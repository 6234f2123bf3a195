# SPDX-License-Identifier: GPL-2.0-only
"""A QEMU process without a guest: the test is the CPU.

The test speaks the qtest line protocol for registers, ports and memory, and QMP
for what a user would do.  Guest RAM is a memfd that the test maps as well, so
it can watch memory while the device works, and look at 64 MiB at once.
"""

import contextlib
import json
import mmap
import os
import re
import socket
import struct
import subprocess
import time

from lib import common

# No case needs more than a moment.  This only ends one that hangs, so it allows
# for a machine many times slower than any that this was measured on.
HANG = 60.0

# What ThreadSanitizer is not to report: races of QEMU's own, each with a reason.
SUPPRESSIONS = common.ROOT / "scripts" / "configs" / "tsan.supp"

MIB = 1 << 20
GIB = 1 << 30
HIGH = 4 * GIB          # where RAM goes on behind the hole of q35

# The machine's time is in nanoseconds.
US = 1000
MS = 1000 * US


class Failed(Exception):
    """A case has found the device, or QEMU, to be wrong."""


def expect(got, want, what):
    __tracebackhide__ = True
    if got != want:
        def show(value):
            return hex(value) if isinstance(value, int) and value > 9 else value
        raise Failed(f"{what}: {show(got)}, expected {show(want)}")


def require(condition, what):
    __tracebackhide__ = True
    if not condition:
        raise Failed(what)


class Line:
    """A socket to QEMU that carries lines."""

    def __init__(self, sock, name):
        self.sock = sock
        self.name = name
        self.buffer = b""
        sock.settimeout(HANG)

    def send(self, text):
        try:
            self.sock.sendall(text.encode())
        except OSError as e:
            raise Failed(f"QEMU went away ({self.name}: {e})") from None

    def receive(self):
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(1 << 20)
            except TimeoutError:
                raise Failed(f"QEMU hangs: {self.name} silent for {HANG:.0f} s") from None
            except OSError:
                data = b""
            if not data:
                raise Failed(f"QEMU went away ({self.name} closed)")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode().rstrip("\r")


class QTest:
    """The qtest protocol: the CPU's part of the machine."""

    def __init__(self, sock):
        self.line = Line(sock, "qtest")
        self.raised = set()         # inputs of what irq_intercept_in watches

    def batch(self, commands):
        """Sends commands that QEMU takes without a turn of its main loop between."""
        text = "".join(command + "\n" for command in commands)
        self.line.send(text)
        return [self.answer(command) for command in commands]

    def command(self, command):
        return self.batch([command])[0]

    def answer(self, command):
        while True:
            words = self.line.receive().split()
            if words[0] == "OK":
                return words[1:]
            if words[0] != "IRQ":
                raise Failed(f"qtest '{command}': {' '.join(words)}")
            (self.raised.add if words[1] == "raise" else
             self.raised.discard)(int(words[2]))

    def get(self, command, address):
        return int(self.command(f"{command} {address:#x}")[0], 0)

    def put(self, command, address, value):
        self.command(f"{command} {address:#x} {value:#x}")


class Qmp:
    """The monitor."""

    def __init__(self, sock):
        self.line = Line(sock, "QMP")
        self.events = []

    def connect(self):
        require("QMP" in json.loads(self.line.receive()), "QMP has no greeting")
        self.command("qmp_capabilities")

    def answer(self):
        while True:
            message = json.loads(self.line.receive())
            if "event" not in message:
                return message
            self.events.append(message)

    def call(self, name, **arguments):
        self.line.send(json.dumps({"execute": name, "arguments": {
            key.replace("_", "-"): value for key, value in arguments.items()}}) + "\n")
        return self.answer()

    def command(self, name, **arguments):
        message = self.call(name, **arguments)
        if "error" in message:
            raise Failed(f"QMP {name}: {message['error']['desc']}")
        return message["return"]

    def refused(self, name, **arguments):
        """The reason for which a command fails."""
        message = self.call(name, **arguments)
        require("error" in message, f"QMP {name} {arguments} is not refused")
        return message["error"]["desc"]

    def had(self, event):
        """Whether an event has come; it is not reported a second time."""
        self.command("query-status")
        for message in self.events:
            if message["event"] == event:
                self.events.remove(message)
                return True
        return False


def command_line(qemu, log, memory, board):
    return [qemu, "-nodefaults", "-no-user-config", "-display", "none", "-machine",
            f"{board},accel=qtest,memory-backend=ram", "-m", str(memory),
            # Where Debian and Ubuntu have the firmware, which the board wants to find.
            "-L", "/usr/share/qemu", "-L", "/usr/share/seabios",
            "-d", "guest_errors,unimp", "-D", str(log)]


# QEMU's start touches some 10 MiB of heap.  Huge pages halve the CPU time of the start:
# 1219 page faults instead of 3466.  See "Memory Allocation Tunables" in the GNU C library's
# manual.
FEW_FAULTS = "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=33554432"


def environment(report):
    """QEMU's: it starts quickly, and a sanitizer, if it has one, reports into files."""
    # Leaks are not looked for, unless a case knows which: QEMU ends without freeing what it
    # had all its life.  What glib would hand from thread to thread under locks of its own is
    # not seen to be.
    leaks = int(report.name == "leaks")
    return dict(os.environ, GLIBC_TUNABLES=FEW_FAULTS, G_SLICE="always-malloc",
                ASAN_OPTIONS=f"log_path={report}:detect_leaks={leaks}",
                LSAN_OPTIONS="exitcode=0",
                UBSAN_OPTIONS=f"log_path={report}:print_stacktrace=1",
                TSAN_OPTIONS=f"log_path={report}:suppressions={SUPPRESSIONS}:history_size=7:"
                "second_deadlock_stack=1")


class Machine:
    """A machine with a memory of so many MiB, and the arguments given.

    With `leaks` the case is told of memory that is lost, see lost().
    """

    def __init__(self, qemu, directory, arguments=(), memory=64, board="q35", leaks=False):
        directory.mkdir(parents=True)
        self.log = directory / "qemu.log"
        self.errors = directory / "stderr"
        self.report = directory / ("leaks" if leaks else "sanitizer")
        self.size = memory * MIB
        self.low = 2 * GIB if self.size >= 0xb0000000 else self.size
        self.next = MIB
        self.next_high = HIGH
        self.command = [*command_line(qemu, self.log, memory, board), *arguments]
        self.process = self.ram = self.qtest = self.qmp = None
        self.gone = False           # it has ended, and was meant to

    def start(self):
        """Starts QEMU; it may end at once, if it does not like its arguments."""
        fd = os.memfd_create("loopdma-qtest")
        os.ftruncate(fd, self.size)
        self.ram = mmap.mmap(fd, self.size)
        cpu, its_cpu = socket.socketpair()
        monitor, its_monitor = socket.socketpair()
        self.qtest = QTest(cpu)
        self.qmp = Qmp(monitor)
        with its_cpu, its_monitor, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [*common.MORTAL, *self.command, "-object", "memory-backend-file,id=ram,share=on,"
                 f"size={self.size},mem-path=/proc/self/fd/{fd}", "-qtest", "stdio",
                 "-qtest-log", "none", "-chardev", f"socket,id=qmp,fd={its_monitor.fileno()}",
                 "-mon", "chardev=qmp,mode=control"], stdin=its_cpu, stdout=its_cpu,
                stderr=errors, pass_fds=[fd, its_monitor.fileno()],
                env=environment(self.report))
        os.close(fd)
        return self

    def connect(self):
        self.qmp.connect()
        return self

    # --- its end ---

    def quit(self):
        """Ends QEMU as a user would, which takes all devices down."""
        self.qmp.line.send('{"execute": "quit"}\n')
        try:
            status = self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            raise Failed("QEMU hangs: does not quit") from None
        expect(status, 0, "exit status of QEMU")

    def refuses(self):
        """QEMU must end by itself with an error; returns what it says."""
        try:
            status = self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            raise Failed("QEMU goes on, instead of refusing") from None
        expect(status, 1, "exit status of QEMU")
        self.gone = True
        return self.errors.read_text(encoding="utf-8", errors="replace")

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            for line in (self.qtest.line, self.qmp.line):
                line.sock.close()
            self.ram.close()

    def lost(self, whose):
        """What LeakSanitizer has found of somebody's, if QEMU was built with it and has ended."""
        text = "".join(path.read_text(encoding="utf-8", errors="replace")
                       for path in self.log.parent.glob("leaks.*"))
        require(not re.search("ERROR: AddressSanitizer|runtime error:|WARNING: Thread", text), text)
        return [part for part in text.split("\n\n") if " leak of " in part and whose in part]

    def obituary(self):
        """What QEMU's end says, if it has ended by itself, and not well."""
        try:
            status = self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            return ""
        if status < 0:
            return f"QEMU was ended by signal {-status}"
        return f"QEMU exited with status {status}" if status else ""

    # --- time ---

    def turn(self):
        """Lets QEMU's main loop turn, at least once."""
        self.qtest.command("inb 0x80")

    def idle(self):
        """Whether no loopdma device goes on by itself."""
        paths = [f"/machine/{where}/{one['name']}"
                 for where in ("peripheral", "peripheral-anon")
                 for one in self.qmp.command("qom-list", path=f"/machine/{where}")
                 if one["type"] == "child<loopdma>"]
        return all(self.qmp.command("qom-get", path=path, property="idle") for path in paths)

    def settle(self):
        """Waits until what is to happen by itself has happened, interrupts included."""
        self.until(self.idle, "idle devices")
        # What QEMU has told of interrupt lines until now is read.
        self.turn()

    def until(self, condition, what):
        """Waits for something that must happen."""
        end = time.monotonic() + HANG
        while not condition():
            require(time.monotonic() < end, f"{what}: not within {HANG:.0f} s")
            self.turn()

    def clock(self, ns):
        """Lets so much time go by for the machine."""
        # No time at all is refused since QEMU 8.
        if ns:
            self.qtest.command(f"clock_step {ns}")

    def next_timer(self):
        """Lets it go by until a timer is due, not at all if there is none."""
        return int(self.qtest.command("clock_step")[0])

    # --- memory ---

    def alloc(self, size, align=4096, high=False):
        """Memory that no other part of the case uses."""
        base = self.next_high if high else self.next
        base += -base % align
        if high:
            self.next_high = base + size
            require(self.next_high - HIGH <= self.size - self.low, "out of high memory")
        else:
            self.next = base + size
            require(self.next <= self.low, "out of memory")
        return base

    def offset(self, address):
        return address - HIGH + self.low if address >= HIGH else address

    def read(self, address, size):
        start = self.offset(address)
        return self.ram[start:start + size]

    def write(self, address, data):
        start = self.offset(address)
        self.ram[start:start + len(data)] = data

    def read32(self, address):
        return struct.unpack("<I", self.read(address, 4))[0]

    def write32(self, address, value):
        self.write(address, struct.pack("<I", value & 0xffffffff))

    def buffer(self, data, **where):
        """Memory with data in it; returns its address."""
        address = self.alloc(len(data), **where)
        self.write(address, data)
        return address

    @contextlib.contextmanager
    def untouched(self, when):
        """Nobody writes to what was allocated so far."""
        def all_of_it():
            return self.ram[MIB:self.next]

        before = all_of_it()
        yield
        self.settle()
        if all_of_it() != before:
            after = all_of_it()
            at = next(i for i in range(len(before)) if before[i] != after[i])
            raise Failed(f"memory at {MIB + at:#x} was touched {when}")

    # --- guest errors ---

    def complaints(self):
        """What QEMU has logged: guest errors."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines() \
            if self.log.exists() else []
