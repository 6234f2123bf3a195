# SPDX-License-Identifier: GPL-2.0-only
"""User programs have channels do work, and reach no memory but their own.

dmaengine_user on stock kernels: without an IOMMU, behind a strict one, with bounce
buffers, which is where memory has to be synchronized, and with a device that completes in
any order; and on the kernel of the suites, which has KASAN, lockdep and the checks of the
DMA API.  The job is tests/guest/user; where the device has a loopback, a driver also lends
its channels.  The same job runs with a provider that is not ours, on another architecture:
zynqmp_dma, on xlnx-zcu102 of the distribution's QEMU.  The tasks "fuzz" and "fuzz lent" make
calls at random on the kernel of the suites; their job is tests/guest/user_fuzz.
"""

import functools

from lib import guest, kernel, kunit, machines, modules, needs, stock, user
from lib.case import of_guest, told_by
from lib.lane import Task, parameter

DEVICE = "channels=2,test-controls=on"
# Bytes of short descriptors, of which operations have many.
DESCRIPTOR = 4096
SHORT = f"{DEVICE},max-len={DESCRIPTOR}"

MACHINES = {
    "iommu": {"iommu": "strict", "device": DEVICE},
    "off": {"iommu": "off", "device": SHORT},
    "swiotlb": {"iommu": "off", "swiotlb": True, "device": SHORT},
    "unordered": {"iommu": "strict", "device": f"{SHORT},ordered=off,loopback=off"},
}

# Cases that may be skipped: Debian's 6.1 has no udmabuf, the kernel of the suites no madvise,
# and a channel without an order has no XOR and no PQ.
SKIPS = {"6.1": {"dma_bufs"}, "debug": {"given_up_meanwhile"}, "unordered": {"parities"},
         "zynqmp_dma": {"fills", "parities", "failed", "closed_while_held", "failing_calls"}}

# Processes that the case "killed" kills: in check-full, and in check.
KILLS, DAILY_KILLS = 100, 20

FUZZ_SECONDS = parameter("user.fuzz_seconds", 600, "seconds of calls at random")
FUZZ_SEED = parameter("user.fuzz_seed", 1, "where they begin")


def run(where, image, files, kills=KILLS, kind=guest.Guest, **options):
    """The cases of the job in a guest; `where` is a kernel and a machine."""
    skips = set().union(*(SKIPS.get(word, ()) for word in where.split()))
    if not options.get("debug_kernel"):
        # A stock kernel injects no faults.
        skips |= {"failing_calls", "lent_failing_calls"}
    variables = [f"KILLS={kills}"]
    if SHORT in options.get("device", ""):
        variables.append(f"DESCRIPTOR={DESCRIPTOR}")
    # Where the DMA API is checked it asks for that of all that is behind an IOMMU.
    if options.get("swiotlb") or \
            options.get("debug_kernel") and options.get("iommu") == "strict":
        variables.append("SYNCED=1")
    # Without a loopback there is nobody to send to.
    if "loopback=off" in options.get("device", ""):
        files = {name: path for name, path in files.items() if name != "loopdma_lend.ko"}
    cases = told_by(where, guest.run(kind(
        kernel=image, name=f"user-{where.replace(' ', '-')}",
        files=guest.job_files("user", "steps", "faults") | {
            "user-test": user.test(), "dmacp": user.dmacp()} | files,
        job=f"{' '.join(variables)} sh /user\n", **options)))
    for case in cases:
        if case.status == "SKIP" and case.judged and case.name.split()[-1] not in skips:
            case.status = "FAIL"
    return cases


def on_stock(cell, name, kills):
    return run(f"{cell.name} {name}", kernel.image(cell), stock.module_files(cell), kills,
               **MACHINES[name])


def debug_kernel():
    """The image of the kernel of the suites, and files with the modules for it."""
    kdir = kunit.x86_kernel()
    return (kdir / "arch/x86/boot/bzImage",
            guest.module_files(modules.build(kdir, "-kunit")[0]))


def on_debug(name):
    image, files = debug_kernel()
    # Not with short descriptors: udmabuf does not ask how long a segment may be, of which the
    # checks of the DMA API complain.
    machine = MACHINES[name] | {"device": MACHINES[name]["device"].replace(SHORT, DEVICE)}
    return run(f"debug {name}", image, files, mem=1024, debug_kernel=True, **machine)


def zynqmp():
    machine = machines.ZCU102
    kdir = machine.kernel_directory(checked=True)
    built = modules.build(kdir, f"-{machine.name}", machine.make)[0]
    liburing = machine.fetched("liburing-dev") / "usr"
    return run("zynqmp_dma", machine.kernel_image(kdir), {
        "provider.ko": dict(machine.provider_modules(kdir))["zynqmp_dma.ko"],
        "dmaengine_user.ko": guest.module_files(built)["dmaengine_user.ko"],
        "user-test": user.test(f"-I{liburing / 'include'}",
                               f"-L{liburing / 'lib' / 'aarch64-linux-gnu'}",
                               compiler=machine.compiler),
        "dmacp": user.dmacp(compiler=machine.compiler)},
        kind=functools.partial(machines.Guest, machine=machine),
        append="oops=panic", debug_kernel=True)


def fuzz(lent):
    """Calls at random, of channels that a driver lends, or of one that root has offered."""
    image, files = debug_kernel()
    seconds = FUZZ_SECONDS.value
    wanted = ["loopdma.ko", "dmaengine_user.ko"] + ["loopdma_lend.ko"] * lent
    # What is cyclic needs memory that is not synchronized.
    machine = MACHINES["off"] | {"device": DEVICE} if lent else MACHINES["unordered"]
    outcome = guest.run(guest.Guest(
        kernel=image, name=f"user-fuzz{'-lent' * lent}", mem=1024, debug_kernel=True,
        files={name: files[name] for name in wanted} | guest.job_files("user_fuzz") | {
            "user-fuzz": user.fuzz(), "user-test": user.test()},
        job=f"sh /user_fuzz {seconds} {FUZZ_SEED.value} || exit\n",
        timeout=guest.HANG + 2 * seconds, **machine))
    return [of_guest("calls at random" + ", of lent channels" * lent, outcome)]


def tasks():
    def stock_task(cell, name):
        daily = cell == kernel.cells()[0] and name == "iommu"
        return Task(f"{cell.name} {name}",
                    lambda: on_stock(cell, name, DAILY_KILLS if daily else KILLS),
                    (needs.stock_modules,), full=not daily)

    return [stock_task(cell, name) for cell in kernel.cells() for name in MACHINES] + [
        Task(f"debug {name}", lambda name=name: on_debug(name), (needs.kunit_kernel,), full=True)
        for name in ("iommu", "off", "swiotlb", "unordered")] + [
        Task("zynqmp_dma", zynqmp, (needs.kernel_source,), full=True),
        Task("fuzz", lambda: fuzz(False), (needs.kunit_kernel,), full=True),
        Task("fuzz lent", lambda: fuzz(True), (needs.kunit_kernel,), full=True)]
