# SPDX-License-Identifier: GPL-2.0-only
"""Builds the modules for a kernel, beside the sources, not among them.

The sources are copied by content to build/modules/RELEASE/src, so that each
kernel keeps its own objects, only what changed is compiled again, and the
checkout stays clean.  (kbuild's own way to build a module elsewhere, MO=, is
newer than the kernels supported.)  Tests build in the cache instead, where a new
checkout finds the objects of the last one.

Prints the directory that the modules are in.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from lib import common, kernel
from lib.common import Fail

SOURCES = ["Kbuild", "include", "drivers", "tests/kunit", "tests/conformance", "tests/clients"]
NAMES = re.compile(r".*\.[chS]|Kbuild|Makefile|Kconfig")
PRODUCTS = re.compile(r".*\.mod\.c")


def source_files(top, places=tuple(SOURCES)):
    for name in places:
        path = top / name
        if path.is_file():
            yield path.relative_to(top)
        for directory, _, files in os.walk(path):
            for file in files:
                if NAMES.fullmatch(file) and not PRODUCTS.fullmatch(file):
                    yield (Path(directory) / file).relative_to(top)


def sync(wanted, top, remove=True):
    """Makes the sources under `top` those of {relative path: content}.

    A file whose content is right is not touched, so make does not see it as
    new; a source that is no longer wanted goes, with `remove`.
    """
    for name, content in wanted.items():
        path = top / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(content)
        part.rename(path)
    for name in list(source_files(top)) if remove else []:
        if name not in wanted:
            (top / name).unlink()


def sources(top=common.ROOT):
    return {name: (top / name).read_bytes() for name in source_files(top)}


# What the modules of the project need of a kernel.
NEEDED = ("MODULES", "PCI", "DMA_ENGINE")


def check_kdir(kdir, needed=NEEDED):
    """Resolves a KDIR, or says what is wrong with it; returns its release."""
    if not kdir.is_dir():
        raise Fail(f"no kernel headers in {kdir}: install those of your kernel "
                   "(Debian, Ubuntu: apt-get install linux-headers-$(uname -r)), "
                   "or give KDIR=<prepared kernel build directory>")
    for name in ("Makefile", ".config", "Module.symvers", "include/config/auto.conf",
                 "include/generated/utsrelease.h"):
        if not (kdir / name).exists():
            raise Fail(f"{kdir} is no kernel that modules can be built against, it "
                       f"has no {name}: give KDIR=<headers of your kernel>, or "
                       "build that kernel first")
    config = (kdir / "include/config/auto.conf").read_text(encoding="utf-8")
    for option in needed:
        if f"\nCONFIG_{option}=y" not in "\n" + config:
            raise Fail(f"the kernel of {kdir} has CONFIG_{option} off: loopdma "
                       "needs a kernel with it")
    # Not kernel.release: Debian's package has a shorter name in that one.
    text = (kdir / "include/generated/utsrelease.h").read_text(encoding="ascii")
    return re.search(r'"(.+)"', text).group(1)


def toolchain(config):
    """What make must be told so that it builds with the tools of a configuration.

    A distribution has several LLVMs: clang is the oldest that it has by that name, and
    others have their number behind it.
    """
    if not re.search(r"^CONFIG_CC_IS_CLANG=y$", config, re.MULTILINE):
        return []
    version = re.search(r"^CONFIG_CLANG_VERSION=(\d+)\d{4}$", config, re.MULTILINE)
    suffix = f"-{version[1]}" if version else ""
    return [f"LLVM={suffix}" if suffix and shutil.which(f"clang{suffix}") else "LLVM=1"]


def make(kdir, directory, variables, target, log):
    """Runs kbuild on an external module directory."""
    if not any(re.match(r"(LLVM|CC)=", v) for v in variables):
        # Flags that a kernel was built with are often known to its compiler only.
        variables = [*variables, *toolchain(
            (kdir / "include/config/auto.conf").read_text(encoding="utf-8"))]
    if any(re.match(r"C=[12]$", v) for v in variables) and \
            (kdir / "scripts/checker-valid.sh").exists():
        variables = [f"CHECK={kernel.sparse()}", *variables]
    # Exported by a make above us, these belong to that make, not to kbuild.
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KDIR")}
    env["LC_ALL"] = "C.UTF-8"
    command = ["make", "-C", str(kdir), f"M={directory}", f"-j{common.jobs()}",
               *variables, target]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env=env,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise Fail("make is missing: run 'make deps'") from None
    # Messages should name the file that one edits.
    text = done.stdout.replace(f"{directory}/", f"{common.ROOT}/")
    with open(log, "a", encoding="utf-8") as f:
        f.write(f"$ {' '.join(command)}\n{text}")
    unchecked = re.search(r"C=[12] specified, but .*", text)
    if unchecked:
        raise Fail(f"nothing is checked in {common.relative(directory)}: {unchecked[0]}")
    if done.returncode and common.lacks_space(text):
        raise Fail(f"no space left for {common.relative(directory)}: free some")
    return done.returncode, text


NOISE = re.compile(r"^(make(\[\d+\])?:|  (CC|LD|AR|MODPOST|CHECK|BTF) |Skipping BTF|\s*$|"
                   r"warning: (the compiler|pahole version) differs|  (The kernel was built|"
                   r"You are using))")


def begin(top, kdir):
    """Makes a build directory ready for a kernel.

    Objects of another kernel of the same release, one with other options say,
    look up to date to make.
    """
    stamp = top / ".kdir"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != str(kdir):
        shutil.rmtree(top, ignore_errors=True)
        top.mkdir(parents=True)
        stamp.write_text(str(kdir), encoding="utf-8")


# What a build depends on beside the files that its compiler has read.
TOOLS = ("make", "gcc", "ld", "clang", "ld.lld", "sparse")
HEADERS = (".config", "Module.symvers", "include/config/auto.conf",
           "include/generated/utsrelease.h")


def states(paths):
    """When each of some files was changed last; None if it is not there."""
    found = {}
    for path in paths:
        try:
            found[str(path)] = os.stat(path).st_mtime_ns
        except OSError:
            found[str(path)] = None
    return found


def dependencies(top, kdir):
    """The files that the compiler has read, as kbuild has noted them down."""
    names = set()
    for path in top.rglob(".*.o.cmd"):
        _, _, after = path.read_text(encoding="utf-8").partition("\ndeps_")
        names.update(re.findall(r"^  ([^$\s]\S*) \\$", after, re.MULTILINE))
    # kbuild is in the one directory, or in the other since Linux 6.13.
    return {kdir / name if (kdir / name).exists() else top / name for name in names}


def unchanged(top, key):
    """What the last build said, if another one would do nothing; else None.

    kbuild itself takes half a minute to find that out.
    """
    try:
        last = json.loads((top / ".built").read_text(encoding="utf-8"))
        if last["key"] == key and states(last["files"]) == last["files"]:
            return last["told"]
    except (FileNotFoundError, ValueError, KeyError):
        pass
    return None


def made(kdir, top, variables, what, log):
    """Builds what is below a directory, unless nothing has changed; returns what was said.

    That is all that a build says beside its progress, and of files that it compiled or
    checked.
    """
    paths = [path for path in map(shutil.which, TOOLS) if path]
    key = common.digest(kdir, *variables, *sorted(states(paths).items()),
                        *(part for name in sorted(source_files(top, ["."]))
                          for part in (name, (top / name).read_bytes())))
    told = unchanged(top, key)
    # Who asks for commands wants to see them.
    if told is not None and not any(v.startswith("V=") for v in variables):
        return told, "\n".join(told)
    (top / ".built").unlink(missing_ok=True)
    with common.step(f"building {what}"):
        code, text = make(kdir, top, variables, "modules", log)
    told = [line for line in text.splitlines() if not NOISE.match(line)]
    if code:
        raise BuildFail(f"{what} do{'es' if what.startswith('dmatest') else ''} not build: "
                        f"{common.reason_in(text)} (log: {common.relative(log)})", told, text)
    files = {*(kdir / name for name in HEADERS), *dependencies(top, kdir),
             *top.rglob("*.ko")}
    common.write_atomically(top / ".built", json.dumps(
        {"key": key, "told": told, "files": states(files)}))
    return told, text


class BuildFail(Fail):
    """A build that failed, and what it said."""
    def __init__(self, reason, told, text):
        super().__init__(reason)
        self.told, self.text = told, text


# What this run has built already: the lanes of a check ask for the same.
_built = {}


def collect(top, place):
    """Copies the modules below a directory: the next checkout may build there."""
    stamp = place / ".built"
    now = (top / ".built").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == now:
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for path in top.rglob("*.ko"):
        shutil.copy2(path, place / path.name)
    stamp.write_text(now, encoding="utf-8")


def build(kdir, variant="", variables=(), show=False, here=False, wanted=None):
    """Builds the project's modules for a kernel, or those of other sources.

    Returns their directory, and what the build said, see made().  A variant has its own
    objects: those of a build with other flags would otherwise be compiled again and
    again.  With `here` the objects, too, are below the directory that is returned.
    """
    if re.search(r"[\s:]", str(common.ROOT)):
        raise Fail(f"kbuild cannot work in '{common.ROOT}': move the checkout to a "
                   "path without spaces and colons")
    kdir = kdir.absolute()
    # Other sources say themselves what they need.
    release = check_kdir(kdir, NEEDED if wanted is None else ("MODULES",))
    place = common.BUILD / "modules" / f"{release}{variant}" / ("src" if here else "ko")
    top = place if here else common.cache() / "modules" / f"{release}{variant}"
    with common.lock(f"modules-{common.digest(top)}"):
        if place in _built:
            return _built[place]
        log = common.new_log(f"modules-{release}{variant}")
        begin(top, kdir)
        sync(sources() if wanted is None else wanted, top)
        try:
            told, text = made(kdir, top, variables, f"modules for {release}", log)
        except BuildFail as e:
            if show:
                say_all(e.told, e.text, variables)
            raise
        if show:
            say_all(told, text, variables)
        if not here:
            collect(top, place)
        _built[place] = place, told
        return place, told


def say_all(told, text, variables):
    """Tells what a build said, with its commands if these were asked for."""
    for line in text.splitlines() if any(v.startswith("V=") for v in variables) else told:
        common.say(line)


def build_dmatest(kdir, source):
    """Builds the kernel's own dmatest for a kernel; returns the module."""
    kdir = kdir.absolute()
    release = check_kdir(kdir)
    top = common.BUILD / "modules" / release / "dmatest"
    with common.lock(f"modules-{common.digest(top)}"):
        if top in _built:
            return _built[top]
        log = common.new_log(f"dmatest-{release}")
        begin(top, kdir)
        for name, content in {"Kbuild": b"obj-m := dmatest.o\n",
                              "dmatest.c": source.read_bytes()}.items():
            if not (top / name).exists() or (top / name).read_bytes() != content:
                (top / name).write_bytes(content)
        made(kdir, top, (), f"dmatest for {release}", log)
        _built[top] = top / "dmatest.ko"
        return _built[top]


