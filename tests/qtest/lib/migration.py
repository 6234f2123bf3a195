# SPDX-License-Identifier: GPL-2.0-only
"""Migration streams: to be made, loaded, and damaged.

QEMU ends a stream with a description of all that is in it, as JSON, so a field can be
found by its name.
"""

import collections
import json
import os
import re

import pytest

from qtest.lib.pci import Device
from qtest.lib.qemu import MIB, Failed, require
from qtest.lib.suite import SYNC

DESCRIPTION = 0x06      # the section's type
# Bytes per second of a live migration.
PASS = 8 * MIB
SECTION = "0000:00:04.0/loopdma"

# Why no stream can be loaded, set by conftest.py; "" if one can.
cannot_load = ""


def save(machine, path):
    """Migrates a machine to a file."""
    machine.qmp.command("migrate", uri=f"exec:cat > {path}")
    states = set()

    def through():
        states.add(machine.qmp.command("query-migrate")["status"])
        return states & {"completed", "failed"}

    machine.until(through, "end of the migration")
    require("failed" not in states, "the migration failed")


def loads():
    """Skips a case that is to load a stream where that says nothing."""
    if cannot_load:
        pytest.skip(cannot_load)


def incoming(path):
    loads()
    return ("-incoming", f"exec:cat {path}")


def load(bench, path, like, properties="", state="running", extra=(), **options):
    """The device of a machine that begins with a stream; `like` is the one it is from."""
    machine = bench.boot(properties, extra=(*incoming(path), *extra), **options).connect()
    return arrived(machine, like, state)


def arrived(machine, like, state="running"):
    machine.until(lambda: machine.qmp.command("query-status")["status"] == state,
                  f"the migrated machine to be {state}")
    machine.next = like.m.next
    other = Device(machine, fresh=False)
    other.messages = like.messages
    return other


def live(bench, dev, work, passes=4, **options):
    """Migrates a machine that works meanwhile; the device in the other machine.

    All memory goes over, and then, again and again, what was written meanwhile; after so
    many passes, of which `work` is called in each, the rest follows, with the machine stopped.
    What the test itself writes into memory in between is lost.
    """
    path = bench.directory / f"live{len(bench.machines)}"
    os.mkfifo(path)
    machine = bench.boot(extra=incoming(path), **options).connect()
    source = dev.m.qmp
    # A pass may not be over before anything was written.
    source.command("migrate-set-parameters", max_bandwidth=PASS, downtime_limit=1)
    # Nor may it end amid `work`, which the device would know of here, and not there: on a
    # slow host it does not wait to be let.
    source.command("migrate-set-capabilities", capabilities=[
        {"capability": "pause-before-switchover", "state": True}])
    source.command("migrate", uri=f"exec:cat > {path}")

    def status():
        return source.command("query-migrate")["status"]

    while (said := source.command("query-migrate")).get("ram", {}).get(
            "dirty-sync-count", 0) < passes and said["status"] != "pre-switchover":
        require(said["status"] in ("setup", "active"), f"{said['status']} too soon")
        work()
    source.command("migrate-set-parameters", max_bandwidth=1 << 40, downtime_limit=60000)
    dev.m.until(lambda: status() == "pre-switchover", "a machine that stands still")
    source.command("migrate-continue", state="pre-switchover")
    dev.m.until(lambda: status() == "completed", "end of the migration")
    return arrived(machine, dev)


def refusal(machine):
    """A machine must not take the stream that it begins with; returns what it says."""
    try:
        machine.connect()
        machine.until(lambda: machine.qmp.command("query-status")["running"], "an end")
    except Failed:
        return machine.refuses()
    raise Failed("the stream is not refused")


