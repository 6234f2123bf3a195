# SPDX-License-Identifier: GPL-2.0-only
"""Stock kernels, their headers and their source, fetched but not installed.

Installing a distribution's headers can drag in a kernel image and a new
initramfs for the machine itself, and needs root.  So the packages are
downloaded with apt-get and unpacked into the cache; the absolute paths in the
headers are made to fit.  Kernels of other releases than the machine's come from
package lists in the cache: the machine's own are not touched.

A program, too: PYTHONPATH=scripts python3 -m lib.kernel COMMAND

  lib.kernel list             the stock kernels that can be had, the newest first:
                             name, kernel version, package version
  lib.kernel list-rt          those with PREEMPT_RT
  lib.kernel update           looks for newer ones than were found at first, and lists
                             them
  lib.kernel default          the name of the one that `make run` boots
  lib.kernel image NAME       prints the path of its kernel image
  lib.kernel kdir NAME        prints a KDIR to build modules against
  lib.kernel dmatest NAME     prints the path of its drivers/dma/dmatest.c
  lib.kernel source           prints the tree that the KUnit kernels come from
"""

import argparse
import dataclasses
import fnmatch
import json
import lzma
import os
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from lib import common
from lib.common import Fail

# What no kernel that we build compiles, nor its configuration reads: leaving
# it out saves a third of the time and most of the space.  Kconfig files and
# makefiles stay, since kconfig and kbuild read those of every directory.
NOT_NEEDED = [
    "*/Documentation/*/*",
    *(f"*/arch/{arch}/*.[chS]" for arch in (
        "alpha arc csky hexagon loongarch m68k microblaze mips nios2 "
        "openrisc parisc powerpc s390 sh sparc xtensa").split()),
    # Machines have device trees of our own.
    "*/arch/*.dts", "*/arch/*.dtsi",
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
           "*/kernel/fs/9p/*", "*/kernel/net/9p/*", "*/kernel/fs/netfs/*",
           "*/kernel/fs/fscache/*", "*/kernel/drivers/vfio/*", "*/kernel/virt/lib/*",
           "*/modules.builtin"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A stock kernel."""
    name: str       # "6.1", "6.1-rt"
    kver: str       # "6.1.0-56-amd64"
    version: str    # "6.1.192-2"
    suite: str      # of SUITES; "": the machine's own
    image: str      # the package that has its image, as download() takes it
    modules: tuple  # the packages that have its modules
    headers: tuple  # the packages that make up its headers
    source: str     # "linux-source-6.1"
    tree: str       # the package of that name

    @property
    def directory(self):
        # Its tools and its compiler are fitted to the machine.
        return common.cache() / "kernels" / \
            f"{self.kver}_{self.version}_for-{'-'.join(release()[:2])}"


# --- apt ----------------------------------------------------------------------

# A download by root would otherwise warn that user _apt cannot write the cache.
APT = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2",
       "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]


# The suites of Debian whose kernels are taken.
SUITES = ["bookworm-security", "trixie-security", "trixie-backports", "sid"]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def targets(options=()):
    """(URI, suite, file) of each list of binary packages."""
    try:
        done = subprocess.run(
            ["apt-get", *options, "indextargets", "--format",
             "$(REPO_URI) $(RELEASE) $(FILENAME)", "Created-By: Packages"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
            stdin=subprocess.DEVNULL, encoding="utf-8")
    except FileNotFoundError:
        raise Fail("apt-get is missing: stock kernels are fetched from Debian or Ubuntu "
                   "packages, run on one of these") from None
    return [line.split(" ", 2) for line in done.stdout.splitlines()] \
        if done.returncode == 0 else []


def mirrors():
    """Where Debian's archives are: the machine's own mirrors, or everybody's."""
    found = {"debian": "http://deb.debian.org/debian",
             "debian-security": "http://deb.debian.org/debian-security"}
    for uri, suite, _ in targets():
        name = re.fullmatch(r"https?://.*/(debian|debian-security)/?", uri)
        if name and re.match(r"bookworm|trixie|forky|sid|unstable|testing|stable", suite):
            found[name[1]] = uri.rstrip("/")
    return found


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


def debian_lists(top, log, suites=SUITES, architecture="amd64"):
    """apt options for the package lists of suites, which are fetched to a directory."""
    # apt-get removes from its own directory what it does not know.
    lists = top / "lists"
    (lists / "partial").mkdir(parents=True)
    uris = mirrors()
    sources = top / "sources.list"
    sources.write_text("".join(
        f"deb [signed-by={KEYRING} arch={architecture}] "
        f"{uris['debian-security' if suite.endswith('-security') else 'debian']} "
        f"{suite} main\n" for suite in suites), encoding="utf-8")
    options = ["-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null",
               "-o", f"Dir::State::Lists={lists}", "-o", "Dir::Cache::pkgcache=",
               "-o", "Dir::Cache::srcpkgcache=", "-o", "Acquire::Languages=none",
               "-o", f"APT::Architecture={architecture}"]
    try:
        common.run(["apt-get", *APT, *options, "-o", "APT::Update::Error-Mode=any", "update"],
                   log, "apt-get update (is there a network?)")
    except Fail as e:
        # A mirror need not have all of them.
        there = {suite for _, suite, _ in targets(options)}
        if not there:
            raise
        lacking = ", ".join(suite for suite in suites if suite not in there)
        common.say(f"  going on without {lacking}: {e}")
    return options


# A C library that is new enough for the tools of all headers, what else they use, and a
# checker that knows the C of all headers.
RUNTIME = ["libc6", "libelf1t64", "zlib1g", "libzstd1", "sparse"]


def index(options, own=False):
    """{suite: {package: [fields, the newest version first]}} of what is of use here.

    The fields have "Get" besides, as download() takes it.  What the machine's own
    sources have is all in one suite, "".
    """
    found = {}
    wanted = re.compile("Package: (?:linux-(?:image|binary|modules|base|headers|kbuild|source)-"
                        fr"|(?:{'|'.join(RUNTIME)})$)", re.MULTILINE)
    for uri, suite, path in targets(options):
        try:
            text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL, check=False,
                                  encoding="utf-8").stdout
        except FileNotFoundError:
            raise Fail("apt-helper is missing: install the package apt") from None
        packages = found.setdefault("" if own else suite, {})
        for paragraph in text.split("\n\n"):
            if wanted.match(paragraph):
                fields = dict(line.split(": ", 1) for line in paragraph.splitlines()
                              if ": " in line and line[0] != " ")
                fields["Get"] = f"{fields['Package']}={fields['Version']}" if own else \
                    f"{uri}{fields['Filename']} SHA256:{fields['SHA256']}"
                packages.setdefault(fields["Package"], []).append(fields)
    for packages in found.values():
        for versions in packages.values():
            versions.sort(key=lambda fields: order(fields["Version"]), reverse=True)
    return found


