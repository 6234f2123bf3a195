#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Stock kernels, their headers and their source, fetched but not installed.

Installing a distribution's headers can drag in a kernel image and a new
initramfs for the machine itself, and needs root.  So the packages are
downloaded with apt-get and unpacked into the cache; the absolute paths in the
headers are made to fit.

  kernel.py list             the stock kernels of this release, one per line:
                             name, kernel version, package version
  kernel.py list-rt          those with PREEMPT_RT
  kernel.py default          the name of the one that `make run` boots
  kernel.py image NAME       prints the path of its kernel image
  kernel.py kdir NAME        prints a KDIR to build modules against
  kernel.py dmatest NAME     prints the path of its drivers/dma/dmatest.c
  kernel.py source           prints the tree that the KUnit kernels come from
"""

import argparse
import dataclasses
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import common
from common import Fail

# What no kernel that we build compiles, nor its configuration reads: leaving
# it out saves a third of the time and most of the space.  Kconfig files and
# makefiles stay, since kconfig and kbuild read those of every directory.
NOT_NEEDED = [
    "*/Documentation/*/*",
    *(f"*/arch/{arch}/*.{suffix}" for suffix in ("[chS]", "dts", "dtsi") for arch in (
        "alpha arc arm csky hexagon loongarch m68k microblaze mips nios2 "
        "openrisc parisc powerpc riscv s390 sh sparc xtensa").split()),
    # Kernels for it are built, with a device tree of our own.
    *(f"*/arch/arm64/*.{suffix}" for suffix in ("dts", "dtsi")),
    *(f"*/drivers/{directory}/*.[ch]" for directory in (
        "gpu infiniband media net/ethernet net/wireless scsi staging").split()),
    "*/sound/*.[ch]",
    "*/tools/perf/*",
    "*/tools/testing/selftests/*",
]


# Where the few modules of stock kernels are that a guest loads, and where it says
# what needs no module.
MODULES = ["*/kernel/crypto/*", "*/kernel/lib/*", "*/kernel/drivers/md/*",
           "*/kernel/drivers/block/brd.ko*", "*/kernel/drivers/block/virtio_blk.ko*",
           "*/kernel/drivers/virtio/*", "*/kernel/drivers/acpi/button.ko*",
           "*/modules.builtin"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A stock kernel of this release."""
    name: str       # "6.1", "6.1-rt"
    kver: str       # "6.1.0-56-amd64"
    version: str    # "6.1.192-2"
    headers: tuple  # the packages that make up its headers
    source: str     # "linux-source-6.1"

    @property
    def directory(self):
        return common.cache() / "kernels" / f"{self.kver}_{self.version}"


# --- apt ----------------------------------------------------------------------

# A download by root would otherwise warn that user _apt cannot write the cache.
APT = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
       "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]


def private_lists():
    """apt options for package lists of our own, which need no root."""
    base = common.cache() / "apt"
    (base / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (base / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::Lists={base}/lists", "-o", f"Dir::Cache={base}"]


def lists_in_use():
    """Our own lists once there was a need to make them, else the system's."""
    own = common.cache() / "apt" / "lists.used"
    system = Path("/var/lib/apt/lists")
    if own.exists() and system.exists() and \
            system.stat().st_mtime > own.stat().st_mtime:
        # The machine's have been updated since.
        return []
    return private_lists() if own.exists() else []


def update_private_lists(log):
    options = private_lists()
    with common.step("updating package lists (in the cache, not the machine's)"):
        common.run(["apt-get", *APT, *options, "-o", "APT::Update::Error-Mode=any",
                    "update"], log, "apt-get update (is there a network?)")
    write = common.cache() / "apt" / "lists.used"
    common.write_atomically(write, "")


def show(packages, log):
    """The control fields of packages; those that do not exist are left out."""
    command = ["apt-cache", *lists_in_use(), "show", "--no-all-versions", *packages]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              encoding="utf-8", env=dict(os.environ, LC_ALL="C"))
    except FileNotFoundError:
        raise Fail("apt-cache is missing: stock kernels are fetched from Debian or "
                   "Ubuntu packages, run on one of these") from None
    with open(log, "a", encoding="utf-8") as f:
        f.write(f"$ {' '.join(command)}\n{done.stderr}")
    found = {}
    for paragraph in done.stdout.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Depends): (.*)$", paragraph,
                                 re.MULTILINE))
        if "Package" in fields:
            found.setdefault(fields["Package"], fields)
    return found


