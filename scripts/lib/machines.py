# SPDX-License-Identifier: GPL-2.0-only
"""Guests that have a DMA engine which is not ours, of the machines that QEMU has.

Each is driven by the kernel's own provider.  The kernel is as small as can be, the programs
are those of Debian for its architecture, and all of it is emulated.
"""

import dataclasses
import functools
import re
import shutil
import tempfile
from pathlib import Path

from lib import common, guest, kernel, modules
from lib.common import Fail

CONFIGS = common.ROOT / "scripts" / "configs" / "machines"
# What half of all providers need, in the kernel's tree.
VIRTUAL = "drivers/dma/virt-dma.c"
# Options beside those of a machine.
CHECKS = CONFIGS / "checks.config"
USER = CONFIGS / "user.config"


@functools.lru_cache(maxsize=None)
def mended_qemu():
    """The QEMU with Documentation/findings/qemu-*.patch, built if need be."""
    return common.build_qemu(common.ROOT, models=True)


def texts(patches):
    try:
        return [patch.read_text(encoding="utf-8") for patch in patches]
    except OSError as e:
        raise Fail(f"cannot read the patch {e.filename}: {e.strerror}") from None


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine of QEMU."""
    name: str           # as QEMU has it
    provider: str       # name of its driver, as dev_driver_string() tells it
    source: str         # of the driver, in the kernel's tree
    option: str         # of the driver, in the kernel's configuration
    qemu: str           # program
    arch: str           # of the kernel
    debian: str         # architecture of Debian
    suite: str          # of Debian, whose programs it runs
    cross: str          # prefix of the compiler
    image: str          # what is booted
    console: str
    mem: int = 512      # MiB
    cpus: int = 1       # it has no fewer
    arguments: tuple = ()       # of QEMU
    more: tuple = ()            # files with options that its kernel has beside the checks
    built_in: bool = False      # the driver cannot be a module
    mended: bool = False        # it takes a QEMU whose models are mended

    @property
    def config(self):
        return CONFIGS / f"{self.name}.config"

    @property
    def compiler(self):
        return f"{self.cross}gcc"

    @property
    def make(self):
        return (f"ARCH={self.arch}", f"CROSS_COMPILE={self.cross}")

    @property
    def program(self):
        return mended_qemu() if self.mended else self.qemu

    def check_tools(self):
        # One that has to be built is, before anybody waits for a guest.
        for program in (self.program, self.compiler, "dtc"):
            if not shutil.which(program):
                raise Fail(f"{program} is missing: run 'scripts/deps.sh peers'")

    def kernel_directory(self, checked=False, patches=()):
        """The build directory of its kernel: built once, then cached.

        One that is checked has KUnit and all that finds mistakes, and its provider as a
        module, in place of which another one can be tried.  Patches are for a provider that
        cannot be a module.
        """
        more = (CHECKS, *self.more) if checked else ()
        self.check_tools()
        newest, tree = kernel.source()
        if patches:
            tree = self.tree_with(patches, tree)
        wanted = "".join(path.read_text(encoding="ascii") for path in (self.config, *more))
        if checked and not self.built_in:
            wanted = wanted.replace(f"CONFIG_{self.option}=y", f"CONFIG_{self.option}=m")
        targets = [self.image, "modules"]
        final = common.cache() / "machines" / (f"{self.name}-{newest.version}-" + common.digest(
            kernel.options(wanted), " ".join(targets),
            common.run([self.compiler, "-dumpfullversion"]),
            *texts(patches)))
        with common.lock(f"machine-{self.name}"):
            if not final.exists():
                log = common.new_log(f"kernel-{self.name}")
                with common.filling(final) as part, common.step(
                        f"building the kernel of {self.name} {newest.name} (once; 2 to 9 "
                        "minutes)"):
                    kernel.build(tree, part, wanted, more[-1] if more else self.config, log,
                                 list(self.make), targets)
        return final

    def tree_with(self, patches, tree):
        """A tree of the kernel that has patches, whose other files are the same ones."""
        final = tree.with_name(f"{tree.name}-{common.digest(*texts(patches))}")
        with common.lock(final.name):
            if not final.exists():
                with common.filling(final) as part:
                    kernel.linked(tree, part)
                    kernel.apply(patches, part)
        return final

    def provider_modules(self, directory, patches=()):
        """The provider and what it needs, in the order in which they are loaded.

        That is [(name, file)], of the directory of a kernel that is checked: none if they
        are built in.  With patches, they are built with those.
        """
        built = [(directory / path).with_suffix(".ko") for path in (VIRTUAL, self.source)]
        built = [path for path in built if path.exists()]
        if patches and built:
            place, _ = modules.build(directory, f"-{self.name}-patched", self.make,
                                     wanted=self.patched(patches, [path.stem for path in built]))
            built = [place / path.name for path in built]
        return [(path.name, path) for path in built]

    def patched(self, patches, names):
        """The sources of the modules that are called so with patches: {path: content}."""
        _, tree = kernel.source()
        sources = [Path(path) for path in (VIRTUAL, self.source) if Path(path).stem in names]
        named = {Path(name) for text in texts(patches) for name in
                 re.findall(r"^\+\+\+ b/(\S+)", text, re.MULTILINE)}
        paths = {*sources, *(path for path in named if (tree / path).exists()),
                 *(path.relative_to(tree) for directory in
                   {Path(path).parent for path in (VIRTUAL, self.source)}
                   for path in (tree / directory).glob("*.h"))}
        with tempfile.TemporaryDirectory() as scratch:
            for path in paths:
                target = Path(scratch) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(tree / path, target)
            kernel.apply(patches, scratch)
            files = {path: (Path(scratch) / path).read_bytes() for path in paths}
        for directory in {path.parent for path in sources}:
            files[directory / "Makefile"] = "".join(
                f"obj-m += {path.stem}.o\n" for path in sources
                if path.parent == directory).encode()
        files[Path("Kbuild")] = "".join(f"obj-m += {directory}/\n" for directory in sorted(
            {path.parent for path in sources})).encode()
        return files

    def kernel_image(self, directory):
        return directory / "arch" / self.arch / "boot" / self.image

    def device_tree(self):
        """The file with ours, or None: QEMU makes one."""
        source = self.config.with_suffix(".dts")
        if not source.exists():
            return None
        blob = common.BUILD / f"{self.name}.dtb"
        blob.parent.mkdir(parents=True, exist_ok=True)
        common.run(["dtc", "-I", "dts", "-O", "dtb", "-o", blob, source])
        return blob

    def fetched(self, package):
        """The directory of a package of Debian for its architecture."""
        final = common.cache() / f"{package}-{self.debian}"
        with common.lock(final.name):
            if not final.exists():
                log = common.new_log(final.name)
                with common.filling(final) as part, \
                        common.step(f"downloading {package} for {self.debian}"):
                    lists = part / "apt"
                    options = kernel.debian_lists(lists, log, [self.suite], self.debian)
                    common.run(["apt-get", *kernel.APT, *options, "download", package], log,
                               f"downloading {package} (is there a network?)", cwd=part)
                    shutil.rmtree(lists)
                    deb = next(part.glob("*.deb"))
                    kernel.unpack(deb, part)
                    deb.unlink()
        return final


# The suite is not newer than the compiler's C library; riscv64 is not in that one.
ZCU102 = Machine(
    "xlnx-zcu102", "xilinx-zynqmp-dma", "drivers/dma/xilinx/zynqmp_dma.c",
    "XILINX_ZYNQMP_DMA", "qemu-system-aarch64", "arm64", "arm64", "bookworm",
    "aarch64-linux-gnu-", "Image", "ttyPS0",
    # The machine has a sound card.
    arguments=("-audiodev", "none,id=none"), more=(USER,))

MACHINES = {machine.name: machine for machine in (
    ZCU102,
    Machine("sifive_u", "sf-pdma", "drivers/dma/sf-pdma/sf-pdma.c", "SF_PDMA",
            "qemu-system-riscv64", "riscv", "riscv64", "trixie", "riscv64-linux-gnu-", "Image",
            "ttySIF0", cpus=2),
    Machine("raspi3b", "bcm2835-dma", "drivers/dma/bcm2835-dma.c", "DMA_BCM2835",
            "qemu-system-aarch64", "arm64", "arm64", "bookworm", "aarch64-linux-gnu-", "Image",
            "ttyAMA0", mem=1024, cpus=4, mended=True),
    Machine("xilinx-zynq-a9", "dma-pl330", "drivers/dma/pl330.c", "PL330_DMA",
            "qemu-system-arm", "arm", "armhf", "bookworm", "arm-linux-gnueabihf-", "zImage",
            "ttyPS0"),
    # It cannot have more memory.
    Machine("versatilepb", "pl08xdmac", "drivers/dma/amba-pl08x.c", "AMBA_PL08X",
            "qemu-system-arm", "arm", "armel", "bookworm", "arm-linux-gnueabihf-", "zImage",
            "ttyAMA0", mem=256, built_in=True, mended=True,
            # The machine has a sound card.
            arguments=("-audio", "none")))}


@dataclasses.dataclass
class Guest(guest.Guest):
    """A guest of such a machine, whose kernel is in a build directory."""
    machine: Machine = ZCU102

    def own_files(self):
        busybox = self.machine.fetched("busybox-static")
        return {"init": guest.INIT, "job": self.job.encode(), "bin/busybox": next(
            path for path in (busybox / "bin/busybox", busybox / "usr/bin/busybox")
            if path.exists())}

    def program(self):
        return self.machine.program

    def command(self, initrd):
        machine = self.machine
        # mitigations: as in our guests.
        append = [f"console={machine.console}", "panic=-1", "loglevel=7", "mitigations=off",
                  f"nr_cpus={self.smp}", self.append]
        tree = machine.device_tree()
        prealloc = "on" if self.prealloc else "off"
        return [self.program(), "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-machine", f"{machine.name},memory-backend=ram",
                "-accel", f"tcg,thread={'single' if self.icount else 'multi'}",
                *(["-icount", self.icount] if self.icount else []), "-smp",
                str(max(self.smp, machine.cpus)),
                "-m", str(self.mem), "-object",
                f"memory-backend-ram,id=ram,size={self.mem}M,prealloc={prealloc}",
                *machine.arguments, "-kernel", str(self.kernel),
                *(["-dtb", str(tree)] if tree else []),
                "-initrd", str(initrd), "-append", " ".join(filter(None, append)),
                *self.ports()]