def depends(fields, pattern):
    return [name for name in re.findall(r"(?:^|, )([^ ,|]+)", fields.get("Depends", ""))
            if re.fullmatch(pattern, name)]


def title(package):
    """The name of what download() takes."""
    return re.split("[=_]", package.split(" ")[0].rsplit("/", 1)[-1])[0]


def download(packages, directory, log):
    """Downloads packages: "name=version" from the machine's sources, or "URI hash"."""
    named = [package for package in packages if "://" not in package]

    def fetch():
        common.run(["apt-get", *APT, *lists_in_use(), "download", *named], log,
                   f"downloading {title(named[0])} (is there a network?)", cwd=directory)

    with common.step(f"downloading {', '.join(map(title, packages))}"):
        for package in packages:
            if package in named:
                continue
            uri, checksum = package.split(" ")
            try:
                common.run(["/usr/lib/apt/apt-helper", *APT, "download-file", uri,
                            directory / uri.rsplit("/", 1)[-1], checksum], log,
                           f"downloading {title(package)} (is there a network?)")
            except Fail as e:
                raise Fail(f"{e}; if the mirror has moved on, 'make kernels UPDATE=1' "
                           "finds what it has now") if absent(package) else e from None
        if not named:
            return
        try:
            fetch()
            return
        except Fail:
            # The mirror may have moved on since the lists were made.
            pass
    update_private_lists(log)
    fetch()


def absent(package):
    """Whether a mirror says that it has not what download() takes."""
    try:
        with urllib.request.urlopen(urllib.request.Request(
                package.split(" ")[0], method="HEAD"), timeout=30):
            return False
    except urllib.error.HTTPError as e:
        return e.code in (404, 410)
    except (OSError, ValueError):
        # Not what was asked: the download will tell.
        return False


# --- what there is ------------------------------------------------------------

def release():
    """ID, VERSION_ID and VERSION_CODENAME of the distribution."""
    fields = {}
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    for key, value in re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE):
        fields[key] = value
    return fields.get("ID", "unknown"), fields.get("VERSION_ID", ""), \
        fields.get("VERSION_CODENAME", "")