def depends(fields, pattern):
    return [name for name in re.findall(r"(?:^|, )([^ ,|]+)", fields.get("Depends", ""))
            if re.fullmatch(pattern, name)]


def download(packages, directory, log):
    """Downloads packages ("name=version"), with fresh lists if it must."""
    def fetch():
        common.run(["apt-get", *APT, *lists_in_use(), "download", *packages], log,
                   f"downloading {packages[0].split('=')[0]} (is there a network?)",
                   cwd=directory)

    with common.step(f"downloading {', '.join(p.split('=')[0] for p in packages)}"):
        try:
            fetch()
            return
        except Fail:
            # The mirror may have moved on since the lists were made.
            pass
    update_private_lists(log)
    fetch()


# --- what there is ------------------------------------------------------------

def release():
    """ID and VERSION_ID of the distribution."""
    fields = {}
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    for key, value in re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE):
        fields[key] = value
    return fields.get("ID", "unknown"), fields.get("VERSION_ID", "")


def meta_packages():
    """The packages that name the newest kernel of a series, default first."""
    if release()[0] == "ubuntu":
        return ["linux-image-generic"]
    # Debian 12 carries a second series beside its own.
    return ["linux-image-amd64", "linux-image-6.12-amd64"]


def rt_meta_packages():
    """The same for kernels with PREEMPT_RT; Ubuntu has them for subscribers only."""
    if release()[0] == "ubuntu":
        return []
    return ["linux-image-rt-amd64", "linux-image-6.12-rt-amd64"]


def resolve(wanted, log):
    metas = show(wanted, log)
    images = {}
    for meta in wanted:
        for image in depends(metas.get(meta, {}), r"linux-image-\d.*"):
            images.setdefault(image.removeprefix("linux-image-"), metas[meta])
    headers = show([f"linux-headers-{kver}" for kver in images], log) if images else {}
    cells = []
    for kver, meta in images.items():
        fields = headers.get(f"linux-headers-{kver}")
        if not fields:
            continue
        name = re.match(r"\d+\.\d+", kver).group()
        packages = (f"linux-headers-{kver}={fields['Version']}",
                    *depends(fields, r"linux-(headers|kbuild)-.*"))
        source = f"linux-source-{name}"
        if release()[0] == "ubuntu":
            source += ".0"
        if "-rt-" in kver:
            name += "-rt"
        cells.append(Cell(name, kver, meta["Version"], packages, source))
    return cells


def known(stem, wanted):
    """The stock kernels that packages name, as this or an earlier run found them."""
    stamp_file = common.cache() / f"{stem}.json"

    # Asking apt takes seconds, its lists change once a day.
    def stamp():
        lists = [Path("/var/lib/apt/lists"), common.cache() / "apt" / "lists.used"]
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in lists] + [
            "/".join(release())]

    with common.lock(stem):
        try:
            kept = json.loads(stamp_file.read_text(encoding="utf-8"))
            if kept["stamp"] == stamp():
                return [Cell(**dict(c, headers=tuple(c["headers"])))
                        for c in kept["cells"]]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        log = common.new_log(stem)
        found = resolve(wanted, log)
        if not found:
            update_private_lists(log)
            found = resolve(wanted, log)
        common.write_atomically(stamp_file, json.dumps(
            {"stamp": stamp(), "cells": [dataclasses.asdict(c) for c in found]},
            indent=1))
        return found


