# SPDX-License-Identifier: GPL-2.0-only
"""The suites: in a kernel tree on user-mode Linux, and in a guest on the QEMU device.

The guest's kernel has KASAN, lockdep, DMA API debugging and more.
"""

from lib import common, conformance, guest, kunit, modules, needs, tree as trees
from lib.case import Case, of_guest
from lib.lane import Task

# What a suite is loaded with on a kernel tree; with channels that are wired to each other.
ON_TREE = {
    "conformance": ("dmaengine_conformance",
                    "device=loopdma tx=dma0chan0 rx=dma0chan1 metadata=16"),
    "suites": ("loopdma_kunit", "dut=live"),
}


def tasks():
    # A kernel for the guest takes half as long to build as all that `make check` may take.
    return [Task("live", lambda: kunit.in_guest("live"), (needs.kunit_kernel,), full=True),
            Task("uml", kunit.uml, (needs.kernel_source,))]


def run_on(tree, name):
    missing = trees.lacking(tree, "KUNIT", "KUNIT_DEBUGFS")
    if missing:
        return [missing]
    module, arguments = ON_TREE[name]
    files = guest.module_files(modules.build(tree.kdir())[0]) | {
        f"{name}.ko": data for name, data in tree.modules(["kunit"]).items()}
    outcome = guest.run(guest.Guest(
        kernel=tree.image(), job=f"sh /suite {module} {arguments} || exit\n",
        name=f"own-{name}", iommu=tree.iommu,
        files=files | guest.modprobe(files) | guest.job_files("suite", "report", "kunit"),
        append="kunit.enable=1 kunit.autorun=1", device=kunit.DEVICES["live"],
        taint=guest.TAINT_TEST, allowed=((guest.DRIVER, "devices that fail on demand"),)))
    common.REPORTS.mkdir(parents=True, exist_ok=True)
    ktap = common.REPORTS / f"own-{name}.ktap"
    ktap.write_text(kunit.ktap_of(outcome.lines), encoding="utf-8")
    place = common.relative(ktap)
    results = conformance.read_results(ktap.read_text(encoding="utf-8"))
    cases = [Case(case, status, reason or ("" if status == "PASS" else "failed"), place)
             for case, (status, reason) in results.items()]
    if name == "conformance":
        cases += [Case(case, "FAIL", "was not run", place)
                  for case in kunit.expected("public") if case not in results]
    run = of_guest("run", outcome)
    return cases if run.status == "PASS" else [*cases, run]


def on_tree(tree):
    return [Task(name, lambda name=name: run_on(tree, name)) for name in ON_TREE]