# The packages that name the newest kernel of a series.  Debian 12 carries a second
# series beside its own; Ubuntu has kernels with PREEMPT_RT for subscribers only.
META = ["linux-image-amd64", "linux-image-6.12-amd64", "linux-image-rt-amd64",
        "linux-image-6.12-rt-amd64", "linux-image-generic"]

# Those that are tested beside the newest: what Debian's stable releases run.
TESTED = ("6.1", "6.12")


def order(text):
    """What a version is sorted by."""
    return [int(n) for n in re.findall(r"\d+", text)]


def stock(kver, suite, packages):
    """The stock kernel of a version if all that is needed of it is listed, else None."""
    def get(package, version=None):
        versions = packages.get(package, [])
        return next((fields["Get"] for fields in versions if fields["Version"] == version),
                    versions[0]["Get"] if versions else None)

    image, headers = (packages.get(f"linux-{what}-{kver}") for what in ("image", "headers"))
    if not image or not headers:
        return None
    version = image[0]["Version"]
    name = re.match(r"\d+\.\d+", kver).group()
    source = f"linux-source-{name}" + ("" if suite else ".0")
    # From Linux 7.2 on Debian's image is in parts.
    binary = depends(image[0], rf"linux-binary-{re.escape(kver)}") or [f"linux-image-{kver}"]
    modules_in = depends(image[0], rf"linux-(modules|base)-{re.escape(kver)}") or binary
    headers_in = [f"linux-headers-{kver}", *depends(headers[0], r"linux-(headers|kbuild)-.*")]
    c = Cell(f"{name}-rt" if "-rt-" in kver else name, kver, version, suite,
             get(binary[0], version), tuple(get(p, version) for p in modules_in),
             tuple(get(p, version) for p in headers_in), source, get(source, version))
    return c if all((c.image, c.tree, *c.modules, *c.headers)) else None


def resolve(meta, suite, packages):
    """The newest stock kernel of those that a package of a suite names, or None.

    If the lists are ahead of the mirror, the next one of its series.
    """
    newest = next((name for fields in packages.get(meta, [])
                   for name in depends(fields, r"linux-image-\d.*")), "")
    if not newest:
        return None
    # "linux-image-6.1.0-57-amd64", "linux-image-7.3.4+deb13-amd64"
    series, flavour = re.fullmatch(r"linux-image-(\d+\.\d+)\.[^-]*(?:-\d+)?(-.*)",
                                   newest).groups()
    alike = re.compile(rf"linux-image-{re.escape(series)}\.[^-]*(-\d+)?{flavour}")
    missing = ""
    for name in sorted(filter(alike.fullmatch, packages), key=order, reverse=True):
        c = stock(name.removeprefix("linux-image-"), suite, packages)
        if not c:
            continue
        gone = next(filter(absent, [c.image, *c.headers, c.tree]), None) if suite else None
        if not gone:
            if missing:
                common.say(f"  {missing}: Linux {c.version} instead")
            return c
        missing = missing or f"the mirror has no {title(gone)} {c.version}"
    if missing:
        common.say(f"  {missing}: no Linux {series} of {suite}")
    return None


def look(log):
    """What the lists and the mirrors have: the stock kernels, newest first; the runtime."""
    found = {}
    if release()[0] == "ubuntu":
        found = index(lists_in_use(), own=True)
        if not any(meta in packages for packages in found.values() for meta in META):
            update_private_lists(log)
            found = index(lists_in_use(), own=True)
    if KEYRING.exists():
        with common.step("looking for stock kernels"), tempfile.TemporaryDirectory(
                dir=common.cache(), prefix="lists.") as top:
            found |= index(debian_lists(Path(top), log))
    # If two releases have kernels of one series, that of the machine's own is taken.
    here = sorted(found, key=lambda suite: not (
        suite == "" or suite.split("-")[0] == release()[2]))
    cells_by_name = {}
    for c in filter(None, (resolve(meta, suite, found[suite])
                           for suite in here for meta in META)):
        cells_by_name.setdefault(c.name, c)
    return {
        "cells": sorted(cells_by_name.values(), key=lambda c: order(c.name), reverse=True),
        "runtime": [packages[name][0]["Get"] for packages in [found.get("sid", {})]
                    for name in RUNTIME if name in packages]}


