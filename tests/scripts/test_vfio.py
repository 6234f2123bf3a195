# SPDX-License-Identifier: GPL-2.0-only
"""drop-in.sh on trees that are none, and twice on one that is."""

import pytest

from helpers import call, fails
from lib import common

DROP_IN = common.ROOT / "tests" / "vfio" / "drop-in.sh"

LIB = "tools/testing/selftests/vfio/lib"
FILES = {
    "libvfio.mk": "LIBVFIO_C += drivers/igb/igb.c\n",
    "vfio_pci_driver.c": "extern struct vfio_pci_driver_ops igb_ops;\n"
                         "static struct vfio_pci_driver_ops *driver_ops[] = {\n"
                         "\t&igb_ops,\n};\n",
}


def tree(top, files):
    (top / LIB).mkdir(parents=True)
    for name, text in files.items():
        (top / LIB / name).write_text(text, encoding="ascii")


def test_usage():
    fails([DROP_IN], "Puts loopdma's driver into LINUX", status=2)


def test_no_selftests(tmp_path):
    fails([DROP_IN, tmp_path], "has no VFIO selftests: give a tree of Linux")


@pytest.mark.parametrize("name", FILES)
def test_other_kernel(tmp_path, name):
    """A file without the line that another is to follow stays as it is."""
    tree(tmp_path, FILES | {name: "other\n"})
    fails([DROP_IN, tmp_path], "this kernel is not supported")
    assert (tmp_path / LIB / name).read_text(encoding="ascii") == "other\n"


def test_twice(tmp_path):
    tree(tmp_path, FILES)
    for _ in range(2):
        assert call([DROP_IN, tmp_path]) == (0, "")
    for name, line in (("libvfio.mk", "LIBVFIO_C += drivers/loopdma/loopdma.c\n"),
                       ("vfio_pci_driver.c", "\t&loopdma_ops,\n")):
        assert (tmp_path / LIB / name).read_text(encoding="ascii").count(line) == 1
    assert (tmp_path / LIB / "drivers/loopdma/hw.h").exists()
