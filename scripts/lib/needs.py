# SPDX-License-Identifier: GPL-2.0-only
"""What tasks need to be built before they start: each with all cores, one after the other.

Tasks name these functions; see lib/lane.py.
"""

import functools

from lib import common, guest, kernel, kunit


def qemu():
    common.qemu()


def guests():
    """What boots a guest, besides its kernel."""
    common.qemu()
    guest.busybox()


@functools.lru_cache(maxsize=None)
def special_qemu(sanitizer=None, release=None):
    """A QEMU with a sanitizer, or of another release."""
    return lambda: common.build_qemu(common.ROOT, sanitizer, release)


def kernel_source():
    kernel.source()


def kunit_kernel():
    """The kernel of the guests that run the suites."""
    guests()
    kunit.x86_kernel()


@functools.lru_cache(maxsize=None)
def kunit_variant(config, linux):
    """A variant of it."""
    def build():
        guests()
        kunit.x86_kernel(config, linux)
    return build


def own_kernel():
    guests()
    kunit.own_kernel()


def _stock(cells, *more):
    for cell in cells:
        kernel.fetch(cell)
        for fetch in more:
            fetch(cell)


def stock_kernels():
    _stock(kernel.cells())


def stock_guests():
    """Stock kernels with dmatest, and what boots them."""
    guests()
    _stock(kernel.cells(), kernel.dmatest)


def stock_modules():
    """The same with the modules that such a kernel has."""
    guests()
    _stock(kernel.cells(), kernel.dmatest, kernel.modules_directory)


def rt_guests():
    """The same with PREEMPT_RT."""
    stock_guests()
    _stock(kernel.rt_cells(), kernel.dmatest)