def kept(again=False):
    """What look() says, or has said to an earlier run."""
    # Checkouts that want something else do not overwrite each other's.
    wanted = common.digest(*release(), *SUITES, *META, *RUNTIME)
    stamp_file = common.cache() / f"stock-kernels-{wanted}.json"
    with common.lock("kernels"):
        try:
            there = json.loads(stamp_file.read_text(encoding="utf-8"))
            if not again:
                return {"runtime": there["runtime"], "cells": [
                    Cell(**{name: tuple(value) if isinstance(value, list) else value
                            for name, value in c.items()}) for c in there["cells"]]}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        try:
            found = look(common.new_log("kernels"))
        except Fail as e:
            raise Fail("which stock kernels there are has to be looked up once (the newest, "
                       f"{' and '.join(TESTED)} are wanted): {e}") from None
        common.write_atomically(stamp_file, json.dumps(
            {"runtime": found["runtime"],
             "cells": [dataclasses.asdict(c) for c in found["cells"]]}, indent=1))
        return found


def known():
    return kept()["cells"]


def all_cells():
    """All stock kernels without PREEMPT_RT, the newest first."""
    found = [c for c in known() if not c.name.endswith("-rt")]
    if not found:
        raise Fail("no stock kernel found in the package lists of "
                   f"{' '.join(release()[:2])}: Debian 12 or newer, or Ubuntu 24.04, "
                   "on amd64 is needed")
    return found


def tested(found):
    """The newest, those of Debian's stable releases, and the machine's own."""
    return [c for c in found if c is found[0] or not c.suite or
            c.name.removesuffix("-rt") in TESTED]


def cells():
    """The stock kernels that tests run on, the newest and default first."""
    return tested(all_cells())


def rt_cells():
    """Those with PREEMPT_RT, which only make check-full needs; there may be none."""
    return tested([c for c in known() if c.name.endswith("-rt")])


def cell(name):
    there = [c for c in known() if "rt" in name or not c.name.endswith("-rt")]
    for c in there:
        if name in (c.name, c.kver):
            return c
    raise Fail(f"no stock kernel '{name}': choose one of "
               f"{', '.join(c.name for c in there or all_cells())}")


# --- fetching -----------------------------------------------------------------

