# SPDX-License-Identifier: GPL-2.0-only
"""A guest that is busy moves from one QEMU to the next, again and again, and goes on.

  live    over a socket, while it works
  file    into a file, and out of it in another QEMU, as a snapshot

Of each there are guests in which dmatest, and a client that does everything
(tests/clients/soak/), keep all channels busy, and one that has no loopdma device, and is busy
with other things.  A fault that the latter has, too, is QEMU's.  The job is
tests/guest/migrate.
"""

import contextlib
import dataclasses
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lib import common, guest, kernel, needs, stock
from lib.case import told_by
from lib.common import Fail
from lib.lane import Task, parameter

WAYS = ("live", "file")

# What the guest is busy with; the last without a device.
LOADS = ("dmatest", "soak", "kernel")

ROUNDS = parameter("migrate.rounds", 5, "moves of each guest")

# What an emulated guest takes for a round, several times over, in seconds.
ROUND = 30.0

# How often a migration is looked at, in seconds.
TICK = 0.1


class Gone(Exception):
    """A QEMU has ended before it was told to."""

    def __init__(self, qemu):
        super().__init__()
        self.qemu = qemu


class Qemu(subprocess.Popen):
    """A QEMU that a guest moves from or to, which is told so by QMP."""

    def __init__(self, command, options):
        self.socket, theirs = socket.socketpair()
        with theirs:
            super().__init__(
                [*command, "-chardev", f"socket,id=qmp,fd={theirs.fileno()}",
                 "-mon", "chardev=qmp,mode=control"],
                **options | {"stdin": subprocess.PIPE, "pass_fds": [theirs.fileno()]})
        self.said = self.socket.makefile(encoding="utf-8")
        self.ask("qmp_capabilities")

    def ask(self, name, **arguments):
        # If it has ended there is no answer, either.
        with contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(
                {"execute": name, "arguments": arguments, "id": name}).encode())

    def command(self, name, **arguments):
        self.ask(name, **arguments)
        # If it has been killed the answer ends with an error.
        with contextlib.suppress(ConnectionError):
            for line in self.said:
                answer = json.loads(line)
                if answer.get("id") != name:    # an event, or of what nobody waited for
                    continue
                if "error" in answer:
                    raise Fail(f"QEMU refuses '{name}': {answer['error']['desc']}")
                return answer["return"]
        raise Gone(self)

    def until(self, query, *states):
        while (said := self.command(query))["status"] not in states:
            time.sleep(TICK)
        return said

    def send(self, uri):
        """Sends its guest away; returns figures."""
        self.command("migrate", uri=uri)
        said = self.until("query-migrate", "completed", "failed")
        if said["status"] == "failed":
            raise Fail(f"the guest is not moved: {said.get('error-desc', 'no reason given')}")
        return said


class Chain:
    """The QEMUs that a guest is in, one after the other.  Behaves like one process.

    The guest is silent while it moves, so no line begins in one of them and ends in another.
    """

    def __init__(self, command, options):
        self.arguments, self.options = command, options
        self.alive, self.killed = [], False
        self.here = self.begin()

    def begin(self, *more):
        qemu = Qemu([*self.arguments, *more], self.options)
        self.alive.append(qemu)
        if self.killed:     # meanwhile
            qemu.kill()
        return qemu

    def receiver(self, uri):
        qemu = self.begin("-incoming", "defer")
        qemu.command("migrate-incoming", uri=uri)
        return qemu

    def live(self, directory):
        uri = f"unix:{directory}/socket"
        there = self.receiver(uri)
        figures = self.here.send(uri)
        self.here = there
        there.until("query-status", "running")
        return figures

    def file(self, directory):
        uri = f"file:{directory}/state"
        self.here.command("stop")
        figures = self.here.send(uri)
        self.here = self.receiver(uri)
        self.here.until("query-status", "paused")
        self.here.command("cont")
        return figures

    def end_others(self):
        for qemu in self.alive:
            if qemu is not self.here:
                qemu.kill()
                qemu.wait()
        self.alive = [self.here]

    def move(self, way):
        """Moves the guest and tells it so.  If a QEMU ends, that one's end is the guest's."""
        try:
            # A path to a socket must be short.
            with tempfile.TemporaryDirectory(prefix="loopdma-") as directory:
                figures = getattr(self, way)(directory)
            common.say(f"  {way}: {figures['ram']['transferred'] >> 20} MiB, "
                       f"{figures['ram']['dirty-sync-count']} passes, "
                       f"{figures['total-time']} ms, stood still {figures['downtime']} ms")
        except Gone as e:
            self.here = e.qemu
            return
        except Fail as e:
            errors = Path(self.options["stderr"].name).read_text(encoding="utf-8")
            raise Fail(f"{e}; QEMU says: {common.reason_in(errors)}") from None
        finally:
            self.end_others()
        # If it has ended meanwhile, who waits for it will see.
        with contextlib.suppress(BrokenPipeError):
            print("moved", file=self.here.stdin, flush=True)

    # --- what guest.run() does with a process ---

    @property
    def stdout(self):
        qemu = None
        while qemu is not self.here:
            qemu = self.here
            yield from qemu.stdout

    def wait(self):
        return self.here.wait()

    def poll(self):
        return self.here.poll()

    def kill(self):
        self.killed = True
        for qemu in self.alive:
            qemu.kill()


@dataclasses.dataclass
class Moving(guest.Guest):
    """A guest that is moved when its job says "%% move WAY"."""
    chain: Chain | None = None

    def launch(self, command, **options):
        self.chain = Chain(command, options)
        return self.chain

    def on_line(self, line):
        if line.startswith("%% move "):
            self.chain.move(line[8:])


def run(cell, way, load):
    one = Moving(
        kernel=kernel.image(cell), name=f"migrate-{cell.name}-{way}-{load}",
        files=stock.files_with_dmatest(cell) | guest.job_files(
            "migrate", "steps", "dmatest_done"),
        job=f"sh /migrate {way} {ROUNDS.value} {load} || exit\n",
        device=None if load == "kernel" else "",
        # QEMU changes the memory map when it begins, and ends, to note what is written.
        map_changes=True, timeout=guest.HANG + ROUND * ROUNDS.value)
    return told_by(cell.name, guest.run(one, one.on_line))


def tasks():
    return [Task(f"{cell.name} {way} {load}",
                 lambda one=(cell, way, load): run(*one), (needs.stock_guests,), full=True)
            for cell in stock.both_ends() for way in WAYS for load in LOADS]
