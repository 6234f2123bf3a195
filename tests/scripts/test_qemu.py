# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU that is built: its arguments, what is in it, and what a sanitizer says of it."""

import subprocess

import pytest

from helpers import SCRIPTS, call, fails
from lib import common

# What people put into a machine beside the device, each with what it needs.
MACHINE = {
    **{name: ["-netdev", f"user,id={name}", "-device", f"{name},netdev={name}"] for name in (
        "virtio-net-pci", "e1000", "e1000e")},
    "virtio-9p-pci": ["-fsdev", "local,id=fs,path=/,security_model=none,readonly=on",
                      "-device", "virtio-9p-pci,fsdev=fs,mount_tag=fs"],
    "virtio-blk-pci": ["-blockdev", "null-co,node-name=blk", "-device",
                       "virtio-blk-pci,drive=blk"],
    "virtio-scsi-pci": ["-blockdev", "null-co,node-name=scsi", "-device", "virtio-scsi-pci",
                        "-device", "scsi-hd,drive=scsi"],
    "nvme": ["-blockdev", "null-co,node-name=nvme", "-device", "nvme,drive=nvme,serial=1"],
    "nvdimm": ["-machine", "nvdimm=on", "-m", "256M,slots=1,maxmem=1G", "-object",
               "memory-backend-memfd,id=file,size=1M,share=on",
               "-device", "nvdimm,memdev=file"],
    # Its virtual functions need a bus of their own.
    "igb": ["-netdev", "user,id=igb", "-device", "pcie-root-port,id=root",
            "-device", "igb,bus=root,netdev=igb"],
    **{name: ["-device", name] for name in (
        "virtio-serial-pci", "virtio-rng-pci", "virtio-balloon-pci", "i6300esb", "edu",
        "pci-serial", "pcie-pci-bridge", "pxb-pcie,bus_nr=64")},
}

# What cannot start without something of the host.
MACHINE_OF_HOST = ["vfio-pci", "vhost-user-fs-pci", "vhost-vsock-pci"]

MACHINE_ROOTS = ["q35", "pc", "microvm,pcie=on"]
MACHINE_IOMMUS = ["intel-iommu", "amd-iommu", "virtio-iommu-pci"]
MACHINES = {
    **{root: ["-M", root, "-device", "loopdma"] for root in MACHINE_ROOTS},
    **{iommu: ["-M", "q35", "-device", iommu, "-device", "loopdma"]
       for iommu in MACHINE_IOMMUS},
    "all": ["-M", "q35", "-cpu", "max", "-device", "loopdma",
            *(word for words in MACHINE.values() for word in words)],
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_machine_starts(machine):
    """Machines for people have the device and what they use beside it."""
    done = subprocess.run([common.qemu(), *machine, "-S", "-display", "none", "-monitor",
                           "stdio"], input="quit\n", encoding="utf-8",
                          capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", MACHINE_OF_HOST)
def test_device_of_host(name):
    """So have those for what needs something of the host."""
    code, said = call([common.qemu(), "-device", f"{name},help"])
    assert code == 0, said


@pytest.mark.parametrize("arguments, pattern", [
    (["--release"], "--release needs the code name of a release"),
    (["--release", "../12"], "--release needs the code name of a release"),
    (["--sanitizer", "memory"], "--sanitizer needs one of address, thread")],
    ids=["no_release", "release", "sanitizer"])
def test_arguments(arguments, pattern):
    """A release that is no code name, a sanitizer that QEMU is not built with."""
    fails([SCRIPTS / "build-qemu.sh", *arguments], pattern)


@pytest.mark.parametrize("name, report, wanted", [
    ("sanitizer", "WARNING: ThreadSanitizer: data race\nSUMMARY: ThreadSanitizer: data race in f",
     "\nSUMMARY: ThreadSanitizer: data race in f (build/qtest/"),
    ("sanitizer", "a.c:1:2: runtime error: shift", "\na.c:1:2: runtime error: shift (build/"),
    ("sanitizer", "it broke", "\nit broke (build/qtest/"),
    ("sanitizer", "==1==WARNING: ASan doesn't fully support makecontext/swapcontext functions\n"
     "==1==WARNING: ASan is ignoring requested __asan_handle_no_return: stack type: default\n"
     "False positive error reports may follow\n"
     "For details see https://github.com/google/sanitizers/issues/189", ""),
    ("other", "it broke", "")], ids=["race", "undefined", "anything", "notice", "other"])
def test_report(programs, name, report, wanted):
    """What a sanitizer reports makes a case of the device's own tests fail."""
    programs.write("qemu", f"""\
path=${{TSAN_OPTIONS#log_path=}}
printf '%s\n' "{report}" >"$(dirname "${{path%%:*}}")/{name}.1"
exec {common.qemu()} "$@"
""")
    done = subprocess.run(["pytest-3", "tests/qtest/test_abort.py", "-k", "abort.idle", "--qemu",
                           programs.directory / "qemu"], cwd=common.ROOT, encoding="utf-8",
                          capture_output=True, check=False, timeout=120)
    assert done.returncode == (1 if wanted else 0), done.stdout
    assert wanted in done.stdout