def unpack(deb, directory, patterns=()):
    """Unpacks a package, or what of it matches the patterns."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) \
            as stream:
        select = ["--wildcards", "--no-anchored", *patterns] if patterns else []
        common.run(["tar", "-x", "-C", directory, *select],
                   what=f"unpacking {Path(deb).name}", stdin=stream.stdout)


def fetch(c):
    """The directory of a cell, with vmlinuz and kdir."""
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
            download([c.image, *c.headers], debs, log)
            with common.step(f"unpacking {c.kver} and its headers"):
                for deb in sorted(debs.glob("*.deb")):
                    if not deb.name.startswith(title(c.image)):
                        unpack(deb, part)
                        continue
                    unpack(deb, part, ["vmlinuz*"])
                    if c.image in c.modules:
                        unpack_modules([deb], part)
            shutil.rmtree(debs)
            shutil.move(next(path for path in part.rglob("vmlinuz*")
                             if path.is_file()), part / "vmlinuz")
            relocate(part, final, c)
            fit_compiler(part / "kdir")
            fit_tools(part, final)
    return final


def relocate(part, final, c):
    """Makes headers unpacked under `part` work when it is called `final`."""
    kdir_there = part / "usr" / "src" / f"linux-headers-{c.kver}"
    for path in (kdir_there / "Makefile", kdir_there / ".kernelvariables"):
        if path.exists() and not path.is_symlink():
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"(?<=[\s=])/usr/(src|lib)/", rf"{final}/usr/\1/",
                                   text), encoding="utf-8")
    # There only to generate type information, which a test does not need and
    # which would ask for one more tool.
    (kdir_there / "vmlinux").unlink(missing_ok=True)
    (part / "kdir").symlink_to(kdir_there.relative_to(part))


# What options of a kernel's configuration take of gcc: since which version it has that.
GCC_HAS = {"CC_HAS_ASSUME": 13, "CC_HAS_TYPEOF_UNQUAL": 14,
           "CC_HAS_MIN_FUNCTION_ALIGNMENT": 14, "CC_HAS_SANE_FUNCTION_ALIGNMENT": 14,
           "CC_HAS_COUNTED_BY": 15, "CC_HAS_MULTIDIMENSIONAL_NONSTRING": 15,
           "CC_HAS_COUNTED_BY_PTR": 16}


def fit_compiler(headers):
    """Makes headers whose compiler this machine has not work with the one that it has.

    None of what differs changes how data is laid out.
    """
    variables = headers / ".kernelvariables"
    named = variables.exists() and re.search(r"gcc-\d+", variables.read_text("utf-8"))
    if not named or shutil.which(f"x86_64-linux-gnu-{named[0]}"):
        return
    gcc = common.run(["gcc", "-dumpfullversion"]).strip()
    numbers = [*order(gcc), 0, 0]
    version = numbers[0] * 10000 + numbers[1] * 100 + numbers[2]
    lacks = "|".join(option for option, since in GCC_HAS.items() if numbers[0] < since)
    for path in (headers / "include/config/auto.conf", headers / "include/generated/autoconf.h"):
        text = path.read_text("utf-8")
        if lacks:
            text = re.sub(rf"^(#define )?CONFIG_({lacks})[= ].*\n", "", text,
                          flags=re.MULTILINE)
        path.write_text(re.sub(r"(?<=CONFIG_GCC_VERSION)([= ]).*", rf"\g<1>{version}", text),
                        "utf-8")
    variables.write_text(variables.read_text("utf-8").replace(named[0], "gcc"), "utf-8")


def runtime():
    """The directory of RUNTIME, fetched but not installed."""
    packages = kept()["runtime"]
    if not packages:
        raise Fail("the tools of these headers want a newer C library than this machine's")
    final = common.cache() / f"runtime-{common.digest(*packages)}"
    with common.lock("runtime"):
        if not final.exists():
            log = common.new_log("runtime")
            with common.filling(final) as part:
                download(packages, part, log)
                for deb in list(part.glob("*.deb")):
                    unpack(deb, part)
                    deb.unlink()
    return final


def launcher(binary):
    """A script that runs a program with RUNTIME."""
    libraries = runtime()
    return (f"#!/bin/sh\nexec {libraries}/usr/lib64/ld-linux-x86-64.so.2 --library-path "
            f'{libraries}/usr/lib/x86_64-linux-gnu {binary} "$@"\n')


def sparse():
    """A sparse that newer kernels take: the machine's, or one that is not installed."""
    with tempfile.NamedTemporaryFile("w", suffix=".c", encoding="ascii") as probe:
        probe.write("static inline int f(const int *p)\n"
                    "{\n\t__typeof_unqual__(*p) v = *p;\n\n\treturn v;\n}\n")
        probe.flush()
        if "error" not in common.run(["sparse", probe.name]):
            return Path("sparse")
    script = runtime() / "sparse"
    if not script.exists():
        common.write_atomically(script, launcher(runtime() / "usr/bin/sparse"))
        script.chmod(0o755)
    return script


def fit_tools(top, final):
    """Makes the tools of headers run that want a newer C library than the machine's.

    They are under `top`, which will be called `final`.
    """
    for tool in top.glob("usr/lib/linux-kbuild-*/**/*"):
        if not tool.is_file() or tool.is_symlink() or \
                tool.open("rb").read(4) != b"\x7fELF" or \
                "not found" not in common.run(["sh", "-c", 'ldd "$1" 2>&1 || true', "ldd",
                                               tool]):
            continue
        binary = tool.rename(tool.with_name(f"{tool.name}.elf"))
        tool.write_text(launcher(final / binary.relative_to(top)), "ascii")
        tool.chmod(0o755)
    # Debian's package lacks what tells make whether the checker is new enough, see sparse().
    for scripts in top.glob("usr/lib/linux-kbuild-*/scripts"):
        if not (scripts / "checker-valid.sh").exists():
            (scripts / "checker-valid.sh").write_text("#!/bin/sh\necho 1\n", "ascii")
            (scripts / "checker-valid.sh").chmod(0o755)


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


def unpack_modules(debs, directory):
    """Unpacks what matches MODULES; not every package has something of each."""
    for deb in debs:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                              stdout=subprocess.PIPE) as stream, \
                tarfile.open(fileobj=stream.stdout, mode="r|") as archive:
            for member in archive:
                if any(fnmatch.fnmatch(member.name, pattern) for pattern in MODULES):
                    archive.extract(member, directory)
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
                download(c.modules, part, log)
                debs = list(part.glob("*.deb"))
                unpack_modules(debs, part)
                for deb in debs:
                    deb.unlink()
    return final


