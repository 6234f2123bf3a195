# SPDX-License-Identifier: GPL-2.0-only
"""Guests that have a DMA engine which is not ours: ZDMA of QEMU's machine xlnx-zcu102.

It is driven by the kernel's own zynqmp_dma.  The kernel is as small as can be, the programs
are those of Debian for arm64, and all of it is emulated.
"""

import dataclasses
import shutil
from pathlib import Path

from lib import common, guest, kernel
from lib.common import Fail

CONFIG = common.ROOT / "scripts" / "configs" / "zcu102.config"
DEVICE_TREE = CONFIG.with_suffix(".dts")

QEMU = "qemu-system-aarch64"
CROSS = "aarch64-linux-gnu-"
COMPILER = f"{CROSS}gcc"
MAKE = ("ARCH=arm64", f"CROSS_COMPILE={CROSS}")

# Of this suite of Debian, which is not newer than the compiler's C library.
SUITE = "bookworm"


def check_tools():
    for program in (QEMU, COMPILER, "dtc"):
        if not shutil.which(program):
            raise Fail(f"{program} is missing: run 'scripts/deps.sh peers'")


def kernel_directory(more=None):
    """The build directory of the guest's kernel: built once, then cached.

    With a file of more options, the kernel that has these, too.
    """
    check_tools()
    newest, tree = kernel.source()
    wanted = "".join(path.read_text(encoding="ascii") for path in (CONFIG, more) if path)
    targets = ["Image", "modules"] if "\nCONFIG_MODULES=y\n" in wanted else ["Image"]
    final = common.cache() / "zcu102" / (f"{newest.version}-" + common.digest(
        kernel.options(wanted), common.run([COMPILER, "-dumpfullversion"])))
    with common.lock("zcu102"):
        if not final.exists():
            where = more or CONFIG
            log = common.new_log(f"kernel-{where.stem}")
            with common.filling(final) as part, common.step(
                    f"building the kernel of xlnx-zcu102 {newest.name} (once; 2 to 5 minutes)"):
                kernel.build(tree, part, wanted, where, log, list(MAKE), targets)
    return final


def image(directory):
    return directory / "arch" / "arm64" / "boot" / "Image"


def device_tree():
    blob = common.BUILD / "zcu102.dtb"
    blob.parent.mkdir(parents=True, exist_ok=True)
    common.run(["dtc", "-I", "dts", "-O", "dtb", "-o", blob, DEVICE_TREE])
    return blob


def fetched(package):
    """The directory of a package of Debian for arm64."""
    final = common.cache() / f"{package}-arm64"
    with common.lock(final.name):
        if not final.exists():
            log = common.new_log(final.name)
            with common.filling(final) as part, common.step(f"downloading {package} for arm64"):
                lists = part / "apt"
                options = kernel.debian_lists(lists, log, [SUITE], "arm64")
                common.run(["apt-get", *kernel.APT, *options, "download", package], log,
                           f"downloading {package} (is there a network?)", cwd=part)
                shutil.rmtree(lists)
                deb = next(part.glob("*.deb"))
                kernel.unpack(deb, part)
                deb.unlink()
    return final


@dataclasses.dataclass
class Guest(guest.Guest):
    """A guest of that machine."""

    def own_files(self):
        return {"init": guest.INIT, "bin/busybox": fetched("busybox-static") / "bin" / "busybox",
                "job": self.job.encode()}

    def program(self):
        return QEMU

    def command(self, initrd):
        # mitigations: as in our guests.
        append = ["console=ttyPS0", "panic=-1", "oops=panic", "loglevel=7",
                  "mitigations=off", f"nr_cpus={self.smp}", self.append]
        prealloc = "on" if self.prealloc else "off"
        return [self.program(), "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-machine", "xlnx-zcu102,memory-backend=ram",
                "-accel", "tcg,thread=multi", "-smp", str(self.smp),
                "-m", str(self.mem), "-object",
                f"memory-backend-ram,id=ram,size={self.mem}M,prealloc={prealloc}",
                # The machine has a sound card.
                "-audiodev", "none,id=none",
                "-kernel", str(self.kernel), "-dtb", str(device_tree()),
                "-initrd", str(initrd), "-append", " ".join(append), *self.ports()]