def install(kdir, variables):
    release = check_kdir(kdir)
    top = common.BUILD / "modules" / release / "src"
    if not list(top.rglob("*.ko")):
        raise Fail(f"nothing built for {release} yet: run 'make modules' first")
    variables = list(variables)
    staged = any(v.startswith("INSTALL_MOD_PATH=") for v in variables)
    if os.geteuid() and not staged:
        raise Fail("modules_install needs root: run 'sudo make modules_install', or "
                   "give INSTALL_MOD_PATH=<directory>")
    log = common.new_log(f"install-{release}")
    with common.step(f"installing modules for {release}"):
        code, text = make(kdir, top, variables, "modules_install", log)
    if code:
        raise Fail(f"modules_install failed: {common.reason_in(text)} "
                   f"(log: {common.relative(log)})")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--kdir", type=Path, help="kernel headers to build against; "
                       "default: those of the running kernel")
    which.add_argument("--cell", metavar="NAME",
                       help="a stock kernel, as listed by make kernels")
    parser.add_argument("--dmatest", action="store_true",
                        help="build dmatest too (only with --cell)")
    parser.add_argument("--install", action="store_true",
                        help="install what was built before")
    parser.add_argument("variables", nargs="*", metavar="VAR=VALUE",
                        help="for kbuild: W, C, CF, V, LLVM, INSTALL_MOD_PATH, ...")
    args = parser.parse_args()
    for variable in args.variables:
        if not re.fullmatch(r"\w+=.*", variable):
            parser.error(f"'{variable}' is not VAR=VALUE")
    if args.dmatest and not args.cell:
        parser.error("--dmatest needs --cell, which has the source it is built from")
    cell = kernel.cell(args.cell) if args.cell else None
    kdir = kernel.kdir(cell) if cell else args.kdir or \
        Path("/lib/modules") / os.uname().release / "build"
    if args.install:
        install(kdir, args.variables)
        return 0
    top, _ = build(kdir, variables=args.variables, show=True, here=True)
    if args.dmatest:
        build_dmatest(kdir, kernel.dmatest(cell))
    print(top)
    return 0


if __name__ == "__main__":
    common.main(main)