def modules(c, names, if_there=()):
    """Modules of a stock kernel and all that they need, in the order to load them.

    Returns {name: content}, without those that are built in, and without those of
    `if_there` that this kernel has not.
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
        if name in found or name not in if_there:
            want(name)
    return wanted


def kdir(c):
    return (fetch(c) / "kdir").resolve()


def fetch_source(c, what, final, unpack_tar):
    """Downloads the source package of a cell; unpack_tar(stream, part)."""
    with common.lock(f"source-{c.name}"):
        if final.exists():
            return final
        log = common.new_log(f"source-{c.name}")
        with common.filling(final) as part:
            package = part / ".package"
            package.mkdir()
            download([c.tree], package, log)
            deb = next(package.glob("*.deb"))
            with common.step(f"unpacking {what} of {c.source} {c.version}"):
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
    c = next((twin for twin in all_cells() if (twin.source, twin.version) ==
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


def source(c=None):
    """The newest cell, or another, and the tree of its source, never to be written to."""
    wanted = c or cells()[0]

    def extract(archive, part):
        common.run(["tar", "-xf", archive, "-C", part, "--strip-components=1",
                    "--wildcards", *(f"--exclude={pattern}" for pattern in NOT_NEEDED)],
                   what=f"unpacking {archive.name}")

    final = source_directory(wanted)
    if not final.exists():
        fetch_source(wanted, "the tree", final, extract)
    return wanted, final


def linked(tree, copy, log=None):
    """Makes a directory a copy of a tree, of hard links: files there are only ever replaced,
    never written into."""
    common.run(["cp", "-al", f"{tree}/.", copy], log, "copying the kernel's tree")


def apply(patches, directory, log=None):
    """Patches a tree, of which files may be linked: it replaces them."""
    for patch in patches:
        common.run(["patch", "-p1", "--fuzz=0", "-i", patch.absolute()], log,
                   f"applying {patch}", cwd=directory)


# --- building -----------------------------------------------------------------

def options(config):
    """The lines of a configuration that say something, without its comments."""
    return "\n".join(re.findall(r"^(?:# )?CONFIG_.*", config, re.MULTILINE))


def build(tree, directory, wanted, where, log, variables, targets):
    """Builds a kernel with few options, those of `wanted`, and keeps little of it.

    `where` is the file to correct if kconfig does not take one of them.
    """
    make = ["nice", "-n", "5", "make", "-C", tree, *variables, f"O={directory}",
            f"-j{common.jobs()}"]
    options = directory / "wanted.config"
    wanted = offered(tree, wanted, log)
    options.write_text(wanted, encoding="ascii")
    common.run([*make, "allnoconfig"], log, "configuring a kernel",
               env={"KCONFIG_ALLCONFIG": str(options)})
    check_config(wanted, (directory / ".config").read_text(encoding="ascii"), where)
    common.run([*make, *targets], log, "building a kernel")
    make_movable(directory)
    prune(directory)


def make_movable(directory):
    """Lets modules be built against a directory that is called otherwise by then.

    The Makefile there names, in newer kernels, the directory that it was made for.
    """
    path = directory / "Makefile"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(
        f"KBUILD_OUTPUT = {directory}\n",
        "KBUILD_OUTPUT = $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST)))))\n"),
        encoding="utf-8")


# Ends a line of a configuration that is only for kernels that have such an option.
IF_THERE = re.compile(r"^CONFIG_(\w+)(=\S+)\s+# if there$", re.MULTILINE)


def offered(tree, wanted, log):
    """A configuration without the options that a kernel's source has not and need not."""
    def fitted(line):
        if not re.search(rf"^(?:menu)?config {line[1]}$", there, re.MULTILINE):
            common.say(f"  this kernel has no {line[1]}")
            return ""
        return f"CONFIG_{line[1]}{line[2]}"

    if not IF_THERE.search(wanted):
        return wanted
    names = common.run(["find", tree, "-name", "Kconfig*", "-type", "f"], log).splitlines()
    there = "\n".join(Path(name).read_text(encoding="utf-8") for name in names)
    return IF_THERE.sub(fitted, wanted)


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
        "list", "list-rt", "update", "default", "image", "kdir", "dmatest", "source"])
    parser.add_argument("name", metavar="NAME", nargs="?")
    args = parser.parse_args()
    if (args.name is None) != (args.what in ("list", "list-rt", "update", "default", "source")):
        parser.error(f"{args.what} takes {'a' if args.name is None else 'no'} NAME")
    if args.what == "update":
        kept(again=True)
    if args.what in ("list", "list-rt", "update"):
        for c in known():
            if args.what == "update" or c.name.endswith("-rt") == (args.what == "list-rt"):
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
