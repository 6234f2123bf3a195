# SPDX-License-Identifier: GPL-2.0-only
"""What a case is, and how one is run.

A case is a function whose docstring names the rule of Documentation/hardware.rst,
or of Documentation/qemu-device.rst, that it checks.  @case gives it the device
of a machine that was started for it; @bare gives it a Bench to start machines
with as it likes.
"""

import dataclasses
import re
import shutil
import traceback
from typing import Callable

import common
from qtest.pci import SLOT, Device
from qtest.qemu import Failed, Machine

CASES = {}

# Execution in the main loop: the same in every run.
SYNC = "sync=on,test-controls=on"

# In engines all of it; or what is small in the doorbell, as it is by default.
ASYNC = "sync=off,test-controls=on,at-once-bytes=0"
ATONCE = "sync=off,test-controls=on"


@dataclasses.dataclass
class Case:
    """A case, its name, and what it needs."""
    name: str
    function: Callable
    arguments: tuple
    started: bool
    options: dict

    @property
    def rule(self):
        return " ".join((self.function.__doc__ or "").split())

    @property
    def threaded(self):
        """Whether a device has engines in it, or may have for all that is known before."""
        if self.started:
            return self.options.get("mode", SYNC) != SYNC
        return SYNC not in self.arguments or ASYNC in self.arguments or \
            ATONCE in self.arguments


class Bench:
    """Starts machines for a case and ends them with it."""

    def __init__(self, qemu, directory):
        self.qemu = qemu
        self.directory = directory
        self.machines = []

    def machine(self, *arguments, **options):
        path = self.directory / str(len(self.machines))
        machine = Machine(self.qemu, path, arguments, **options)
        self.machines.append(machine)
        return machine.start()

    def boot(self, properties="", mode=SYNC, extra=(), **options):
        """A machine with a loopdma device."""
        device = ",".join(filter(None, [f"loopdma,id=dma,addr={SLOT:#x}", mode, properties]))
        return self.machine(*extra, "-device", device, **options)

    def device(self, *arguments, **options):
        """The same, set up; returns the device."""
        return Device(self.boot(*arguments, **options).connect())

    def quit(self):
        for machine in self.machines:
            if not machine.gone:
                machine.quit()

    def kill(self):
        for machine in self.machines:
            machine.kill()

    def reports(self):
        """What a sanitizer has found, if QEMU was built with one: text, by file."""
        return {path: path.read_text(encoding="utf-8", errors="replace")
                for path in sorted(self.directory.rglob("sanitizer.*"))}

    def story(self):
        """What QEMU said, for somebody who looks for the reason of a failure."""
        lines = []
        for path in sorted(self.directory.rglob("*")):
            if path.is_file() and path.name in ("stderr", "qemu.log"):
                text = path.read_text(encoding="utf-8", errors="replace")
                lines += [f"{path.parent.name}/{path.name}: {line}"
                          for line in text.splitlines()[-20:]]
        return lines


def register(function, name, arguments, started, options):
    if name in CASES:
        raise ValueError(f"two cases are called {name}")
    CASES[name] = Case(name, function, arguments, started, options)


def group(function):
    return function.__module__.rpartition(".cases_")[2]


def case(properties="", **options):
    """A case on a device with these properties."""
    def decorate(function):
        register(function, f"{group(function)}.{function.__name__}", (), True,
                 {"properties": properties, **options})
        return function
    return decorate


def each(values, properties="", **options):
    """A case for each of {name: arguments}, all on a device with these properties."""
    def decorate(function):
        for name, arguments in values.items():
            register(function, f"{group(function)}.{function.__name__}.{name}",
                     arguments if isinstance(arguments, tuple) else (arguments,), True,
                     {"properties": properties, **options})
        return function
    return decorate


def bare(function):
    """A case that starts its machines itself."""
    register(function, f"{group(function)}.{function.__name__}", (), False, {})
    return function


def bare_each(values):
    """As bare, for each of {name: arguments}."""
    def decorate(function):
        for name, arguments in values.items():
            register(function, f"{group(function)}.{function.__name__}.{name}",
                     arguments if isinstance(arguments, tuple) else (arguments,), False, {})
        return function
    return decorate


# What AddressSanitizer says of coroutines, of which QEMU tells it.
NOTICE = "ASan doesn't fully support makecontext/swapcontext functions"


def complaints(reports):
    """Why reports of a sanitizer make a case fail, line by line: each kind once."""
    said = {}
    for path, text in reports.items():
        for line in re.findall(r"^SUMMARY: .*|.*runtime error: .*", text, re.MULTILINE):
            said.setdefault(line, f"{line} ({common.relative(path)})")
        others = [line for line in text.splitlines() if line.strip() and NOTICE not in line]
        if others and not said:
            said[path] = f"{others[0]} ({common.relative(path)})"
    return list(said.values())


def run(one, qemu, directory):
    """Runs a case; returns why it failed, line by line, nothing if it did not."""
    directory = directory / one.name
    shutil.rmtree(directory, ignore_errors=True)
    bench = Bench(qemu, directory)
    try:
        if one.started:
            one.function(bench.device(**one.options), *one.arguments)
        else:
            one.function(bench, *one.arguments)
        bench.quit()
        reason = []
    except Failed as e:
        reason = [str(e), *(said for machine in bench.machines
                            if (said := machine.obituary()))]
    except Exception:       # a bug of the case must not hide the others' results
        reason = traceback.format_exc().splitlines()
    finally:
        bench.kill()
    reason += complaints(bench.reports())
    if reason:
        return [*reason, *bench.story()]
    shutil.rmtree(directory, ignore_errors=True)
    return []