def cells():
    """The stock kernels of this release, its default first."""
    found = known("kernels", meta_packages())
    if not found:
        raise Fail(f"no stock kernel found in the package lists of "
                   f"{' '.join(release())}: Debian 12 or 13, or Ubuntu 24.04, "
                   "on amd64 is needed")
    return found


def rt_cells():
    """Those with PREEMPT_RT, which only make check-full needs; there may be none."""
    wanted = rt_meta_packages()
    return known("kernels-rt", wanted) if wanted else []


def cell(name):
    there = [*cells(), *(rt_cells() if "rt" in name else [])]
    for c in there:
        if name in (c.name, c.kver):
            return c
    raise Fail(f"no stock kernel '{name}' on {' '.join(release())}: choose one of "
               f"{', '.join(c.name for c in there)}")


# --- fetching -----------------------------------------------------------------

def unpack(deb, directory, patterns=()):
    """Unpacks a package, or what of it matches the patterns."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) \
            as stream:
        select = ["--wildcards", "--no-anchored", *patterns] if patterns else []
        common.run(["tar", "-x", "-C", directory, *select],
                   what=f"unpacking {Path(deb).name}", stdin=stream.stdout)


def fetch(c):
    """The directory of a cell, with vmlinuz, config and kdir."""
    final = c.directory
    if final.exists():
        return final
    with common.lock(f"kernel-{c.kver}"):
        if final.exists():
            return final
        log = common.new_log(f"kernel-{c.name}")
        with common.filling(final) as part:
            debs = part / "debs"
            debs.mkdir()
            image = f"linux-image-{c.kver}"
            download([f"{image}={c.version}", *c.headers], debs, log)
            with common.step(f"unpacking {c.kver} and its headers"):
                for deb in sorted(debs.glob("*.deb")):
                    if deb.name.startswith(image):
                        unpack(deb, part, ["boot/vmlinuz-*"])
                        if modules_package(c) == image:
                            unpack_modules(deb, part)
                    else:
                        unpack(deb, part)
            shutil.rmtree(debs)
            shutil.move(next(part.glob("boot/vmlinuz-*")), part / "vmlinuz")
            relocate(part, final, c)
    return final


def relocate(part, final, c):
    """Makes headers unpacked under `part` work when it is called `final`."""
    kdir = part / "usr" / "src" / f"linux-headers-{c.kver}"
    for path in (kdir / "Makefile", kdir / ".kernelvariables"):
        if path.exists() and not path.is_symlink():
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"(?<=[\s=])/usr/(src|lib)/", rf"{final}/usr/\1/",
                                   text), encoding="utf-8")
    # There only to generate type information, which a test does not need and
    # which would ask for one more tool.
    (kdir / "vmlinux").unlink(missing_ok=True)
    (part / "kdir").symlink_to(kdir.relative_to(part))


def image(c):
    """The kernel image of a cell: unpacked if QEMU can boot that.

    To unpack itself takes an emulated CPU longer than to boot: seconds in each guest.
    """
    packed = fetch(c) / "vmlinuz"
    final = c.directory.with_name(f"{c.directory.name}_vmlinux")
    with common.lock(f"vmlinux-{c.kver}"):
        if not final.exists():
            with common.filling(final) as part:
                unpacked = payload(packed.read_bytes())
                if PVH_NOTE.search(unpacked):
                    (part / "vmlinux").write_bytes(unpacked)
    return final / "vmlinux" if (final / "vmlinux").exists() else packed


# The note of an ELF kernel that can be started without its setup code, see
# XEN_ELFNOTE_PHYS32_ENTRY.
PVH_NOTE = re.compile(rb"\x04\0{3}[\x04\x08]\0{3}\x12\0{3}Xen\0")


def payload(image):
    """The kernel in a bzImage, see Documentation/arch/x86/boot.rst; b"" if it cannot be
    unpacked here."""
    if image[0x202:0x206] != b"HdrS":
        return b""
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = ((image[0x1f1] or 4) + 1) * 512 + offset
    packed = image[start:start + length]
    # Its size follows it.
    try:
        return decompressed(packed[:-4]) if len(packed) > 4 else b""
    except Fail:
        return b""


def decompressed(data):
    """Data that may be compressed, in one of the ways that kernels and modules are."""
    try:
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(data)
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompress(data, 31)
    except (lzma.LZMAError, zlib.error) as e:
        raise Fail(f"what was fetched is damaged ({e}): run 'make distclean'") from None
    if not data.startswith(b"\x28\xb5\x2f\xfd"):
        return data
    try:
        done = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise Fail("zstd is missing: run 'make deps'") from None
    if done.returncode:
        raise Fail("what was fetched is damaged (zstd): run 'make distclean'")
    return done.stdout


def modules_package(c):
    """The package that has the modules of a cell."""
    return f"linux-{'modules' if release()[0] == 'ubuntu' else 'image'}-{c.kver}"


def unpack_modules(deb, directory):
    unpack(deb, directory, MODULES)
    (directory / "patterns").write_text(" ".join(MODULES), encoding="ascii")


def modules_directory(c):
    """A directory with the modules of a cell that match MODULES."""
    top = fetch(c)
    patterns = top / "patterns"
    if patterns.exists() and patterns.read_text(encoding="ascii") == " ".join(MODULES):
        return top
    # One that another version of this has fetched, or whose image is without them.
    final = c.directory.with_name(f"{c.directory.name}_modules-{common.digest(*MODULES)}")
    with common.lock(f"kernel-{c.kver}"):
        if not final.exists():
            log = common.new_log(f"kernel-{c.name}-modules")
            with common.filling(final) as part:
                download([f"{modules_package(c)}={c.version}"], part, log)
                deb = next(part.glob("*.deb"))
                unpack_modules(deb, part)
                deb.unlink()
    return final


def modules(c, names):
    """Modules of a stock kernel and all that they need, in the order to load them.

    Returns {name: content}, without those that are built in.
    """
    top = modules_directory(c)
    found = {re.sub(r"\.ko.*", "", path.name).replace("-", "_"): path
             for path in top.rglob("*.ko*")}
    builtin = {Path(line).stem.replace("-", "_") for path in top.rglob("modules.builtin")
               for line in path.read_text(encoding="ascii").splitlines()}
    wanted = {}

    def want(name):
        name = name.replace("-", "_")
        if name in wanted or name in builtin:
            return
        if name not in found:
            raise Fail(f"the stock kernel {c.kver} has no module {name}")
        content = decompressed(found[name].read_bytes())
        # As modinfo says it.
        needs = re.search(rb"\0depends=([^\0]*)\0", content)
        for need in needs[1].decode().split(",") if needs and needs[1] else []:
            want(need)
        wanted[name] = content

    for name in names:
        want(name)
    return wanted


def kdir(c):
    return (fetch(c) / "kdir").resolve()


def source_version(package, wanted, log):
    """The version of a source package: the kernel's own if it is there."""
    fields = show([f"{package}={wanted}"], log).get(package) or \
        show([package], log).get(package)
    if not fields:
        update_private_lists(log)
        fields = show([package], log).get(package)
    if not fields:
        raise Fail(f"package {package} is not in the package lists: run apt-get update")
    return fields["Version"]