class Snapshots:
    """A disk that keeps what a machine was at."""

    def __init__(self, bench, machine):
        self.m = machine
        self.jobs = 0
        path = f"{bench.directory}/snapshots"
        for kind in ({"driver": "file", "filename": path},
                     {"driver": "qcow2", "file": "file"}):
            self.job("blockdev-create", options={**kind, "size": 512 * MIB})
            machine.qmp.command("blockdev-add", node_name=kind["driver"], **kind)

    def job(self, command, **arguments):
        self.jobs += 1
        name = f"job{self.jobs}"
        self.m.qmp.command(command, job_id=name, **arguments)

        def state():
            return {job["id"]: job for job in self.m.qmp.command("query-jobs")}[name]

        self.m.until(lambda: state()["status"] == "concluded", command)
        require("error" not in state(), f"{command}: {state().get('error')}")
        self.m.qmp.command("job-dismiss", id=name)

    def save(self):
        self.job("snapshot-save", tag="all", vmstate="qcow2", devices=["qcow2"])

    def load(self):
        """The machine goes on from there when it is told to."""
        loads()
        self.job("snapshot-load", tag="all", vmstate="qcow2", devices=["qcow2"])


# Parts of the device's state, which a field is called without.
PARTS = re.compile(r"\b(?:sched|irq|xfer|periph|desc|tc|cnt)\.")


class Stream:
    """A stream of which the fields of the loopdma device can be changed."""

    def __init__(self, path):
        self.data = bytearray(path.read_bytes())
        device = next(one for one in self.description()["devices"]
                      if one["name"] == SECTION)
        name = bytes([len(SECTION)]) + SECTION.encode()
        self.fields = {}
        # After the name: instance and version.
        self.start = self.data.index(name) + len(name) + 8
        self.end = self.walk(device["fields"], self.start, "")

    def description(self):
        """The last section: its type, its size, JSON up to the end."""
        at = len(self.data)
        while (at := self.data.rfind(DESCRIPTION, 0, at)) >= 0:
            size = int.from_bytes(self.data[at + 1:at + 5], "big")
            if at + 5 + size == len(self.data):
                return json.loads(self.data[at + 5:])
        raise Failed("the stream has no description")

    def walk(self, fields, offset, prefix):
        seen = collections.Counter()
        for field in fields:
            count = field.get("array_len", 1)
            for i in range(count):
                name = prefix + field["name"]
                # Elements that may differ are told one by one.
                if "index" in field or count > 1 or seen[name]:
                    name += f"[{field.get('index', seen[name])}]"
                seen[prefix + field["name"]] += 1
                self.fields[PARTS.sub("", name)] = offset, field["size"]
                if "struct" in field:
                    self.walk_struct(field["struct"], offset, name + ".")
                offset += field["size"]
        return offset

    def walk_struct(self, struct, offset, prefix):
        offset = self.walk(struct["fields"], offset, prefix)
        for part in struct.get("subsections", ()):
            # Behind a mark: its name with the length, its version.
            offset = self.walk_struct(part, offset + 6 + len(part["vmsd_name"]), prefix)
        return offset

    def place(self, name):
        if name not in self.fields:
            raise Failed(f"the stream has no field {name}, only {', '.join(self.fields)}")
        return self.fields[name]

    def get(self, name):
        offset, size = self.place(name)
        return int.from_bytes(self.data[offset:offset + size], "big")

    def set(self, name, value):
        offset, size = self.place(name)
        self.data[offset:offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "big")
        return self

    def cut(self, version, name):
        """Makes it one of an older version, which ended before a field; to be saved then."""
        self.data[self.start - 4:self.start] = version.to_bytes(4, "big")
        del self.data[self.place(name)[0]:self.end]
        return self

    def save(self, path):
        path.write_bytes(self.data)
        return path

# All memory goes through each stream.
MEMORY = 8


def begin(bench, properties="", mode=SYNC, memory=MEMORY, **options):
    return bench.device(properties, mode, memory=memory, **options)


def migrate(bench, dev, memory=MEMORY, **options):
    """The same device in another machine."""
    path = bench.directory / f"stream{len(bench.machines)}"
    save(dev.m, path)
    return load(bench, path, dev, memory=memory, **options)


def receive(bench, name, properties="channels=2"):
    """A machine that begins with a stream, whatever becomes of it."""
    return bench.boot(properties, extra=incoming(bench.directory / name),
                      memory=MEMORY)
