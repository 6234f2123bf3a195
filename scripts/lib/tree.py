# SPDX-License-Identifier: GPL-2.0-only
"""Guests of lanes on a kernel tree of the user's."""

import dataclasses
import re

from lib import guest, modules, target
from lib.case import Case


def lacking(tree, *options):
    """The case that says that the kernel lacks options; None if it has them."""
    off = [f"CONFIG_{option}" for option in options if not tree.has(option)]
    if not off:
        return None
    are = "is off" if len(off) == 1 else "are off"
    return Case(", ".join(off), "SKIP", f"{are}: add {' '.join(f'{name}=y' for name in off)}, "
                f"or all that a guest needs: {target.merge()}")


def run(tree, make, name, options=(), **more):
    """Runs a guest with dmatest on the tree, of which make() gives the rest.

    Returns its outcome and no cases, or None and the case that says why it cannot run.
    """
    missing = lacking(tree, *options)
    if missing:
        return None, [missing]
    dmatest = tree.dmatest()
    if not dmatest:
        how = "is built in" if tree.has("DMATEST") else "is missing"
        return None, [Case(name, "SKIP", f"dmatest {how}: set CONFIG_DMATEST=m")]
    files = guest.module_files(modules.build(tree.kdir())[0]) | {"dmatest.ko": dmatest}
    one = make(tree.image(), files, **more)
    return guest.run(dataclasses.replace(
        one, name=re.sub(r"\W+", "-", f"own {name}"), iommu=tree.iommu,
        again=f"make check KDIR={tree.directory} LANES={name.split('-', maxsplit=1)[0]}")), []