def fetch_source(c, what, final, unpack_tar):
    """Downloads the source package of a cell; unpack_tar(stream, part)."""
    with common.lock(f"source-{c.name}"):
        if final.exists():
            return final
        log = common.new_log(f"source-{c.name}")
        with common.filling(final) as part:
            package = part / ".package"
            package.mkdir()
            version = source_version(c.source, c.version, log)
            download([f"{c.source}={version}"], package, log)
            deb = next(package.glob("*.deb"))
            with common.step(f"unpacking {what} of {c.source} {version}"):
                unpack(deb, package, [f"{c.source}.tar.*"])
                # Debian has it in /usr/src, Ubuntu one directory deeper.
                archive = next(path for path in package.rglob(f"{c.source}.tar.*")
                               if path.is_file() and not path.is_symlink())
                unpack_tar(archive, part)
                shutil.rmtree(package)
    return final


def dmatest(c):
    """The path of dmatest.c of a stock kernel."""
    def extract(archive, part):
        # A stream can stop at the file, in the middle of the archive.
        with tarfile.open(archive, "r|*") as stream:
            for member in stream:
                if member.name.endswith("/drivers/dma/dmatest.c"):
                    data = stream.extractfile(member).read()
                    (part / "dmatest.c").write_bytes(data)
                    return
        raise Fail(f"{archive.name} has no drivers/dma/dmatest.c")

    # That of a kernel with PREEMPT_RT is the same.
    c = next((twin for twin in cells() if (twin.source, twin.version) ==
              (c.source, c.version)), c)
    whole = source_directory(c) / "drivers" / "dma" / "dmatest.c"
    if whole.exists():
        return whole
    final = c.directory.with_name(f"{c.directory.name}_dmatest")
    if final.exists():
        return final / "dmatest.c"
    return fetch_source(c, "dmatest.c", final, extract) / "dmatest.c"


