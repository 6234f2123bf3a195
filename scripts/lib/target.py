# SPDX-License-Identifier: GPL-2.0-only
"""The kernel of a guest: a stock one, or a tree of one's own.

Both say where their image is, what modules are built against, and what they have
of the modules that a guest loads.
"""

import os
import re
from pathlib import Path

from lib import common, kernel, modules
from lib.common import Fail

GUEST_CONFIG = common.ROOT / "scripts" / "configs" / "guest.config"

# What the folder that is shared with the host takes, in the kernel.
SHARE_MODULES = ("virtio_pci", "9pnet_virtio", "9p")


class Stock:
    """A kernel of the distribution."""

    def __init__(self, name=""):
        self.cell = kernel.cell(name) if name else kernel.cells()[0]
        self.name = self.cell.name
        self.release = self.cell.kver
        self.iommu = "strict"

    def image(self):
        return kernel.image(self.cell)

    def kdir(self):
        return kernel.kdir(self.cell)

    def dmatest(self):
        """dmatest.ko, None if it is built in."""
        return modules.build_dmatest(self.kdir(), kernel.dmatest(self.cell))

    def modules(self, names):
        """Modules of the kernel and what they need, without what is built in."""
        return kernel.modules(self.cell, names)

    def lacks(self):
        """What the kernel has not, in lines for people."""
        return []


# What a guest cannot do without: the option, and the line for .config where that is
# another one.
NEEDED = {
    "64BIT": "", "MODULES": "", "MODULE_UNLOAD": "", "PCI": "", "ACPI": "", "TTY": "",
    "PRINTK": "", "SERIAL_8250": "", "SERIAL_8250_CONSOLE": "", "BLK_DEV_INITRD": "",
    "BINFMT_ELF": "", "BINFMT_SCRIPT": "", "PROC_FS": "", "SYSFS": "", "DEVTMPFS": "",
    "TMPFS": "", "DEBUG_FS": "",
    # Nobody can ask for it: it is selected by the providers.
    "DMA_ENGINE": "CONFIG_DMADEVICES=y CONFIG_ALTERA_MSGDMA=m",
}

# What it can do without, and what is missing then.
WANTED = {
    "PCI_MSI": "no MSI: the device interrupts by INTx",
    "INTEL_IOMMU": "no IOMMU",
    "EVENT_TRACING": "no tracepoints",
    "9P_FS": "no folder shared with the host",
}

ASK_FOR = {"EVENT_TRACING": "CONFIG_FTRACE=y CONFIG_FUNCTION_TRACER=y",
           "9P_FS": "CONFIG_VIRTIO_PCI=y CONFIG_NET_9P=y CONFIG_NET_9P_VIRTIO=y "
                    "CONFIG_9P_FS=y"}


