# SPDX-License-Identifier: GPL-2.0-only
"""Linux's own VFIO selftests, with loopdma among their drivers."""

import shutil

from lib import common, kernel

DROP_IN = common.ROOT / "tests" / "vfio" / "drop-in.sh"
DRIVER = (common.ROOT / "tests" / "vfio" / "loopdma.c",
          common.ROOT / "include" / "loopdma" / "hw.h", DROP_IN)

# What the selftests are made of, in the archive of a kernel's source.  Their drivers for
# other devices take headers from the kernel's.
FILES = ["*/tools/testing/selftests/vfio/*", "*/tools/testing/selftests/*.h",
         "*/tools/testing/selftests/lib.mk", "*/tools/include/*",
         "*/tools/arch/x86/include/*", "*/tools/scripts/*", "*/scripts/subarch.include",
         "*/include/linux/pci_ids.h", "*/drivers/dma/ioat/*.h", "*/drivers/dma/idxd/*.h",
         "*/drivers/net/ethernet/intel/igb/*.h"]

PROGRAMS = ("vfio_pci_device_test", "vfio_pci_driver_test", "vfio_dma_mapping_test",
            "vfio_dma_mapping_mmio_test", "vfio_iommufd_setup_test")


def example():
    """The program tests/vfio/vfio-copy.c, for a guest."""
    return common.program(common.ROOT / "tests" / "vfio" / "vfio-copy.c", "-static",
                          f"-I{common.ROOT / 'include'}")


def sources():
    """The selftests of the newest kernel, never to be written to."""
    cell = kernel.cells()[0]
    final = common.cache() / "vfio" / f"source-{cell.version}-{common.digest(*FILES)}"

    def extract(archive, part):
        common.run(["tar", "-xf", archive, "-C", part, "--strip-components=1",
                    "--wildcards", *FILES], what=f"unpacking {archive.name}")

    return kernel.fetch_source(cell, "the VFIO selftests", final, extract)


def headers():
    """The headers of the newest kernel for user programs."""
    cell, tree = kernel.source()
    final = common.cache() / "vfio" / f"headers-{cell.version}"
    with common.lock("vfio-headers"):
        if not final.exists():
            log = common.new_log("vfio-headers")
            with common.filling(final) as part, common.step("installing the kernel's headers"):
                common.run(["make", "-C", tree, f"O={part}", "ARCH=x86_64", "headers"], log,
                           "make headers")
    return final / "usr" / "include"


def programs():
    """The selftests' programs, static: {name: path}."""
    tree, include = sources(), headers()
    final = common.cache() / "vfio" / ("built-" + common.digest(
        tree, include, *(path.read_text(encoding="utf-8") for path in DRIVER)))
    with common.lock("vfio"):
        if not final.exists():
            log = common.new_log("vfio")
            with common.filling(final) as part, common.step("building the VFIO selftests"):
                linux, out = part / "linux", part / "out"
                out.mkdir()
                common.run(["cp", "-a", tree, linux])
                common.run([DROP_IN, linux], log)
                common.run(["make", "-C", linux / "tools/testing/selftests/vfio",
                            f"-j{common.jobs()}", f"KHDR_INCLUDES=-isystem {include}",
                            "LDFLAGS=-static -pthread", f"OUTPUT={out}"], log,
                           "building the VFIO selftests")
                shutil.rmtree(linux)
    return {name: final / "out" / name for name in PROGRAMS}