def source_directory(c):
    return common.cache() / "source" / (
        f"{c.name}_{c.version}-" + common.digest(*NOT_NEEDED))


def source():
    """The newest cell and the tree of its source, never to be written to."""
    newest = max(cells(), key=lambda c: [int(n) for n in re.findall(r"\d+", c.name)])

    def extract(archive, part):
        common.run(["tar", "-xf", archive, "-C", part, "--strip-components=1",
                    "--wildcards", *(f"--exclude={pattern}" for pattern in NOT_NEEDED)],
                   what=f"unpacking {archive.name}")

    final = source_directory(newest)
    if final.exists():
        return newest, final
    return newest, fetch_source(newest, "the tree", final, extract)


# --- building -----------------------------------------------------------------

def build(tree, directory, wanted, where, log, variables, targets):
    """Builds a kernel with few options, those of `wanted`, and keeps little of it.

    `where` is the file to correct if kconfig does not take one of them.
    """
    make = ["nice", "-n", "5", "make", "-C", tree, *variables, f"O={directory}",
            f"-j{common.jobs()}"]
    options = directory / "wanted.config"
    options.write_text(wanted, encoding="ascii")
    common.run([*make, "allnoconfig"], log, "configuring a kernel",
               env={"KCONFIG_ALLCONFIG": str(options)})
    check_config(wanted, (directory / ".config").read_text(encoding="ascii"), where)
    common.run([*make, *targets], log, "building a kernel")
    prune(directory)


def check_config(wanted, got, where):
    """Fails by name if an option that was asked for did not take."""
    have = set(got.splitlines())
    missing = [line for line in wanted.splitlines()
               if line.startswith("CONFIG_") and line not in have]
    if missing:
        raise Fail(f"this kernel cannot have {', '.join(missing)}: look at what it "
                   f"depends on, and correct {common.relative(where)}")


def prune(directory):
    """Removes what a module build does not need, most of the space."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and (
                path.suffix in (".o", ".a", ".cmd") or path.name.startswith("vmlinux")):
            path.unlink()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", metavar="COMMAND", choices=[
        "list", "list-rt", "default", "image", "kdir", "dmatest", "source"])
    parser.add_argument("name", metavar="NAME", nargs="?")
    args = parser.parse_args()
    if (args.name is None) != (args.what in ("list", "list-rt", "default", "source")):
        parser.error(f"{args.what} takes {'a' if args.name is None else 'no'} NAME")
    if args.what in ("list", "list-rt"):
        for c in cells() if args.what == "list" else rt_cells():
            print(c.name, c.kver, c.version)
    elif args.what == "default":
        print(cells()[0].name)
    elif args.what == "source":
        print(source()[1])
    else:
        print({"image": image, "kdir": kdir, "dmatest": dmatest}[args.what](
            cell(args.name)))
    return 0


if __name__ == "__main__":
    common.main(main)