class Tree:
    """A kernel that somebody has built: its tree, or the directory it was built in."""

    def __init__(self, directory):
        self.directory = Path(directory).expanduser().absolute()
        self.packed = self.directory / "arch/x86/boot/bzImage"
        self.check()
        self.name = str(self.directory)
        text = (self.directory / "include/generated/utsrelease.h").read_text("ascii")
        self.release = re.search(r'"(.+)"', text)[1]
        self.iommu = "strict" if self.has("INTEL_IOMMU") else "off"
        self.paths = self.built = None

    def check(self):
        there = self.directory
        if not there.is_dir():
            raise Fail(f"no directory KDIR={there}: give the kernel tree, or the directory "
                       "that it was built in (O=)")
        if re.search(r"\s", str(there)):
            raise Fail(f"make cannot build modules in '{there}': move the tree to a path "
                       "without spaces")
        if not self.packed.exists():
            more = "build it first: make -j$(nproc)" if (there / ".config").exists() else \
                "give a tree that was built, or the directory that it was built in (O=)"
            raise Fail(f"KDIR={there} has no arch/x86/boot/bzImage: {more}")
        for name in ("Module.symvers", "include/config/auto.conf",
                     "include/generated/utsrelease.h"):
            if not (there / name).exists():
                raise Fail(f"KDIR={there} has no {name}: build the kernel and its modules "
                           "first: make -j$(nproc)")
        text = (there / "include/config/auto.conf").read_text(encoding="utf-8")
        self.options = dict(re.findall(r"^CONFIG_(\w+)=([ym])$", text, re.MULTILINE))
        missing = [option for option in NEEDED if self.options.get(option) != "y"]
        if missing:
            lines = " ".join(NEEDED[option] or f"CONFIG_{option}=y" for option in missing)
            are = "is off" if len(missing) == 1 else "are off"
            raise Fail(f"{', '.join(f'CONFIG_{option}' for option in missing)} {are}: add "
                       f"{lines} to {there}/.config and build again, or merge all that a "
                       f"guest needs: {merge()}")

    def has(self, option):
        return option in self.options

    def lacks(self):
        said = []
        for option, without in WANTED.items():
            if not self.has(option):
                lines = ASK_FOR.get(option, f"CONFIG_{option}=y")
                said.append(f"CONFIG_{option} is off, {without}: add {lines}")
        if not self.has("DMATEST") and not self.dmatest_source():
            said.append("CONFIG_DMATEST is off, no dmatest: add CONFIG_DMATEST=m")
        return said

    def image(self):
        """The kernel image: unpacked if QEMU can boot that, see kernel.image()."""
        place = common.BUILD / "kernels" / common.digest(
            self.directory, self.packed.stat().st_mtime_ns, self.packed.stat().st_size)
        unpacked = place / "vmlinux"
        if not unpacked.exists():
            data = kernel.payload(self.packed.read_bytes())
            if not kernel.PVH_NOTE.search(data):
                return self.packed
            place.mkdir(parents=True, exist_ok=True)
            part = place / f"vmlinux.{os.getpid()}"
            part.write_bytes(data)
            part.rename(unpacked)
        return unpacked

    def kdir(self):
        return self.directory

    def source(self):
        """The directory of the sources, which a kernel built elsewhere links to."""
        link = self.directory / "source"
        return link.resolve() if link.exists() else self.directory

    def dmatest_source(self):
        path = self.source() / "drivers/dma/dmatest.c"
        return path if path.exists() else None

    def dmatest(self):
        """dmatest.ko, the tree's own or built from its source; None if there is none to
        load."""
        if self.options.get("DMATEST") == "y":
            return None
        own = self.directory / "drivers/dma/dmatest.ko"
        if self.has("DMATEST") and own.exists():
            return own
        source = self.dmatest_source()
        return modules.build_dmatest(self.directory, source) if source else None

    def modules(self, names):
        """Modules of the kernel and what they need, without what is built in."""
        if self.paths is None:
            text = (self.directory / "modules.order").read_text(encoding="utf-8")
            # Older kernels list the objects that modules are made of.
            self.paths = {stem(line): self.directory / re.sub(r"\.o$", ".ko", line)
                          for line in text.split()}
            text = (self.directory / "modules.builtin").read_text(encoding="utf-8")
            self.built = {stem(line) for line in text.split()}
        wanted = {}

        def want(name):
            name = name.replace("-", "_")
            if name in wanted or name in self.built:
                return
            if name not in self.paths or not self.paths[name].exists():
                raise Fail(f"the kernel in {self.directory} has no module {name}: merge all "
                           f"that a guest needs: {merge()}")
            content = self.paths[name].read_bytes()
            for need in needs(content):
                want(need)
            wanted[name] = content

        for name in names:
            want(name)
        return wanted


def merge():
    return f"scripts/kconfig/merge_config.sh .config {GUEST_CONFIG}"


def stem(path):
    return Path(path).stem.replace("-", "_")


def needs(module):
    """Names of the modules that a module needs, as modinfo says it."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return found[1].decode().split(",") if found and found[1] else []


def made_for(module):
    """The kernel release that a module was built for; "" if it does not tell."""
    found = re.search(rb"\0vermagic=([^ \0]*)", module)
    return found[1].decode() if found else ""


def choose(name, directory):
    """The kernel that KERNEL= or KDIR= names, or the distribution's own."""
    if name and directory:
        raise Fail("KERNEL= names a stock kernel, KDIR= a tree of yours: give one of them")
    return Tree(directory) if directory else Stock(name)
