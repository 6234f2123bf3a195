# SPDX-License-Identifier: GPL-2.0-only
"""Kernels: those that are given, stock ones, and modules for them."""

import json
import os
import re
import sys

import pytest

from helpers import call, fails, library
from lib import guest, kernel, kunit, modules

MODULES = library("lib.modules")
UNKNOWN = "no stock kernel '2.4'.*choose one of"


# --- a kernel that is given ---------------------------------------------------

def test_kdir_missing():
    """A KDIR that does not exist."""
    fails(["make", "modules", "KDIR=/nonexistent"],
          "no kernel headers in /nonexistent: install", status=2)


@pytest.mark.parametrize("files, pattern", [
    ({}, "is no kernel that modules can be built against.*give KDIR="),
    ({"Makefile": "", ".config": ""}, "has no Module.symvers: give KDIR="),
    ({"Makefile": "", ".config": "", "Module.symvers": "",
      "include/config/auto.conf": "CONFIG_MODULES=y\nCONFIG_PCI=y\n",
      "include/generated/utsrelease.h": ""}, "has CONFIG_DMA_ENGINE off"),
], ids=["empty", "without_symvers", "without_dma"])
def test_kdir(tmp_path, files, pattern):
    """A KDIR that is no kernel, one that was never built, one without the DMA engine core."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    fails([*MODULES, "--kdir", tmp_path], pattern)


def test_variable_malformed():
    """An argument that is no variable."""
    fails([*MODULES, "frobnicate"], "is not VAR=VALUE", status=2)


# --- modules ------------------------------------------------------------------

def test_modules_unchanged(tmp_path):
    """Modules that are built already, and what makes them be built again."""
    header = tmp_path / "header.h"
    header.write_text("")
    (tmp_path / ".built").write_text(json.dumps({
        "key": "a", "told": ["warning"], "files": modules.states([header])}))
    assert modules.unchanged(tmp_path, "a") == ["warning"]
    assert modules.unchanged(tmp_path, "b") is None
    os.utime(header, (1, 1))
    assert modules.unchanged(tmp_path, "a") is None


def test_modprobe_index():
    """What modprobe in a guest is told."""
    module = b"\0depends=%s\0"
    said = guest.modprobe({
        "a.ko": module % b"b-c,gone", "lib/b_c.ko": module % b"d", "d.ko": module % b"",
        "a.txt": b""})["modules.dep"].decode()
    assert said == "/a.ko: /lib/b_c.ko /d.ko\n/lib/b_c.ko: /d.ko\n/d.ko: \n"


# --- stock kernels ------------------------------------------------------------

def test_unknown():
    """A stock kernel that does not exist."""
    fails(library("lib.kernel", "image", "2.4"), UNKNOWN)


def test_mirror_without_a_suite(programs, tmp_path):
    """A mirror that has not all suites."""
    programs.write("apt-get", """\
case "$*" in
*indextargets*) echo http://mirror trixie-backports /lists/Packages ;;
*) echo 'E: Release file is expired'; exit 100 ;;
esac
""")
    text = "from lib import common, kernel; import pathlib, sys; kernel.debian_lists(" \
        "pathlib.Path(sys.argv[1]), common.new_log('selftest-mirror'), " \
        "['trixie-backports', 'sid'])"
    path = f"{programs.directory}:{os.environ['PATH']}"
    code, said = call([sys.executable, "-c", text, tmp_path], {"PATH": path})
    assert code == 0, said
    assert re.search("going on without sid: .*expired", said), said


def test_apt_missing(programs, tmp_path):
    """A distribution without apt."""
    programs.link("env")
    fails(library("lib.kernel", "list"), "apt-(cache|get) is missing: .*Debian or Ubuntu",
          env=programs.env(LOOPDMA_CACHE=str(tmp_path)))


def test_download_without_network(programs, tmp_path):
    """A stock kernel, empty cache, no network."""
    # The lists are there, the packages are not to be had.
    programs.write("apt-get", "echo 'Err:1 http://mirror Could not resolve'\nexit 100\n")
    fails(library("lib.kernel", "image", kernel.cells()[0].name), "is there a network\\?",
          env={"PATH": f"{programs.directory}:{os.environ['PATH']}",
               "LOOPDMA_CACHE": str(tmp_path)})


@pytest.mark.parametrize("lost, wanted", [
    ((), "7.3.10-1"), (("source_10",), "7.3.4-1"),
    (("source_10", "binary-7.3.4+deb13-amd64_4"), None)], ids=["none", "one", "both"])
def test_gone(monkeypatch, lost, wanted):
    """A stock kernel that is listed, but not on the mirror."""
    def packages(version):
        kver = f"7.3.{version}+deb13-amd64"
        return {f"linux-{what}": [{"Package": f"linux-{what}", "Version": f"7.3.{version}-1",
                                   "Get": f"http://mirror/{what}_{version} SHA256:0",
                                   "Depends": f"linux-binary-{kver}, linux-modules-{kver}"
                                   if what.startswith("image-") else ""}]
                for what in (f"image-{kver}", f"headers-{kver}", f"binary-{kver}",
                             f"modules-{kver}")}

    there = {**packages(4), **packages(10), "linux-source-7.3": [
        {"Version": f"7.3.{version}-1", "Get": f"http://mirror/source_{version} SHA256:0"}
        for version in (10, 4)], "linux-image-amd64": [
            {"Version": "7.3.10-1", "Depends": "linux-image-7.3.10+deb13-amd64 (= 7.3.10-1)"}]}
    monkeypatch.setattr(kernel, "absent", lambda package: any(name in package for name in lost))
    found = kernel.resolve("linux-image-amd64", "sid", there)
    assert (found and found.version) == wanted


# --- their configuration, and their image -------------------------------------

def test_configured():
    """A variant of a kernel's configuration."""
    found = kunit.configured("# A.\nCONFIG_A=y\nCONFIG_AB=m\n# CONFIG_C is not set\n",
                             "# B.\n# CONFIG_A is not set\nCONFIG_C=y\n")
    assert found.splitlines() == ["# A.", "CONFIG_AB=m", "# B.", "# CONFIG_A is not set",
                                  "CONFIG_C=y"]


def test_offers(tmp_path):
    """A configuration with an option that a kernel has not."""
    (tmp_path / "Kconfig").write_text("config A\n\tbool\nconfig AB\n", "ascii")
    found = kernel.offered(tmp_path, "CONFIG_A=y\t# if there\nCONFIG_B=y # if there\n"
                           "CONFIG_C=y\n", tmp_path / "log")
    assert found == "CONFIG_A=y\n\nCONFIG_C=y\n"


def header(payload=0):
    made = bytearray(0x250)
    made[0x202:0x206] = b"HdrS"
    made[0x24c:0x250] = payload.to_bytes(4, "little")
    return bytes(made)


# A packer that is not known, and some that find their data damaged.
@pytest.mark.parametrize("image", [
    b"", b"\x7fELF", header(), header() + b"\x00" * 4096, *(
        header(len(magic + b"size")).ljust(5 * 512, b"\0") + magic + b"size"
        for magic in (b"LZIP....", b"\xfd7zXZ\0damaged", b"\x1f\x8bdamaged"))],
    ids=["empty", "elf", "header", "no_payload", "lzip", "xz", "gzip"])
def test_packed(image):
    """A kernel image that cannot be unpacked is booted as it is."""
    assert not kernel.PVH_NOTE.search(kernel.payload(image))
