#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks the style of every file with the tools of the project it resembles.

checkpatch --strict and kernel-doc of the kernel for what could be in a kernel,
QEMU's checkpatch for the device, shellcheck and Python's compiler for scripts, groff
for manual pages;
licences everywhere; and nothing committed that a build makes.
"""

import argparse
import ast
import fnmatch
import re
import sys

from lib import common, kernel
from lib.common import Fail

KERNEL = ["include/*", "drivers/*", "tests/kunit/*", "tests/conformance/*", "tests/clients/*",
          "scripts/lib/*.c", "tests/guest/*.c", "Kbuild"]
# User-space programs are in the kernel's style too, but not for its headers.
KERNEL_C = [f"{top}/{name}" for top in ("include", "drivers", "tests/kunit", "tests/conformance")
            for name in ("*.c", "*.h")] + ["tests/clients/*/loopdma_*.c", "tests/clients/*.h"]
QEMU = ["qemu-device/*.c", "qemu-device/*.h", "tests/fuzz/*.c"]
# Texts and data that carry no licence line of their own.
NO_SPDX = ["LICENSE*", "*.md", "*.rst", ".gitignore", "*.svg", "*.png",
           "*.kunitconfig", "*.patch", "qemu-device/trace-events",
           "Documentation/ABI/*", "tests/fuzz/corpus/*", "scripts/lanes/times.json"]
PRODUCTS = ["*.o", "*.ko", "*.mod", "*.mod.c", "*.cmd", "*.pyc", "*.a", "*.so",
            "modules.order", "Module.symvers", "build/*", "*.orig", "*.rej"]

# Not wanted from the kernel's checkpatch, with the reason.
CHECKPATCH_IGNORE = [
    # Kernels from 6.1 on, which differ, are what this is built for.
    "LINUX_VERSION_CODE",
    # kzalloc_obj() is newer than most of them.
    "ALLOC_WITH_SIZEOF",
]


def matching(names, patterns):
    return [name for name in names
            if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def complaint(command, cwd, log, pattern=None):
    """What a checker says first, or "" if it is content."""
    try:
        text = common.run(command, log, cwd=cwd)
    except Fail as e:
        return str(e)
    if pattern:
        found = re.search(pattern, text, re.MULTILINE)
        return f"{found.group()} (log: {common.relative(log)})" if found else ""
    return ""


def checked(command, name, tree, log, pattern=None):
    """What a checker of a source tree says first about a file, or "".

    It looks at nothing but the file and its own tree, so what it was content with once
    need not be asked again.  Most of the time of a run would be for that.
    """
    path = common.ROOT / name
    known = common.cache() / "lint" / common.digest(
        tree.parent.name, tree.name, *map(str, command), name, path.read_bytes())
    if known.exists():
        return ""
    said = complaint([*command, path], tree, log, pattern)
    if not said:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.touch()
    return said


def qemu_source():
    found = sorted(common.cache().glob("qemu/*/src/scripts/checkpatch.pl"))
    if not found:
        common.qemu()
        found = sorted(common.cache().glob("qemu/*/src/scripts/checkpatch.pl"))
    if not found:
        raise Fail("no source of QEMU in the cache: unset QEMU and run 'make qemu'")
    return found[-1].parent.parent


def spdx(name):
    with open(common.ROOT / name, "rb") as f:
        head = f.read(400)
    if not head or b"SPDX-License-Identifier:" in head:
        return ""
    return f"{name}: no SPDX-License-Identifier in its first lines"


def run():
    """Yields (check, complaint or "")."""
    names = common.files()
    _, tree = kernel.source()
    log = common.new_log("lint")
    checkpatch = ["perl", "scripts/checkpatch.pl", "--strict", "--terse", "--no-summary"]
    ignore = ["--show-types", "--ignore", ",".join(CHECKPATCH_IGNORE)]
    for name in matching(names, KERNEL):
        yield f"checkpatch {name}", checked([*checkpatch, *ignore, "--file"], name, tree, log)
    for name in matching(names, KERNEL_C):
        yield f"kernel-doc {name}", checked(
            ["scripts/kernel-doc", "-none", "-Werror"], name, tree, log,
            "warning: .*|error: .*")
    device = matching(names, QEMU)
    if device:
        qemu = qemu_source()
        for name in device:
            yield f"checkpatch {name}", checked([*checkpatch, "--file"], name, qemu, log)
    for name in names:
        with open(common.ROOT / name, "rb") as f:
            first = f.readline(80)
        if name.endswith(".sh") or re.match(rb"#!.*\bsh\b", first):
            yield f"shellcheck {name}", complaint(
                ["shellcheck", common.ROOT / name], common.ROOT, log)
        if re.search(r"\.[1-8]$", name):
            # It warns on standard error, and ends with 0.
            yield f"manual {name}", complaint(
                ["groff", "-man", "-ww", "-z", "-Tutf8", common.ROOT / name], common.ROOT,
                log, ".*(warning|error).*")
        if name.endswith(".py") or re.match(rb"#!.*python", first):
            yield f"python {name}", python(name)
        if not matching([name], NO_SPDX):
            yield f"licence {name}", spdx(name)
    yield "no import goes in a circle", circle(names)
    yield "no include of the device goes up", upward(names)
    yield "no call in the driver goes up", upward_calls(names)
    yield "the states of a channel are those of driver.rst", states(names)
    yield "device and driver share no name", shared(names)
    made = matching(names, PRODUCTS)
    yield "nothing that a build makes is committed", \
        f"{made[0]} is a product: remove it, or add it to .gitignore" if made else ""


# Where Python finds modules of ours: the directories that programs put into sys.path.
IMPORTED_FROM = ("scripts", "tests", "tests/coverage", "tests/fuzz", "tests/mutants",
                 "tests/scripts")


def imports(name, names):
    """The files of ours that a Python file imports."""
    found = set()
    for node in ast.walk(ast.parse((common.ROOT / name).read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            path = module.replace(".", "/") + ".py"
            # A file in the same directory is not meant where there is a package.
            found.update(there for top in IMPORTED_FROM
                         if (there := f"{top}/{path}") in names and there != name)
    return found


def circle(names):
    """Files of Python that import each other in a circle, "" if none do."""
    graph = {name: imports(name, names) for name in names if name.endswith(".py")}
    clear = set()

    def visit(name, trail):
        if name in trail:
            return " -> ".join([*trail[trail.index(name):], name])
        if name not in clear:
            for other in sorted(graph[name]):
                found = visit(other, [*trail, name])
                if found:
                    return found
            clear.add(name)
        return ""

    return next(filter(None, (visit(name, []) for name in sorted(graph))), "")


# The layers of the device, from below: qemu-device/loopdma-NAME.[ch].
LAYERS = ("desc", "parity", "fifo", "mem", "order", "ring", "xfer", "testctl", "irq", "sched",
          "map", "dev", "regs", "vmstate", "")


def layer(name):
    """Which of LAYERS a file, or a header that it includes, is of; None if of none."""
    found = re.fullmatch(r"(?:qemu-device/)?loopdma-?(\w*)\.[ch]", name)
    return LAYERS.index(found[1]) if found and found[1] in LAYERS else None


def upward(names):
    """A file of the device that includes a header of a layer above it, "" if none does."""
    for name in matching(names, ["qemu-device/*.[ch]"]):
        own = layer(name)
        text = (common.ROOT / name).read_text(encoding="utf-8")
        for header in re.findall(r'^#include "(loopdma[-\w]*\.h)"', text, re.MULTILINE):
            other = layer(header)
            if own is None or other is None:
                return f"{name} or {header} is of no layer: add it to LAYERS in scripts/lint.py"
            if other > own:
                return f"{name} includes {header}, which is of a layer above it"
    return ""


def shared(names):
    """A function that both device and driver have, "" if there is none."""
    def functions(pattern):
        text = "".join((common.ROOT / name).read_text(encoding="utf-8")
                       for name in matching(names, [pattern]))
        return set(re.findall(r"^[a-z][\w \t*]*?\b(loopdma_\w+)\(", text, re.MULTILINE))

    both = functions("qemu-device/*.[ch]") & functions("drivers/*.[ch]")
    return f"{', '.join(sorted(both))}" if both else ""


# The layers of the driver, from below: drivers/dma/loopdma/NAME.c.
DRIVER_LAYERS = ("desc", "trace", "stats", "pool", "hw", "queue", "state", "watch", "chan",
                 "recover", "irq", "tx", "prep_mem", "prep_raid", "prep_slave", "inject",
                 "dmaengine", "core", "pci")


def upward_calls(names):
    """A file of the driver that uses a function of a layer above it, "" if none does."""
    texts = {}
    for name in matching(names, ["drivers/dma/loopdma/*.c"]):
        stem = name.rsplit("/", 1)[1].removesuffix(".c")
        if stem not in DRIVER_LAYERS:
            return f"{name} is of no layer: add it to DRIVER_LAYERS in scripts/lint.py"
        texts[stem] = (common.ROOT / name).read_text(encoding="utf-8")
    home = {function: stem for stem, text in texts.items() for function in re.findall(
        r"^(?!static)[a-z][\w \t*]*?\b(loopdma_\w+)\([^;]*?\)\s*\{", text, re.MULTILINE)}
    for stem, text in texts.items():
        for function in sorted(set(re.findall(r"\b(loopdma_\w+)\(", text)) & set(home)):
            other = home[function]
            if DRIVER_LAYERS.index(other) > DRIVER_LAYERS.index(stem):
                # A comment may name it.
                code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
                if f"{function}(" in code:
                    return f"{stem}.c calls {function}(), which is in {other}.c above it"
    return ""


def states(_names):
    """What differs between the transitions in state.c and in driver.rst, "" if nothing."""
    code = (common.ROOT / "drivers/dma/loopdma/state.c").read_text(encoding="utf-8")
    table = re.search(r"loopdma_transitions\[.*?\] = \{(.*?)\n\};", code, re.DOTALL)[1]
    real = {(row[1], to) for row in re.finditer(
                r"\[LOOPDMA_CHAN_(\w+)\] =(.*?),\n(?=\t\[|$)", table + "\n", re.DOTALL)
            for to in re.findall(r"BIT\(LOOPDMA_CHAN_(\w+)\)", row[2])}
    text = (common.ROOT / "Documentation/driver.rst").read_text(encoding="utf-8")
    told = set(re.findall(r"^``([A-Z]+)`` +``([A-Z]+)`` ", text, re.MULTILINE))
    return ", ".join(sorted(f"{a} to {b}" for a, b in real ^ told))


def python(name):
    try:
        compile((common.ROOT / name).read_text(encoding="utf-8"), name, "exec",
                dont_inherit=True)
    except SyntaxError as e:
        return f"{name}:{e.lineno}: {e.msg}"
    return ""


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    bad = 0
    for check, reason in run():
        if reason:
            bad += 1
            print(f"FAIL {check}: {reason}")
    print(f"lint: {'FAIL, ' + str(bad) + ' complaints' if bad else 'PASS'}")
    return 1 if bad else 0


if __name__ == "__main__":
    common.main(main)
