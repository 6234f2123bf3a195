# SPDX-License-Identifier: GPL-2.0-only
"""User programs drive the device through VFIO, which lets it reach what they map alone.

Linux's own VFIO selftests, those of the newest kernel's source,
tools/testing/selftests/vfio, with tests/vfio/loopdma.c among their drivers, run behind an
intel-iommu in every mode that they have, on a kernel that has these modes: Debian's has
no IOMMUFD.  The same programs then drive an igb in the same guest, which is what their authors
use; what they say of that is counted, and judges nobody.  The job is tests/guest/vfio.  The example tests/vfio/vfio-copy.c runs on
stock kernels.
"""

from lib import guest, kernel, kunit, needs, vfio
from lib.case import of_guest, told_by
from lib.lane import Need, Task

# The programs pin a GiB, again and again.
MEM = 3072

# What the IOMMU says of addresses that the selftests and vfio-copy have mapped nowhere.
FAULTS = (r"DMAR: DRHD: handling fault status reg|"
          r"DMAR: \[DMA (Read|Write)[^]]*\] Request device .* fault addr 0x(80000000|800000) ")

# Of a stock kernel.
MODULES = ("vfio_iommu_type1", "vfio_pci")


def vfio_guest(image, name, job, files, **options):
    return guest.run(guest.Guest(
        kernel=image, name=name, job=job, files=files | guest.job_files("vfio_bind"),
        device="channels=2",
        allowed=((FAULTS, "addresses that are not mapped, on purpose"),), **options))


def selftests():
    return told_by("selftests", vfio_guest(
        kunit.lacking_kernel() / "arch/x86/boot/bzImage", "vfio-selftests",
        f"sh /vfio {' '.join(vfio.PROGRAMS)}\n",
        vfio.programs() | guest.job_files("vfio"), mem=MEM, other_devices=("igb",)))


def example(cell):
    modules = kernel.modules(cell, MODULES)
    load = "".join(f"insmod /{name}.ko\n" for name in modules)
    return [of_guest(f"vfio-copy {cell.name}", vfio_guest(
        kernel.image(cell), f"vfio-copy-{cell.name}",
        f"set -e\n{load}. /vfio_bind\n/vfio-copy $device\n",
        {f"{name}.ko": content for name, content in modules.items()} |
        {"vfio-copy": vfio.example()}))]


def tasks():
    return [Task("selftests", selftests, (needs.lacking_kernel, Need(
        "VFIO selftests", vfio.programs, (needs.kernel_source,))), full=True)] + [
        Task(f"vfio-copy {cell.name}", lambda cell=cell: example(cell),
             (needs.stock_modules,), full=True) for cell in kernel.cells()]
