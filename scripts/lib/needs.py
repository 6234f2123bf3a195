# SPDX-License-Identifier: GPL-2.0-only
"""What tasks need to be there before they start.

What is compiled is so with all cores, one after the other; what is fetched, beside that.
"""

from lib import common, guest, kernel, kunit
from lib.lane import Need


def _stock(cells, *more):
    for cell in cells:
        kernel.fetch(cell)
        for fetch in more:
            fetch(cell)


qemu = Need("QEMU", common.qemu)
kernel_source = Need("kernel source", kernel.source, fetched=True)
# What boots a guest, besides its kernel.
guests = Need("busybox", guest.busybox, (qemu,), fetched=True)

stock_kernels = Need("stock kernels", lambda: _stock(kernel.cells()), fetched=True)
# Stock kernels with dmatest, and what boots them.
stock_guests = Need("dmatest of stock kernels", lambda: _stock(kernel.cells(), kernel.dmatest),
                    (guests, stock_kernels), fetched=True)
# The same with the modules that such a kernel has.
stock_modules = Need("modules of stock kernels", lambda: _stock(
    kernel.cells(), kernel.modules_directory), (stock_guests,), fetched=True)
# The same with PREEMPT_RT.
rt_guests = Need("rt kernels", lambda: _stock(kernel.rt_cells(), kernel.dmatest), (stock_guests,),
                 fetched=True)

own_kernel = Need("kernel for KDIR=", kunit.own_kernel, (guests, kernel_source))
lacking_kernel = Need("kernel with what stock kernels lack", kunit.lacking_kernel,
                      (guests, kernel_source))


def special_qemu(sanitizer=None, release=None):
    """A QEMU with a sanitizer, or of another release."""
    return Need(" ".join(filter(None, ("QEMU", sanitizer, release))),
                lambda: common.build_qemu(common.ROOT, sanitizer, release))


def kunit_variant(config=None, linux=""):
    """The kernel of the guests that run the suites, or a variant of it."""
    return Need(" ".join(filter(None, ("kernel of the suites", config and config.stem, linux))),
                lambda: kunit.x86_kernel(config, linux), (guests, kernel_source))


kunit_kernel = kunit_variant()
