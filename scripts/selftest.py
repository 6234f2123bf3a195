#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the scripts themselves: what they say when something is missing,
and whether the judge of guest logs sees what it must."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import conformance
import fuzz
import guest
import mutants
import target
from qtest import suite

SCRIPTS = common.ROOT / "scripts"


class Skip(Exception):
    """A test that cannot run here, and why."""


# --- helpers ------------------------------------------------------------------

def call(command, env=None, timeout=120):
    """Status of a command, and what it said, on standard error if anything."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("QEMU", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment.update(env or {})
    done = subprocess.run([str(word) for word in command], env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", check=False,
                          timeout=timeout, cwd=common.ROOT)
    return done.returncode, done.stderr or done.stdout


def expect(command, pattern, status=1, env=None):
    """A command must fail with one line, the last, that matches."""
    code, text = call(command, env)
    lines = [line for line in text.splitlines() if line.strip()]
    # Below make, make adds its own.
    lines = [line for line in lines if not line.startswith("make: ***")]
    if "Traceback" in text:
        return f"a traceback instead of a message: {lines[-1]}"
    if code != status:
        return f"status {code} instead of {status}: {lines[-1] if lines else 'silent'}"
    if not lines or not re.search(pattern, lines[-1]):
        return f"says '{lines[-1] if lines else ''}', not '{pattern}'"
    return ""


class Stubs:
    """A directory of programs to stand in for the real ones."""

    def __init__(self, directory):
        self.directory = Path(directory)

    def link(self, *names):
        for name in names:
            found = shutil.which(name)
            if not found:
                raise Skip(f"no {name} here")
            (self.directory / name).symlink_to(found)
        return self

    def write(self, name, text):
        path = self.directory / name
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o755)
        return self

    def env(self, **more):
        return dict(more, PATH=str(self.directory))


def stubs(function):
    """Gives a test a Stubs object of its own."""
    def test():
        with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
            return function(Stubs(directory))
    test.__doc__ = function.__doc__
    return test


# --- bad input ----------------------------------------------------------------

def kdir_missing():
    """a KDIR that does not exist"""
    return expect(["make", "modules", "KDIR=/nonexistent"], "no kernel headers in "
                  "/nonexistent: install", status=2)


def kdir_empty():
    """a KDIR that is no kernel"""
    with tempfile.TemporaryDirectory() as directory:
        return expect([SCRIPTS / "modules.py", "--kdir", directory],
                      "is no kernel that modules can be built against.*give KDIR=")


def kdir_without_symvers():
    """a kernel that was never built"""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("Makefile", ".config"):
            (Path(directory) / name).touch()
        return expect([SCRIPTS / "modules.py", "--kdir", directory],
                      "has no Module.symvers: give KDIR=")


def kdir_without_dma():
    """a kernel without the DMA engine core"""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {"Makefile": "", ".config": "", "Module.symvers": "",
                           "include/config/auto.conf": "CONFIG_MODULES=y\nCONFIG_PCI=y\n",
                           "include/generated/utsrelease.h": ""}.items():
            path = Path(directory) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
        return expect([SCRIPTS / "modules.py", "--kdir", directory],
                      "has CONFIG_DMA_ENGINE off")


def variable_malformed():
    """an argument that is no variable"""
    return expect([SCRIPTS / "modules.py", "frobnicate"], "is not VAR=VALUE", status=2)


def kernel_unknown():
    """a stock kernel that does not exist"""
    return expect([SCRIPTS / "kernel.py", "image", "2.4"],
                  "no stock kernel '2.4'.*choose one of")


def run_kernel_unknown():
    """`make run` with a kernel that does not exist"""
    return expect([SCRIPTS / "run.py", "--kernel", "2.4"],
                  "no stock kernel '2.4'.*choose one of")


def run_device_refused():
    """`make run` with a device that there cannot be, told before anything is built"""
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        # It says what a QEMU says, which is not at hand without building it.
        qemu = Path(directory) / "qemu"
        for said, code, device, wanted in [
                ("", 0, "channels", "DEVICE=channels is no list of properties: give"),
                ("", 0, "channels=1,,x=2", "DEVICE=channels=1,,x=2 is no list of properties"),
                ("", 0, "", "QEMU=.*: this is no qemu-system-x86_64"),
                ("", 3, "", "QEMU=.*: it ends with status 3"),
                ("qemu: Property 'loopdma.frob' not found", 1, "frob=1",
                 "DEVICE=frob=1: qemu: Property 'loopdma.frob' not found"),
                ("'loopdma' is not a valid device model name", 1, "channels=1",
                 "QEMU=.*: it has no loopdma device .*; unset QEMU")]:
            qemu.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit {code}\n', encoding="ascii")
            qemu.chmod(0o755)
            reason = expect_told([SCRIPTS / "run.py", "--device-opts", device],
                                 f"^loopdma: FAIL: {wanted}", {"QEMU": str(qemu)})
            if reason:
                return reason
    return ""


def expect_told(command, pattern, env=None):
    """A command must fail with status 1, and its last line on standard output matches."""
    environment = dict(os.environ, **(env or {}))
    done = subprocess.run([str(word) for word in command], env=environment, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", cwd=common.ROOT)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 1:
        return f"status {done.returncode} instead of 1: {last}"
    return "" if re.search(pattern, last) else f"says '{last}', not '{pattern}'"


def own_kernel(options, files=("arch/x86/boot/bzImage",)):
    """A directory that looks like a built kernel, and what must be removed at the end."""
    place = tempfile.TemporaryDirectory(prefix="loopdma-test-")
    texts = {"Module.symvers": "", ".config": "",
             "include/config/auto.conf": "".join(f"CONFIG_{option}=y\n" for option in options),
             "include/generated/utsrelease.h": '#define UTS_RELEASE "7.0.0"\n'}
    for name in [*texts, *files]:
        path = Path(place.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(name, ""), encoding="ascii")
    return place


def own_kernels():
    """a kernel of one's own: not there, not built, without an option"""
    wanted = [(["--kdir", "/nonexistent"], "no directory KDIR=/nonexistent: give"),
              (["--kdir", "/usr"], "KDIR=/usr has no arch/x86/boot/bzImage: give"),
              (["--kdir", "/usr", "--kernel", "6.1"], "give one of them")]
    with own_kernel(target.NEEDED) as good, own_kernel([], ()) as unbuilt, \
            own_kernel([*target.NEEDED][:-2]) as poor:
        wanted += [
            (["--kdir", unbuilt], "has no arch/x86/boot/bzImage: build it first"),
            (["--kdir", poor], "CONFIG_DEBUG_FS, CONFIG_DMA_ENGINE are off: add "
             "CONFIG_DEBUG_FS=y CONFIG_DMADEVICES=y CONFIG_ALTERA_MSGDMA=m .*"
             "merge_config.sh .config .*/guest.config"),
            (["--kdir", good, "--file", "/nonexistent", "--cmd", "true"], "")]
        for arguments, pattern in wanted[:-1]:
            reason = expect_told([SCRIPTS / "run.py", *arguments],
                                 f"^loopdma: FAIL: .*{pattern}")
            if reason:
                return reason
        arguments, _ = wanted[-1]
        reason = expect([SCRIPTS / "run.py", *arguments],
                        "no file /nonexistent: FILES=", status=125)
        if reason:
            return reason
        tree = target.Tree(good)
        if tree.release != "7.0.0" or tree.iommu != "off" or \
                not any(line.startswith("CONFIG_INTEL_IOMMU is off") for line in tree.lacks()):
            return "what a kernel lacks is not told"
        module = Path(good) / "foreign.ko"
        module.write_bytes(b"\0vermagic=6.1.0 SMP\0depends=a,b-c\0")
        return expect([SCRIPTS / "run.py", "--kdir", good, "--file", module, "--cmd", "true"],
                      "foreign.ko is for Linux 6.1.0, the guest has 7.0.0: build it",
                      status=125)


def modprobe_index():
    """what modprobe in a guest is told"""
    module = b"\0depends=%s\0"
    said = guest.modprobe({
        "a.ko": module % b"b-c,gone", "lib/b_c.ko": module % b"d", "d.ko": module % b"",
        "a.txt": b""})["modules.dep"].decode()
    wanted = "/a.ko: /lib/b_c.ko /d.ko\n/lib/b_c.ko: /d.ko\n/d.ko: \n"
    return "" if said == wanted else f"is told {said}"


def raid_kernel_unknown():
    """RAID on a kernel that does not exist"""
    return expect([SCRIPTS / "raid.py", "--cell", "2.4"],
                  "no stock kernel '2.4'.*choose one of")


def kernel_packed():
    """a kernel image that cannot be unpacked is booted as it is"""
    import kernel
    header = bytearray(0x250)
    header[0x202:0x206] = b"HdrS"
    for image in (b"", b"\x7fELF", bytes(header), bytes(header) + b"\x00" * 4096):
        if kernel.PVH_NOTE.search(kernel.payload(image)):
            return "what is no kernel is seen as one"
    # A packer that is not known, and one that finds its data damaged.
    for magic in (b"LZIP....", b"\xfd7zXZ\0damaged", b"\x1f\x8bdamaged"):
        header[0x24c:0x250] = len(magic + b"size").to_bytes(4, "little")
        image = bytes(header).ljust(5 * 512, b"\0") + magic + b"size"
        if kernel.PVH_NOTE.search(kernel.payload(image)):
            return "what is no kernel is seen as one"
    return ""


def lane_unknown():
    """a lane that does not exist"""
    return expect([SCRIPTS / "check.py", "--lanes", "frobnicate"],
                  "no lane 'frobnicate': choose from", status=2)


def matrix_unknown():
    """a cell that there is not"""
    return expect([SCRIPTS / "matrix.py", "frobnicate"],
                  "no cell 'frobnicate': choose from iommu-off", status=2)


def mutant_unknown():
    """a mutant that does not exist"""
    return expect([SCRIPTS / "mutants.py", "--only", "frobnicate"],
                  "no mutant 'frobnicate': see --list")


def mutants_judged():
    """what a run with a planted bug is taken to show"""
    ktap = ("KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..3\n"
            "    ok 1 a\n        not ok 1 parameter\n    {} 2 b\n{}")
    end = "    ok 3 c\nnot ok 1 s\n"
    for verdict, rest, killers, wanted in [
            ("not ok", end, ["s.b"], ("killed", "^$")),
            ("ok", end, ["s.b"], ("survived", "^s.b passes")),
            ("not ok", end, ["s.b", "s.c"], ("error", "not found by s.c, but by s.b")),
            ("not ok", end, ["s.a"], ("error", "not found by s.a, but by s.b")),
            ("ok", "", ["s.c"], ("killed", "^hung in s.c$")),
            ("ok", "", ["s.b"], ("error", "not found by s.b, but by s.c")),
            ("ok", "", ["s.d"], ("error", "^hung in s.c, before s.d$"))]:
        mutant = mutants.Mutant("m", None, "", killers, ("kunit", "s.*"))
        found = mutants.results_in("kunit", "s.*", ktap.format(verdict, rest))
        status, reason = mutants.judge(mutant, *found, ["s.a", "s.b", "s.c", "s.d"])
        if status != wanted[0] or not re.search(wanted[1], reason):
            return f"{status}, '{reason}' instead of {wanted}"
    return ""


def guest_without_job():
    """a guest with nothing to do"""
    return expect([SCRIPTS / "guest.py", "--cell", "6.1"], "give a job", status=2)


def cache_not_writable():
    """a cache that cannot be written to"""
    return expect([SCRIPTS / "kernel.py", "list"], "cannot write to the cache .*: set "
                  "LOOPDMA_CACHE", env={"LOOPDMA_CACHE": "/proc/loopdma"})


def home_not_writable():
    """a home directory that cannot be written to"""
    return expect([SCRIPTS / "kernel.py", "list"], "cannot write to the cache /proc/",
                  env={"HOME": "/proc", "LOOPDMA_CACHE": "", "XDG_CACHE_HOME": ""})


def cache_with_space():
    """a cache where make cannot work"""
    return expect([SCRIPTS / "kernel.py", "list"], "a path without spaces",
                  env={"LOOPDMA_CACHE": "/tmp/a b"})


def qemu_missing():
    """a QEMU that does not exist"""
    return expect([SCRIPTS / "guest.py", "--kernel", "/dev/null", "--", "true"],
                  "no file /dev/null", status=2) or \
        expect([SCRIPTS / "guest.py", "--kernel", SCRIPTS / "guest.py", "--", "true"],
               "QEMU=/nonexistent is not a program: unset QEMU",
               env={"QEMU": "/nonexistent"})


@stubs
def tool_missing(programs):
    """no lspci to put in the guest"""
    programs.link("env", "python3", "ldd", "bash")
    if any(Path(d, "lspci").exists() for d in ("/usr/sbin", "/sbin")):
        raise Skip("lspci is in /usr/sbin, where it is found without PATH")
    return expect([sys.executable, SCRIPTS / "guest.py", "--kernel", SCRIPTS / "guest.py",
                   "--", "true"], "lspci is missing: run 'make deps'",
                  env=programs.env())


@stubs
def mirror_without_a_suite(programs):
    """a mirror that has not all suites"""
    programs.write("apt-get", """\
case "$*" in
*indextargets*) echo http://mirror trixie-backports /lists/Packages ;;
*) echo 'E: Release file is expired'; exit 100 ;;
esac
""")
    text = "import common, kernel, pathlib, sys; kernel.debian_lists(" \
        "pathlib.Path(sys.argv[1]), common.new_log('selftest-mirror'), " \
        "['trixie-backports', 'sid'])"
    path = f"{programs.directory}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        code, said = call([sys.executable, "-c", text, directory],
                          env={"PATH": path, "PYTHONPATH": str(SCRIPTS)})
    if code or not re.search("going on without sid: .*expired", said):
        return f"status {code}: {said.strip()}"
    return ""


@stubs
def apt_missing(programs):
    """a distribution without apt"""
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        programs.link("env")
        return expect([sys.executable, SCRIPTS / "kernel.py", "list"],
                      "apt-(cache|get) is missing: .*Debian or Ubuntu",
                      env=programs.env(LOOPDMA_CACHE=directory))


@stubs
def deps_without_dpkg(programs):
    """dependencies on another distribution"""
    programs.link("sh", "tr")
    return expect(["/bin/sh", SCRIPTS / "deps.sh", "run"],
                  "not Debian or Ubuntu: install", env=programs.env())


@stubs
def deps_without_root(programs):
    """dependencies missing, no root, no sudo"""
    programs.link("sh", "tr").write("id", "echo 1000\n").write("dpkg-query", "exit 1\n")
    return expect(["/bin/sh", SCRIPTS / "deps.sh", "check"],
                  "without root, run as root: apt-get install .* sparse",
                  env=programs.env())


@stubs
def deps_with_sudo(programs):
    """dependencies missing, sudo that asks for a password"""
    programs.link("sh", "tr").write("id", "echo 1000\n").write("dpkg-query", "exit 1\n")
    programs.write("sudo", "exit 1\n")
    return expect(["/bin/sh", SCRIPTS / "deps.sh", "check"],
                  "without a password, run: sudo apt-get install", env=programs.env())


@stubs
def deps_without_network(programs):
    """dependencies missing, no network"""
    programs.link("sh", "tr", "mkdir", "dirname", "date", "env", "grep")
    programs.write("id", "echo 0\n").write("dpkg-query", "exit 1\n")
    programs.write("apt-get", "echo 'E: Could not resolve host' >&2; exit 100\n")
    return expect(["/bin/sh", SCRIPTS / "deps.sh", "run"],
                  "is there a network\\?.*apt-get install", env=programs.env())


def deps_malformed():
    """dependencies of nothing"""
    return expect([SCRIPTS / "deps.sh", "frobnicate"], "", status=2)


@stubs
def download_without_network(programs):
    """a stock kernel, empty cache, no network"""
    # The lists are there, the packages are not to be had.
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        programs.write("apt-get", "echo 'Err:1 http://mirror Could not resolve'\nexit 100\n")
        path = f"{programs.directory}:{os.environ['PATH']}"
        return expect([SCRIPTS / "kernel.py", "image", common_cell()],
                      "is there a network\\?", env={"PATH": path,
                                                    "LOOPDMA_CACHE": directory})


def common_cell():
    import kernel
    return kernel.cells()[0].name


def disk_full():
    """a cache without space"""
    if os.geteuid() or not shutil.which("unshare"):
        raise Skip("needs root, to mount a file system of its own")
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        # In a mount name space of its own it is gone with the command.
        script = (f"mount -t tmpfs -o size=64k tmpfs {directory} && "
                  f"dd if=/dev/zero of={directory}/fill bs=4k 2>/dev/null; "
                  f"exec {SCRIPTS}/kernel.py list")
        code, text = call(["unshare", "-m", "true"])
        if code:
            raise Skip("no mount name spaces here")
        return expect(["unshare", "-m", "sh", "-c", script], "no space left in .*: free "
                      "some, or set LOOPDMA_CACHE", env={"LOOPDMA_CACHE": directory})


# --- interruption -------------------------------------------------------------

# Has a lock for as long as it lives.
HOLDER = "exec 8>{0}/lock; flock 8; touch {0}/started; exec sleep 1000"


def hears():
    """What a shell starts in the background is deaf to Ctrl-C, and so is its offspring."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(command, directory, interrupt, pattern, status, env=None):
    """A command must end soon after interrupt(process), and with it all it has started.

    It is to start a HOLDER in the directory.
    """
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=hears,
                          env=dict(os.environ, **env or {}), cwd=common.ROOT) as process:
        started = directory / "started"
        until = time.monotonic() + 60
        while not started.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        there = started.exists()
        if there:
            interrupt(process)
        else:
            process.kill()
        try:
            text = process.communicate(timeout=60)[0].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            return "does not end"
    if not there:
        return f"starts nothing: {text}"
    with open(directory / "lock", "w", encoding="ascii") as f:
        if not common.try_lock(f):
            return "leaves a process behind, which has a lock"
    if process.returncode != status or "Traceback" in text or not re.search(pattern, text):
        return f"status {process.returncode} instead of {status}: {text}"
    return ""


def script_interrupted():
    """a signal to a script alone, which a child of its child outlives"""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
            # What has no terminal may have been started deaf to some signals.
            program = (
                "import common, signal, sys\n"
                "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
                "common.main(lambda: common.run(['sh', '-c', sys.argv[1]]))\n")
            said = interrupted(
                [sys.executable, "-c", program,
                 f"({HOLDER.format(directory)}) & sleep 1000; true"], Path(directory),
                lambda process, number=number: process.send_signal(number),
                "^\\n-c: interrupted\\n$", 128 + number, {"PYTHONPATH": str(SCRIPTS)})
            if said:
                return f"{number.name}: {said}"
    return ""


def check_interrupted():
    """Ctrl-C while the lanes of a check run side by side"""
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        # One of the tasks waits for the lock of another.
        program = (
            "import check, common, signal, sys\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "def task():\n"
            "    with common.lock('test'):\n"
            "        common.run(['sh', '-c', sys.argv[1]])\n"
            "check.FULL_LANES['lint'] = lambda: {'one': task, 'other': task, 'third': task}\n"
            "common.main(check.Runner(['lint']).run)\n")
        return interrupted(
            [sys.executable, "-c", program, HOLDER.format(directory)], Path(directory),
            lambda process: process.send_signal(signal.SIGINT),
            "\\A\n-c: interrupted\n\\Z", 130,
            {"PYTHONPATH": str(SCRIPTS), "LOOPDMA_CACHE": f"{directory}/cache"})


@stubs
def deps_interrupted(programs):
    """Ctrl-C on a terminal while packages are installed"""
    if not shutil.which("script"):
        raise Skip("no script, to have a terminal")

    def press(process):
        process.stdin.write(b"\x03")
        process.stdin.flush()

    programs.link("sh", "tr", "mkdir", "dirname", "date", "env", "grep", "find", "sleep",
                  "flock", "touch")
    programs.write("id", "echo 0\n").write("dpkg-query", "exit 1\n")
    programs.write("apt-get", HOLDER.format(programs.directory) + "\n")
    return interrupted(
        [shutil.which("script"), "-q", "-e", "-c",
         f"{shutil.which('env')} PATH={programs.directory} sh {SCRIPTS}/deps.sh run",
         "/dev/null"], programs.directory, press, "\ndeps: interrupted\\r\\n$", 130)


# --- the cache ----------------------------------------------------------------

def checkout_with_space():
    """a checkout where make cannot work"""
    with tempfile.TemporaryDirectory(prefix="loopdma test-") as directory:
        shutil.copytree(SCRIPTS, Path(directory) / "scripts")
        return expect([Path(directory) / "scripts/run.py", "--kernel", "2.4"],
                      "make cannot work in '.* test-.*': move the checkout")


def cache_of_another():
    """a file in the cache that another user has made"""
    if os.geteuid():
        raise Skip("needs root, to be another user")
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        os.chmod(directory, 0o777)
        (Path(directory) / "file").touch(0o600)
        program = ("import common, os, sys\n"
                   "os.setuid(65534)\n"
                   "common.main(lambda: open(sys.argv[1], 'w'))\n")
        return expect([sys.executable, "-c", program, f"{directory}/file"],
                      "/file: Permission denied: .*Change its owner, or remove it",
                      env={"PYTHONPATH": str(SCRIPTS)})


def cache_removed():
    """the cache is removed, but not while it is used, nor what is no cache"""
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        cache = Path(directory) / "cache"
        env = {"LOOPDMA_CACHE": str(cache)}
        clean = [SCRIPTS / "clean-cache.sh"]
        cache.mkdir()
        said = expect(clean, "does not look like our cache", env=env)
        (cache / "locks").mkdir()
        with open(cache / "locks" / "a b.lock", "w", encoding="ascii") as f:
            common.try_lock(f)
            said = said or expect(clean, "another run is at work, it holds .*/a b.lock", env=env)
        code, text = call(clean, env)
        return said or (f"status {code}: {text}" if code or text or cache.exists() else "")


def cache_interrupted():
    """a run that is killed while it fills the cache"""
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        program = ("import common, os, pathlib\n"
                   f"with common.filling(pathlib.Path({directory!r}) / 'entry') as part:\n"
                   "    (part / 'file').touch()\n"
                   "    {}\n")
        kill = "os.kill(os.getpid(), 9)"
        code, _ = call([sys.executable, "-c", program.format(kill)],
                       env={"PYTHONPATH": str(SCRIPTS)})
        entry = Path(directory) / "entry"
        if code != -signal.SIGKILL or entry.exists():
            return "a killed run left a cache entry"
        code, text = call([sys.executable, "-c", program.format("pass")],
                          env={"PYTHONPATH": str(SCRIPTS)})
        if code or not (entry / "file").exists() or len(os.listdir(directory)) != 1:
            return f"the next run does not fill it: {text.strip()}"
    return ""


# --- the judge of guests ------------------------------------------------------

COMPLAINTS = """\
[    1.0] BUG: KASAN: slab-use-after-free in foo+0x1/0x2 [loopdma]
[    1.0] BUG: sleeping function called from invalid context at mm/slab.c:1
[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    1.0] BUG: scheduling while atomic: swapper/0/0/0x00000002
[    1.0] WARNING: CPU: 0 PID: 1 at drivers/dma/loopdma/core.c:1 foo+0x1/0x2
[    1.0] WARNING: possible circular locking dependency detected
[    1.0] WARNING: possible recursive locking detected
[    1.0] WARNING: inconsistent lock state
[    1.0] WARNING: suspicious RCU usage
[    1.0] UBSAN: shift-out-of-bounds in foo.c:1:2
[    1.0] DMA-API: loopdma 0000:00:02.0: device driver frees DMA memory with wrong size
[    1.0] DMA-API: loopdma 0000:00:02.0: mapping error not checked
[    1.0] INFO: task dma0chan0-copy0:55 blocked for more than 120 seconds.
[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[    1.0] INFO: lockdep is turned off.
[    1.0] Call Trace:
[    1.0] Oops: 0000 [#1] PREEMPT SMP
[    1.0] general protection fault, probably for non-canonical address
[    1.0] Kernel panic - not syncing: Fatal exception
[    1.0] Disabling lock debugging due to kernel taint
[    1.0] DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000
[    1.0] DMAR: DRHD: handling fault status reg 2
[    1.0] pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received
[    1.0] irq 11: nobody cared (try booting with the "irqpoll" option)
[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!
[    1.0] list_add corruption. next->prev should be prev
[    1.0] refcount_t: underflow; use-after-free.
[    1.0] ODEBUG: free active (active state 0) object: timer_list
[    1.0] loopdma: Unknown symbol foo (err -2)
[    1.0] DMAR: VT-d detected Invalidation Queue Error: Reason f
[    1.0] __common_interrupt: 1.33 No irq handler for vector
[    1.0] loopdma 0000:00:02.0: swiotlb buffer is full (sz: 4096 bytes)
[    1.0] genirq: Flags mismatch irq 11. 00000000 (loopdma) vs. 00000080 (other)
[    1.0] kobject: kobject_add_internal failed for dma0chan0 with -EEXIST
[    1.0] Device 'dma0chan0' does not have a release() function, it is broken
[    1.0] loopdma 0000:00:02.0: channel 0: impossible count; restarting it
[    1.0] loopdma 0000:00:02.0: channel 0 does not stop; reset the function
[    1.0] loopdma 0000:00:02.0: channel 0: ring memory not freed
[    1.0] loopdma 0000:00:02.0: no end of reset at removal
"""

QUIET = """\
[    1.0] DMAR: Intel(R) Virtualization Technology for Directed I/O
[    1.0] DMAR: dmar0: Using Queued invalidation
[    1.0] DMA-API: preallocated 65536 debug entries
[    1.0] DMA-API: debugging enabled by kernel config
[    1.0] kasan: KernelAddressSanitizer initialized (generic)
[    1.0] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[    1.0] rcu: Preemptible hierarchical RCU implementation.
[    1.0] loopdma: loading out-of-tree module taints kernel.
[    1.0] Spectre V2 : Mitigation: Retpolines
"""


def judge_sees_complaints():
    """each kind of complaint in a kernel log"""
    missed = [line for line in COMPLAINTS.splitlines() if not guest.complaints(line)]
    return f"not seen: {missed[0]}" if missed else ""


def judge_keeps_quiet():
    """a kernel log without a complaint"""
    wrong = guest.complaints(QUIET)
    return f"seen as a complaint: {wrong[0]}" if wrong else ""


GOOD = ["@@ start 6.1", "@@ taint 12288", "@@ exit 0"]
DEBUG = ["@@ taint 266240", "@@ dma-api-errors 0", "@@ dma-api-disabled N",
         "@@ debug-locks 1", "@@ exit 0"]
KASAN = "kasan: KernelAddressSanitizer initialized (generic)\n"


KCSAN = "kcsan: enabled early\n"


def race(first, second, caller):
    """A report of KCSAN, with what is said of modules behind functions."""
    line = "=" * 66
    return f"""\
[    1.0] {line}
[    1.0] BUG: KCSAN: data-race in a{first} / b{second}
[    1.0]
[    1.0] write to 0xffff888100887cc8 of 4 bytes by interrupt on cpu 0:
[    1.0]  a+0x29/0x50{first}
[    1.0]  tasklet_action_common+0xa7/0xd0
[    1.0]  loopdma_watchdog+0x12/0x34 [loopdma]
[    1.0]
[    1.0] read to 0xffff888100887cc8 of 4 bytes by task 7 on cpu 1:
[    1.0]  b+0x7/0x50{second}
[    1.0]  c+0xf/0x50{caller}
[    1.0]  kthread+0x1/0x3
[    1.0]
[    1.0] value changed: 0x00000000 -> 0x00000001
[    1.0] {line}
"""


START = ["@@ start 6.1"]
LOADED = "loopdma: loading out-of-tree module taints kernel.\n"
COMMAND_LINE = "Kernel command line: loopdma.dyndbg=+p\n"
DIED = "Oops: int3: 0000\nKernel panic - not syncing: Fatal exception\n"


def judge_loses_few():
    """guests that are not judged are skipped, and fail if they are many"""
    import check
    for lost, wanted in ((2, "SKIP"), (3, "FAIL")):
        cases = [check.verdict("guest", f"guest hangs {guest.NOT_JUDGED}")
                 for _ in range(lost)]
        cases += [check.verdict("good", ""), check.verdict("bad", "guest panic"),
                  check.Case("other", "SKIP", "needs two CPUs")]
        check.fail_if_many_are_lost(cases)
        found = [case.status for case in cases]
        if found != [wanted] * lost + ["PASS", "FAIL", "SKIP"]:
            return f"{lost} guests lost: {', '.join(found)}"
    return ""


def judge_verdicts():
    """how guests end, told apart"""
    early = "the guest's kernel died before loopdma was loaded; not judged"

    def judge(lines=GOOD, log="", status=0, hung=False, debug=False, kcsan=False,
              errors="qemu: error: no such device", **more):
        g = guest.Guest(kernel=Path("/dev/null"), job="", debug_kernel=debug, kcsan=kcsan,
                        **more)
        return guest.judge(g, lines, log, status, hung, errors)

    def without(key):
        return [line for line in DEBUG if not line.startswith(f"@@ {key} ")]

    for wanted, reason in [
            ("^$", judge()),
            ("^$", judge(DEBUG, KASAN, debug=True)),
            ("^guest hangs, ended after", judge(hung=True)),
            ("^guest hangs before loopdma was loaded; not judged, ended after",
             judge([], hung=True)),
            ("^QEMU crashed, signal 11", judge(status=-11)),
            ("^QEMU crashed, signal 6", judge(status=-6, errors="dma: Assertion `x' failed.")),
            ("^QEMU crashed by a fault of its own, .*; not judged", judge(
                status=-6, errors="physmem.c:7: iotlb_to_section: Assertion `x' failed.")),
            ("^QEMU failed, status 1: qemu: error: no such", judge(status=1)),
            (f"^{early}: Kernel panic .*; try again: make run$",
             judge([], "Kernel panic - not syncing: foo\n", again="make run")),
            # Its log ends where it was reset.
            (f"^{early} .log: .*; try again: sh build/guest/guest/command$", judge([])),
            (f"^{early}: Oops: int3", judge(START, COMMAND_LINE + "Oops: int3: 0000\n")),
            ("^guest panic: Oops: int3", judge(START, LOADED + DIED)),
            # A guest that has no device is not to load the driver.
            ("^guest panic: Oops: int3", judge(START, DIED, device=None)),
            ("^kernel log: Oops: int3", judge(log=COMMAND_LINE + "Oops: int3: 0000\n")),
            ("^guest ended before its job", judge(START)),
            ("^kernel log: WARNING: CPU", judge(log="WARNING: CPU: 0\n")),
            ("^kernel tainted: 512", judge(["@@ taint 512", "@@ exit 0"])),
            ("^kernel tainted", judge(["@@ taint 262144", "@@ exit 0"])),
            ("^job failed, status 3: oh", judge(["oh", "@@ taint 0", "@@ exit 3"])),
            ("^DMA API: 2 errors", judge(["@@ dma-api-errors 2", *GOOD])),
            ("^lockdep is off", judge(without("debug-locks"), KASAN, debug=True)),
            ("^the check of the DMA API is off",
             judge(without("dma-api-disabled"), KASAN, debug=True)),
            ("^KASAN is not on", judge(DEBUG, debug=True)),
            ("^KCSAN is not on", judge(kcsan=True)),
            ("^KCSAN is not on", judge(["@@ kcsan 0", *GOOD], KCSAN, kcsan=True)),
            ("^$", judge(["@@ kcsan 1", *GOOD], KCSAN, kcsan=True)),
            ("^$", judge(["@@ kcsan 1", *GOOD], KCSAN + race("", "", ""), kcsan=True)),
            *(("^kernel log: .*KCSAN",
               judge(["@@ kcsan 1", *GOOD], KCSAN + race(*frames), kcsan=True))
              for frames in (("", "", " [loopdma]"), ("", " [loopdma]", ""),
                             (" [loopdma]", "", ""))),
            ("^kernel log: .*KCSAN", judge(log=race("", "", "")))]:
        if not re.search(wanted, reason):
            return f"'{reason}' instead of '{wanted}'"
    return ""


def conformance_gaps():
    """the report on conformance sees rules without cases, and cases without rules"""
    rules = conformance.read_rules("""\
# comment

Rule: 1
Says: This
  and that.
From: client.rst

Rule: 2
Says: Something else.
From: dmaengine.h
Untested: No.
""", "rules.txt")
    source = """
/*
 * Rule @N@ (@FROM@):
 * sentence.
 */
static void c(struct kunit *test)
{
}
KUNIT_CASE(c),
.name = "s",
"""

    def first(number="1", origin="client.rst, f()", include="<linux/err.h>"):
        cases = conformance.read_cases(source.replace("@N@", number)
                                       .replace("@FROM@", origin))
        return next(conformance.problems_of(rules, cases,
                                            {"c.c": f"#include {include}\n"}), "")

    for pattern, said in [
            ("^$", first()),
            ("^rule 1 has no case, and no reason", first("2", "dmaengine.h")),
            ("^rule 1 has no case", first("3")),
            ("^s.c: rule 1 is not from", first(origin="dmaengine.h")),
            ("^c.c includes", first(include="<loopdma/hw.h>")),
            ("^c.c includes", first(include='"dut.h"'))]:
        if not re.search(pattern, said):
            return f"says '{said}', not '{pattern}'"
    results = conformance.read_results(
        "    # Subtest: s\n    ok 1 a\n    not ok 2 b\n    ok 3 c # SKIP no DMA\n")
    wanted = {"s.a": ("PASS", ""), "s.b": ("FAIL", ""), "s.c": ("SKIP", "no DMA")}
    return "" if results == wanted else f"results are {results}"


# --- coverage -----------------------------------------------------------------

SOURCE = """\
struct s {
	int (*member)(void);
};

static int one(struct s *s,
	       int b)
{
	if (b)
		return -EIO;
	return 0;
}

int two(void)
{
	return -EIO;
}
"""

ENTRIES = """\
# comment

File: a.c
In: one()
Line: return -EIO;
{}: It takes a
  miracle.
"""


def coverage_judged():
    """what is not reached needs a reason, and a reason something not reached"""
    import coverage
    sources = {"a.c": SOURCE.splitlines()}
    for missed, text, wanted in [
            ([], "", "^$"),
            ([], "# comment\n", "^$"),
            ([9], ENTRIES.format("Why"), "^$"),
            ([9], ENTRIES.format("Seldom"), "^$"),
            ([], ENTRIES.format("Seldom"), "^$"),
            ([9], "", "^a.c:9: 'return -EIO;' in one\\(\\) is not reached: add"),
            ([9, 15], ENTRIES.format("Why"), "^a.c:15: .* in two\\(\\) is not reached"),
            ([], ENTRIES.format("Why"), "'return -EIO;' in one\\(\\) of a.c is reached"),
            ([9], ENTRIES.format("Why").replace("-EIO", "-EIO2"), "^a.c:9: "),
            ([], ENTRIES.format("Seldom").replace("one", "three"), "is reached, or gone"),
            ([], ENTRIES.format("Because"), "not an entry with .*: 'File: a.c'"),
            ([], ENTRIES.format("Why") + "Seldom: No.\n", "not an entry with"),
            ([], ENTRIES.format("Why").replace("In: one()\n", ""), "not an entry")]:
        files = [{"file": "a.c", "lines": [
            {"line_number": number, "count": 0 if number in missed else 2}
            for number in (8, 9, 10, 15)], "functions": [
            {"name": "two", "lineno": 13}, {"name": "one", "lineno": 5}]}]
        try:
            entries = coverage.read_entries(text, "unreached.txt")
            pairs, stale = coverage.explained(coverage.lines_of(files, sources), entries)
            full = {f"{kind}_percent": 100 for kind in coverage.GOALS}
            said = next(coverage.problems_of(full, pairs, stale), "")
        except coverage.Fail as e:
            said = str(e)
        if not re.search(wanted, said):
            return f"says '{said}', not '{wanted}'"
    low = {"line_percent": 100, "function_percent": 100, "branch_percent": 84.9}
    said = list(coverage.problems_of(low, [], []))
    return "" if len(said) == 1 and "84.9 % of branches" in said[0] else f"says {said}"


def coverage_counts():
    """the counts that a guest prints"""
    import coverage
    said, counts = coverage.counts_in(["a", "%% gcda x.gcda", "AAEC", "Aw==", "",
                                       "%% gcda y.gcda", "AA=="])
    if said != ["a"] or counts != {"x.gcda": bytes(range(4)), "y.gcda": b"\0"}:
        return f"are read as {said}, {counts}"
    try:
        coverage.counts_in(["%% gcda x.gcda", "AAE"])
    except coverage.Fail as e:
        return "" if "are damaged" in str(e) else f"says '{e}'"
    return "what is damaged is taken"


@stubs
def coverage_without_gcovr(programs):
    """coverage without gcovr"""
    return expect([sys.executable, SCRIPTS / "coverage.py"],
                  "gcovr is missing: run 'scripts/deps.sh coverage'", env=programs.env())


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


def machine_starts():
    """machines for people have the device and what they use beside it"""
    qemu = common.build_qemu(common.ROOT)
    device = ["-device", "loopdma"]
    machines = [*(["-M", root, *device] for root in MACHINE_ROOTS),
                *(["-M", "q35", "-device", iommu, *device] for iommu in MACHINE_IOMMUS),
                ["-M", "q35", "-cpu", "max", *device, *(
                    word for words in MACHINE.values() for word in words)]]
    for machine in machines:
        done = subprocess.run([qemu, *machine, "-S", "-display", "none", "-monitor", "stdio"],
                              input="quit\n", encoding="utf-8", capture_output=True,
                              check=False, timeout=120)
        if done.returncode or done.stderr:
            return f"{' '.join(machine)}: {done.stderr or done.returncode}"
    for name in MACHINE_OF_HOST:
        done = subprocess.run([qemu, "-device", f"{name},help"], encoding="utf-8",
                              capture_output=True, check=False, timeout=120)
        if done.returncode:
            return f"{name}: {done.stderr}"
    return ""


def release_malformed():
    """a release that is no code name"""
    return expect([SCRIPTS / "build-qemu.sh", "--release"],
                  "--release needs the code name of a release") or \
        expect([SCRIPTS / "build-qemu.sh", "--release", "../12"],
               "--release needs the code name of a release")


def sanitizer_unknown():
    """a sanitizer that QEMU is not built with"""
    return expect([SCRIPTS / "build-qemu.sh", "--sanitizer", "memory"],
                  "--sanitizer needs one of address, thread")


def sanitizer_reports():
    """what a sanitizer reports makes a case fail"""
    def reported(name, text):
        def case(bench):
            bench.directory.mkdir(parents=True)
            (bench.directory / name).write_text(text, encoding="utf-8")

        with tempfile.TemporaryDirectory() as directory:
            return suite.run(suite.Case("fake", case, (), False, {}), "", Path(directory))

    race = "WARNING: ThreadSanitizer: data race\nSUMMARY: ThreadSanitizer: data race in f"
    for text, wanted in ((race, "SUMMARY: ThreadSanitizer: data race in f"),
                         ("a.c:1:2: runtime error: shift", "a.c:1:2: runtime error: shift"),
                         ("it broke", "it broke")):
        said = reported("sanitizer.123", text)
        if not said or not said[0].startswith(wanted):
            return f"'{text}' is told as {said}"
    notice = "==1==WARNING: ASan doesn't fully support makecontext/swapcontext functions"
    return "fails without a report" if reported("other", race) or \
        reported("sanitizer.1", notice) else ""


def fuzz_arguments():
    """a time, a target and an input that are none"""
    return expect([SCRIPTS / "fuzz.py", "--time", "soon"],
                  "'soon' is no time: give 90, 90s, 10m or 2h", status=2) or \
        expect([SCRIPTS / "fuzz.py", "--targets", "all"],
               "no target 'all': choose from sync", status=2) or \
        expect([SCRIPTS / "fuzz.py", "--targets", "sync", "--reproduce", "/nonexistent"],
               "no input /nonexistent: give a file")


def soak_arguments():
    """a time that is none, or too short"""
    return expect([SCRIPTS / "soak.py", "--time", "long"],
                  "'long' is no time: give 90, 90s, 10m or 2h", status=2) or \
        expect([SCRIPTS / "soak.py", "--time", "59s"],
               "--time must be 60 seconds or more", status=2)


def fuzz_logs():
    """what is read of a fuzzer's log"""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        log.write_text("INFO: Loaded 1 modules   (100 inline 8-bit counters): 100 [0x1)\n"
                       "#12\tNEW    cov: 34 ft: 56 corp: 7/80b lim: 4 exec/s: 9 rss: 1Mb\n"
                       "a.c:1: runtime error: shift\nSUMMARY: libFuzzer: deadly signal\n",
                       encoding="utf-8")
        early = fuzz.statistics("sync", log), fuzz.reason_in(log)
        with open(log, "a", encoding="utf-8") as f:
            f.write("stat::number_of_executed_units: 15\nstat::average_exec_per_sec:     3\n")
        late = fuzz.statistics("sync", log)
    if early != (fuzz.Result("sync", 12, 9, 34, 100, 7), "a.c:1: runtime error: shift"):
        return f"one that ended early is {early}"
    return "" if late == fuzz.Result("sync", 15, 3, 34, 100, 7) else f"it is {late}"


def kernel_configured():
    """a variant of a kernel's configuration"""
    import kunit
    found = kunit.configured("# A.\nCONFIG_A=y\nCONFIG_AB=m\n# CONFIG_C is not set\n",
                             "# B.\n# CONFIG_A is not set\nCONFIG_C=y\n").splitlines()
    wanted = ["# A.", "CONFIG_AB=m", "# B.", "# CONFIG_A is not set", "CONFIG_C=y"]
    return "" if found == wanted else f"is {found}"


def kernel_offers():
    """a configuration with an option that a kernel has not"""
    import kernel
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as top:
        (Path(top) / "Kconfig").write_text("config A\n\tbool\nconfig AB\n", "ascii")
        found = kernel.offered(top, "CONFIG_A=y\t# if there\nCONFIG_B=y # if there\n"
                               "CONFIG_C=y\n", Path(top) / "log")
    return "" if found == "CONFIG_A=y\n\nCONFIG_C=y\n" else f"is {found!r}"


def kernel_gone():
    """a stock kernel that is listed, but not on the mirror"""
    import kernel

    def packages(version):
        kver = f"7.3.{version}+deb13-amd64"
        return {f"linux-{what}": [{"Package": f"linux-{what}", "Version": f"7.3.{version}-1",
                                   "Get": f"http://mirror/{what}_{version} SHA256:0",
                                   "Depends": f"linux-binary-{kver}, linux-modules-{kver}"
                                   if what.startswith("image-") else ""}]
                for what in (f"image-{kver}", f"headers-{kver}", f"binary-{kver}",
                             f"modules-{kver}")}

    there = {**packages(4), **packages(10), "linux-source-7.3": [
        {"Version": f"7.3.{version}-1", "Get": f"http://mirror/source_{version} SHA256:0"}
        for version in (10, 4)], "linux-image-amd64": [
            {"Version": "7.3.10-1", "Depends": "linux-image-7.3.10+deb13-amd64 (= 7.3.10-1)"}]}
    asked = kernel.absent
    try:
        for lost, wanted in ((), "7.3.10-1"), (("source_10",), "7.3.4-1"), \
                (("source_10", "binary-7.3.4+deb13-amd64_4"), None):
            kernel.absent = lambda package, lost=lost: any(name in package for name in lost)
            found = kernel.resolve("linux-image-amd64", "sid", there)
            if (found and found.version) != wanted:
                return f"without {lost} it is {found}"
    finally:
        kernel.absent = asked
    return ""


def modules_unchanged():
    """modules that are built already, and what makes them be built again"""
    import modules
    with tempfile.TemporaryDirectory(prefix="loopdma-test-") as directory:
        top = Path(directory)
        header = top / "header.h"
        header.write_text("")
        (top / ".built").write_text(json.dumps({
            "key": "a", "told": ["warning"], "files": modules.states([header])}))
        if modules.unchanged(top, "a") != ["warning"]:
            return "what was said is lost"
        if modules.unchanged(top, "b") is not None:
            return "another key is taken for the same"
        os.utime(header, (1, 1))
        if modules.unchanged(top, "a") is not None:
            return "a header that has changed is not seen"
    return ""


# --- loopdmactl ---------------------------------------------------------------

COUNTERS = ("clock_ns", "transfers", "bytes", "errors_read", "errors_write", "errors_data",
            "errors_aborted", "errors_other", "terminated", "interrupts", "rescued",
            "stalls", "recoveries", "channel_resets", "device_resets", "doorbells", "depth",
            "depth_ns", "busy_ns")


def fake_sys(top, channels, **values):
    """A /sys with a device whose channels all have these counters."""
    device = Path(top) / "bus/pci/drivers/loopdma/0000:00:02.0"
    lines = "".join(f"{name} {values.get(name, 0)}\n" for name in COUNTERS)
    debug = Path(top) / "kernel/debug/dmaengine/0000:00:02.0"
    for number in range(channels):
        (device / f"dma/dma0chan{number}").mkdir(parents=True, exist_ok=True)
        (debug / f"chan{number}").mkdir(parents=True, exist_ok=True)
        (debug / f"chan{number}" / "stats").write_text(lines, encoding="ascii")
    (debug / "stats").write_text(lines, encoding="ascii")
    return {"LOOPDMACTL_SYS": str(top)}


def ctl_absent():
    """loopdmactl without a driver, a device, counters"""
    ctl = SCRIPTS / "loopdmactl"
    with tempfile.TemporaryDirectory() as top:
        env = {"LOOPDMACTL_SYS": top}
        said = expect([ctl, "list"], "not loaded: run 'modprobe loopdma'", 3, env)
        (Path(top) / "bus/pci/drivers/loopdma").mkdir(parents=True)
        said = said or expect([ctl, "list"], "bound to no device", 3, env)
        (Path(top) / "bus/pci/drivers/loopdma/0000:00:02.0/dma/dma0chan0").mkdir(parents=True)
        said = said or expect([ctl, "stats"], "no debugfs: run 'mount", 3, env)
        (Path(top) / "kernel/debug/dmaengine").mkdir(parents=True)
        return said or expect([ctl, "stats"], "this loopdma.ko has no counters", 3, env)


def ctl_shows():
    """what loopdmactl makes of counters"""
    with tempfile.TemporaryDirectory() as top:
        env = fake_sys(top, 11, transfers=2**64 - 1, errors_read=1, errors_data=2)
        code, text = call([SCRIPTS / "loopdmactl", "stats"], env)
        rows = [line.split() for line in text.splitlines()]
        if code or [row[0] for row in rows[1:]] != [f"dma0chan{n}" for n in range(11)]:
            return f"stats: {text}"
        if rows[1][1] != str(2**64 - 1) or rows[1][3] != "3" or "\033" in text:
            return f"stats: {rows[1]}"
        for which in ("dma0chan10", "0000:00:02.0/10", "00:02.0/10"):
            code, text = call([SCRIPTS / "loopdmactl", "stats", "--json", which], env)
            found = json.loads(text)
            if len(found) != 1 or found[0]["transfers"] != 2**64 - 1 or \
                    found[0]["name"] != "dma0chan10":
                return f"stats {which}: {text}"
        return expect([SCRIPTS / "loopdmactl", "stats", "dma0chan11"],
                      "no device or channel 'dma0chan11'", 3, env)


def ctl_version():
    """the version that loopdmactl tells"""
    changes = (common.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d\S*)\]", changes, re.MULTILINE)[1]
    code, text = call([SCRIPTS / "loopdmactl", "--version"])
    return "" if (code, text) == (0, f"loopdmactl {newest}\n") else \
        f"'{text.strip()}', but CHANGELOG.md is at {newest}"


def ctl_lists():
    """who has a channel and how it is, as root and others are told"""
    summary = ("dma0 (0000:00:02.0): number of channels: 4\n"
               " dma0chan1    | in-use, on, cookie 51, complete 51\n"
               " dma0chan2    | 0000:00:03.0:rx, dead, cookie 1, complete 1\n")
    ctl = [SCRIPTS / "loopdmactl", "list", "--json"]

    def states(env):
        return {row["channel"]: (row["state"], row["client"])
                for row in json.loads(call(ctl, env)[1])}

    with tempfile.TemporaryDirectory() as top:
        env = fake_sys(top, 4)
        for number in range(3):
            channel = Path(top) / f"class/dma/dma0chan{number}"
            channel.mkdir(parents=True)
            (channel / "in_use").write_text(f"{min(number, 1)}\n", encoding="ascii")
        (channel / "slave").symlink_to("../../devices/0000:00:03.0")
        config = Path(top) / "bus/pci/drivers/loopdma/0000:00:02.0/config"
        config.write_bytes(b"\xf4\x1a\xf0\x10" * 16)
        told = Path(top) / "kernel/debug/dmaengine/summary"
        wanted = {0: ("free", None), 1: (None, "unnamed"), 2: (None, "0000:00:03.0"),
                  3: (None, None)}
        if (found := states(env)) != wanted:
            return f"without the summary {found}"
        told.write_text(summary, encoding="ascii")
        wanted |= {1: ("on", "unnamed"), 2: ("dead", "0000:00:03.0:rx")}
        if (found := states(env)) != wanted:
            return f"with the summary {found}"
        (Path(top) / "module/dmatest").mkdir(parents=True)
        config.write_bytes(b"\xff" * 64)
        wanted = {number: ("gone", client) for number, (_, client) in wanted.items()}
        wanted[1] = ("gone", "dmatest?")
        if (found := states(env)) != wanted:
            return f"gone, and with dmatest {found}"
    return ""


@stubs
def ctl_rates(programs):
    """the rates of loopdmactl, also where a counter wraps"""
    with tempfile.TemporaryDirectory() as top:
        env = fake_sys(top, 1, clock_ns=10**9, bytes=2**64 - 2**20,
                       depth_ns=2**64 - 2**20)
        after = Path(top) / "after"
        fake_sys(after, 1, clock_ns=3 * 10**9, transfers=8, errors_read=1, busy_ns=10**9,
                 bytes=2 * 10**6, depth_ns=4 * 10**9)
        # Time passes.
        programs.write("sleep", f"/bin/cp -r {after}/kernel {top}\n")
        env["PATH"] = f"{programs.directory}:{os.environ['PATH']}"
        code, text = call([SCRIPTS / "loopdmactl", "top", "-n", "1", "--json"], env)
        if code:
            return f"top: {text}"
        row = json.loads(text)[0]
        wanted = {"mb_s": 1.5, "ops_s": 4, "busy_percent": 50.0, "mean_depth": 2.0,
                  "latency_us": 444561.0, "errors": 1, "transfers": 8}
        wrong = {name: row[name] for name, value in wanted.items() if row[name] != value}
        return f"{wrong} instead of {wanted}" if wrong else ""


def fake_controls(top, faults):
    """The files of a device's test controls, and of the kernel's faults."""
    debug = Path(top) / "kernel/debug/dmaengine/0000:00:02.0"
    for channel in debug.glob("chan*"):
        (channel / "inject").mkdir()
        for name in ("hold", "fail", "stuck", "lie"):
            (channel / "inject" / name).write_text("0\n", encoding="ascii")
    (debug / "inject").mkdir()
    (debug / "inject/raise").write_text("", encoding="ascii")
    for name in faults:
        (debug / name).mkdir()
        for file in ("probability", "times", "interval", "space", "verbose"):
            (debug / name / file).write_text("0\n", encoding="ascii")
    return debug


def ctl_injects():
    """what loopdmactl writes to inject a fault, and takes back"""
    ctl = [SCRIPTS / "loopdmactl", "inject"]
    with tempfile.TemporaryDirectory() as top:
        env = fake_sys(top, 2)
        said = expect(ctl, "has no test controls: boot the guest with '-device loopdma,"
                      "test-controls=on'", 3, env)
        debug = fake_controls(top, ["fail_prep"])
        wrong = [
            ("dma0chan0 hold 010", "'010' is nothing for 'hold'", 2),
            ("dma0chan0 hold ++1", "is nothing for 'hold'", 2),
            ("0000:00:02.0 fail_prep x", "'x' is nothing for 'fail_prep'", 2),
            ("0000:00:02.0 lose_irq 1", "needs CONFIG_FAULT_INJECTION_DEBUG_FS", 3),
            ("dma0chan0 early 1", "has no 'early'", 3),
            ("dma0chan7 hold 1", "no device or channel 'dma0chan7'", 3),
        ]
        for words, pattern, status in wrong:
            said = said or expect([*ctl, *words.split()], pattern, status, env)
        for words, pattern in (("dma0chan0 frob 1", "no control 'frob', it is one of fail "),
                               ("dma0chan0 hold", "no value for 'hold'"),
                               ("dma0chan0 raise 1", "'raise' is a device's"),
                               ("00:02.0 hold 1", "'hold' is a channel's"),
                               ("--reset", "--reset wants"),
                               ("--json dma0chan0 hold 1", "--json is for the list")):
            code, text = call([*ctl, *words.split()], env)
            if code != 2 or pattern not in text:
                said = said or f"{words}: status {code}, {text}"
        written = [("dma0chan0 hold 1", "chan0/inject/hold", "1"),
                   ("00:02.0/1 fail write:3", "chan1/inject/fail", str(7 << 16 | 3)),
                   ("dma0chan1 stuck reset", "chan1/inject/stuck", "3"),
                   ("dma0chan1 lie 0xFF", "chan1/inject/lie", "0xFF"),
                   ("00:02.0 raise 2", "inject/raise", "2"),
                   ("00:02.0 fail_prep 0", "fail_prep/probability", "0"),
                   ("00:02.0 fail_prep 5", "fail_prep/times", "5")]
        for words, name, value in written:
            code, text = call([*ctl, *words.split()], env)
            found = (debug / name).read_text(encoding="ascii").strip()
            if code or text or found != value:
                said = said or f"{words}: status {code}, {text}, writes {found}"
        if said:
            return said
        (debug / "chan1/inject/lie").write_text("255\n", encoding="ascii")
        code, text = call([*ctl, "--json"], env)
        found = {(row["name"], row["control"]): row["value"] for row in json.loads(text)}
        wanted = {("dma0chan0", "hold"): 1, ("dma0chan1", "fail"): "write:3",
                  ("dma0chan1", "stuck"): "reset", ("dma0chan1", "lie"): 255,
                  ("0000:00:02.0", "fail_prep"): 5, ("dma0chan0", "lie"): 0}
        if code or len(found) != 10 or any(found[k] != v for k, v in wanted.items()):
            return f"lists {found}"
        for words, left in (("dma0chan1", "hold"), ("00:02.0", "")):
            code, text = call([*ctl, "--reset", words], env)
            rows = json.loads(call([*ctl, "--json"], env)[1])
            set_ = " ".join(row["control"] for row in rows if row["control"] != "raise" and
                            row["value"] != 0)
            if code or text or set_ != (left + " fail_prep" if left else ""):
                return f"--reset {words}: status {code}, {text}, leaves {set_}"
    return ""


# --- benchmark ----------------------------------------------------------------

BENCH = """\
[    2.0] loopdma: module verification failed
[    2.1] loopdma_bench: mode=figures kind=memcpy size=65536 ns=10000
[    2.2] loopdma_bench: mode=figures kind=dma size=1048576 depth=8 channels=1 engines=1 \
copies=100 issues=93 ns=4000000 busy_ns=160000 doorbells=93 irqs=30 reads=0
[    2.3] loopdma_bench: mode=figures kind=dma size=4096 depth=64 channels=1 engines=1 \
copies=1000 issues=937 ns=2000000 busy_ns=1500000 doorbells=937 irqs=20 reads=0
[    2.4] loopdma_bench: mode=figures kind=dma size=4096 depth=32 channels=1 engines=1 \
copies=1000 issues=969 ns=2500000 busy_ns=1500000 doorbells=969 irqs=50 reads=0
[    2.5] loopdma_bench: mode=figures kind=dma size=4096 depth=1 channels=1 engines=1 \
copies=100 issues=50 ns=1000000 busy_ns=500000 doorbells=100 irqs=90 reads=25
[    2.6] loopdma_bench: mode=figures kind=progress permille=875
[    2.7] loopdma_bench: mode=latency kind=latency size=64 poll=0 load=0 class=0 copies=10 \
ns=300000 p50_ns=20000 p99_ns=30000 p999_ns=40000
[    2.8] loopdma_bench: mode=latency kind=latency size=64 poll=1 load=0 class=0 copies=20 \
ns=120000 p50_ns=5000 p99_ns=6000 p999_ns=7000
[    2.9] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=0 class=0 \
copies=10 ns=300000 p50_ns=20000 p99_ns=40000 p999_ns=50000
[    3.0] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=1 class=0 \
copies=10 ns=900000 p50_ns=20000 p99_ns=500000 p999_ns=600000
[    3.1] loopdma_bench: mode=priority kind=latency size=4096 poll=0 load=1 class=3 \
copies=10 ns=400000 p50_ns=20000 p99_ns=100000 p999_ns=500000
[    3.1] loopdma_bench: mode=priority kind=latency size=65536 poll=0 load=0 class=0 \
copies=10 ns=300000 p50_ns=20000 p99_ns=80000 p999_ns=90000
[    3.1] loopdma_bench: mode=priority kind=latency size=65536 poll=0 load=1 class=3 \
copies=10 ns=300000 p50_ns=20000 p99_ns=40000 p999_ns=50000
[    3.2] loopdma_bench: mode=open kind=open channels=32 ns=1500000 bytes=6291456
[    3.3] loopdma_bench: mode=scale kind=dma size=1048576 depth=8 channels=1 engines=2 \
copies=100 issues=93 ns=4000000 busy_ns=1 doorbells=93 irqs=30 reads=0
[    3.4] loopdma_bench: mode=scale kind=dma size=1048576 depth=8 channels=2 engines=2 \
copies=300 issues=286 ns=6000000 busy_ns=1 doorbells=286 irqs=60 reads=0
[    3.5] loopdma_bench: mode=scale kind=dma size=4194304 depth=4 channels=1 engines=2 \
copies=10 issues=7 ns=3000000 busy_ns=1 doorbells=7 irqs=10 reads=0
[    3.6] loopdma_bench: mode=scale kind=dma size=4194304 depth=4 channels=2 engines=2 \
copies=20 issues=12 ns=4000000 busy_ns=1 doorbells=12 irqs=20 reads=0
[    3.7] loopdma_bench: mode=scale kind=dma size=16777216 depth=4 channels=1 engines=2 \
copies=10 issues=7 ns=8000000 busy_ns=1 doorbells=7 irqs=10 reads=0
[    3.8] loopdma_bench: mode=scale kind=dma size=16777216 depth=4 channels=2 engines=2 \
copies=10 issues=2 ns=8000000 busy_ns=1 doorbells=2 irqs=10 reads=0
"""

# Nanoseconds of the host's memcpy by size: one thread, two threads.
BENCH_HOST = {1 << 20: (30000, 20000), 4 << 20: (200000, 100000), 16 << 20: (900000, 800000)}

BENCH_FIGURES = {
    "copy_1MiB_vs_host_memcpy": 0.75, "copy_1MiB_vs_guest_memcpy": 4,
    "copy_4KiB_qd32_vs_qd1": 4, "doorbells_per_issue": 2, "mmio_reads_per_transfer": 0.25,
    "irqs_per_transfer_4KiB_qd32": 0.05, "irqs_per_transfer_4KiB_qd64": 0.02,
    "cpu_time_1MiB_vs_guest_memcpy": 0.01, "guest_progress_while_copying": 0.875,
    "two_channels_vs_one_1MiB": 2, "two_channels_vs_one_4MiB": 1.5,
    "two_channels_vs_one_16MiB": 1, "host_two_threads_vs_one_1MiB": 1.5,
    "host_two_threads_vs_one_4MiB": 2, "host_two_threads_vs_one_16MiB": 1.125,
    "polled_vs_interrupt_64B": 5,
    "priority_p99_vs_idle_p99": 0.5,
    "open_32_channels_ms": 1.5, "open_32_channels_MiB": 6,
}

BENCH_COSTS = """\
loopdma_bench: mode=cost kind=cost run=0 size=4096 depth=64 channels=1 first=64 prep=6400 \
submit=3200 issue=640 complete=12800
loopdma_bench: mode=cost kind=cost run=0 size=4096 depth=2048 channels=32 first=64 \
prep=204800 submit=102400 issue=40960 complete=409600
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=10 channels=1 first=10 \
prep=100 submit=100 issue=100 complete=700
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=20 channels=1 first=20 \
prep=200 submit=200 issue=200 complete=900
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=50000 channels=1 first=50000 \
prep=1 submit=1 issue=1 complete=999997
loopdma_bench: mode=outstanding kind=cost run=0 size=64 depth=100000 channels={} first={} \
prep=1 submit=1 issue=1 complete=3999997
"""


def refused(function, pattern):
    """What is wrong if a function does not raise a Fail that matches."""
    try:
        function()
    except common.Fail as e:
        return "" if re.search(pattern, str(e)) else f"says '{e}', not '{pattern}'"
    return f"takes what is wrong: '{pattern}'"


def bench_figures():
    """the figures of what a guest has measured"""
    import bench
    found = bench.figures_of(bench.parse(BENCH), BENCH_HOST)
    for name, value in BENCH_FIGURES.items():
        if abs(found.pop(name) - value) > 1e-9:
            return f"{name} is not {value}"
    if found:
        return f"has {found}, too"
    twice = BENCH + BENCH.splitlines()[1]
    lacking = BENCH.replace("poll=1", "poll=0", 1)
    return refused(lambda: bench.figures_of(bench.parse(twice), BENCH_HOST),
                   "reported 2 measurements of mode=figures kind=memcpy") or \
        refused(lambda: bench.figures_of(bench.parse(lacking), BENCH_HOST),
                "reported [02] measurements of mode=latency") or \
        refused(lambda: bench.parse(BENCH.replace("ns=10000", "ns=1o000")),
                "what is no measurement: mode=figures kind=memcpy") or \
        refused(lambda: bench.parse(BENCH.replace("ns=10000", "ns")),
                "what is no measurement")


def bench_costs():
    """the figures of counted instructions"""
    import bench
    for channels, first, limits in [(1, 100000, 0), (2, 65536, 1)]:
        records = bench.parse(BENCH_COSTS.format(channels, first))
        found = bench.exact_figures_of(records, 0)
        wanted = {"instructions_per_4KiB_copy_qd64": 360,
                  "cost_growth_100k_outstanding": 60 / 50,
                  "cost_growth_32_channels": 370 / 360}
        if found != wanted:
            return f"are {found}, not {wanted}"
        said = bench.limits_of(records)
        if len(said) != limits or limits and "no more than 65536" not in said[0]:
            return f"{channels} channels: says {said}"
    records = bench.parse(BENCH_COSTS.format(1, 100000) + BENCH_COSTS.format(1, 100000)
                          .replace("run=0", "run=1").replace("submit=3200", "submit=3264"))
    row = bench.cost_rows(records)[0]
    wanted = {"size": 4096, "outstanding": 64, "channels": 1, "prep": 100, "submit": 50.5,
              "issue": 10, "complete": 200, "total": 360.5, "min": 360, "max": 361, "runs": 2}
    if row != wanted:
        return f"row is {row}, not {wanted}"
    clock = bench.parse("loopdma_bench: mode=cost kind=clock cycles=5000 ns=2000\n")
    found = bench.cost_rows(bench.in_ns([*records, *clock]))[0]
    wanted |= {"prep": 40, "submit": 20.2, "issue": 4, "complete": 80, "total": 144.2,
               "min": 144, "max": 144.4}
    return "" if found == wanted else f"in ns it is {found}, not {wanted}"


def bench_ratios():
    """figures compared with those of another commit"""
    import bench
    now = [{"open_32_channels_ms": value, "mmio_reads_per_transfer": reads}
           for value, reads in ((2, 0), (6, 0), (9, 0))]
    base = [{"open_32_channels_ms": value, "mmio_reads_per_transfer": reads}
            for value, reads in ((1, 0), (2, 0), (9, 0))]
    found = bench.ratios(now, base)
    # Run by run: the ratio of the medians would be 3.
    wanted = {"open_32_channels_ms": {"value": 2, "min": 1, "max": 3, "runs": 3},
              "mmio_reads_per_transfer": {"value": 1, "min": 1, "max": 1, "runs": 3}}
    if found != wanted:
        return f"are {found}, not {wanted}"
    now[1]["mmio_reads_per_transfer"] = 4
    if "mmio_reads_per_transfer" in bench.ratios(now, base):
        return "something is compared with nothing"
    for value, yes in ((0.9, True), (0.89, False)):
        if bench.reached("copy_1MiB_vs_host_memcpy", value) != yes:
            return f"{value} is judged wrongly"
    return "" if bench.reached("doorbells_per_issue", 1) and \
        not bench.reached("doorbells_per_issue", 1.01) else "doorbells are judged wrongly"


def bench_points():
    """what the plots of a benchmark show"""
    import bench
    import bench_report
    runs = [{"cpus": 1, "run": run, "records": bench.parse(text)} for run, text in enumerate(
        (BENCH, BENCH.replace("copies=1000 issues=937 ns=2000000",
                              "copies=1000 issues=937 ns=1000000")))]
    points = bench_report.series(
        runs, bench_report.by("depth", bench_report.operations),
        bench_report.of_mode("figures", size=4096))
    wanted = [(1, 100000, 100000, 100000), (32, 400000, 400000, 400000),
              (64, 750000, 500000, 1000000)]
    if points != wanted:
        return f"are {points}, not {wanted}"
    rows = dict(bench_report.latency_rows(runs))
    if rows.get("64 B, polled") != [5, 6, 7] or \
            rows.get("4 KiB, with load, class 3") != [20, 100, 500] or len(rows) != 7:
        return f"latencies are {rows}"
    text = bench_report.table(["<a>"], [["&"], [1]])
    return "" if "&lt;a&gt;" in text and "<tr><td>&amp;" in text and \
        "<tr><td>1" in text else f"the table is {text}"


def bench_threads():
    """who has the host's CPUs while a guest copies"""
    import bench_threads as threads
    kinds = [threads.thread_kind(name) for name in
             ("CPU 0/TCG", "loopdma-1", "loopdma-irq", "qemu-system-x86", "call_rcu")]
    if kinds != ["vcpu", "engine", "messenger", "main", "other"]:
        return f"threads are taken for {kinds}"
    first = 10.0, {"1": ("engine", 1.0, 0.5), "2": ("engine", 2.0, 0.5),
                   "3": ("vcpu", 1.0, 0.0)}, 7.0, 1.0
    last = 12.0, {"1": ("engine", 2.0, 0.75), "2": ("engine", 3.5, 0.5),
                  "3": ("vcpu", 1.5, 0.5), "4": ("other", 9.0, 9.0)}, 11.0, 1.5
    found = threads.between(first, last)
    wanted = {"threads": {"engine": {"run": 1.25, "wait": 0.125},
                          "vcpu": {"run": 0.25, "wait": 0.25}},
              "stolen": 0.25, "others": 0.5}
    if found != wanted:
        return f"between two looks was {found}, not {wanted}"
    record = {"mode": "busy", "kind": "threads", "channels": 2, "size": 1 << 20, "spin": 0}
    row, = threads.summaries([{"cpus": 1, "records": [record | found]}])
    if (row["channels"], row["spin"], row["engine"], row["main"], row["others"]) != (
            2, 0, wanted["threads"]["engine"], {"run": 0, "wait": 0}, 0.5):
        return f"sums up to {row}"
    # In a process of its own, which has no guest: those of other lanes are not its children.
    code, text = call([sys.executable, "-c", "import bench_threads\n"
                       "_, seen, worked, _ = bench_threads.look()\n"
                       "assert not seen and worked > 0, seen"], {"PYTHONPATH": str(SCRIPTS)})
    return "" if code == 0 else f"takes for QEMU what is not: {text}"


def bench_report_of(two, host, engine, guest=0.2, others=0.0):
    """A report of nothing but two channels of 1 MiB."""
    def figure(value):
        return {"value": value, "min": value, "max": value, "runs": 5}

    idle = {"run": 0.0, "wait": 0.0}
    return {"figures": {"two_channels_vs_one_1MiB": figure(two),
                        "host_two_threads_vs_one_1MiB": figure(host)},
            "targets": {"two_channels_vs_one_1MiB": ">= 1.6"}, "host_cpus": 2,
            "threads": [{"channels": 2, "size": 1 << 20, "spin": 0,
                         "engine": {"run": engine[0], "wait": engine[1]},
                         "vcpu": {"run": guest, "wait": 0.0}, "messenger": idle,
                         "main": idle, "other": idle, "others": others, "stolen": 0.0}]}


def bench_conclusions():
    """what follows from figures, and why"""
    import bench
    import bench_conclusions as words
    lacking = set(bench.TARGETS) ^ set(words.CLAIMS)
    if lacking:
        return f"figures and claims differ: {lacking}"
    for arguments, good, pattern in (
            ((1.7, 1.9, (1.9, 0.05)), True, "engines copied 95 % of the time"),
            ((1.1, 1.2, (1.9, 0.05)), False, "^the host cannot: .* by two threads makes "
             r"1.20 \[1.20..1.20\] of that by one, which is the limit, .* 92 % of that"),
            ((1.3, 1.9, (1.4, 0.4)), False, "waited for a CPU 20 % of the time: the 2 CPUs "
             r"of the host are shared with the guest's CPU \(0.20\); and the engines had "
             "nothing to do 10 %"),
            ((1.3, 1.9, (1.2, 0.1), 0.9), False, "^the engines had nothing to do 35 % of the "
             r"time: the guest's CPU \(0.90 of a CPU"),
            # A host that does not scale is not to blame for what is lost elsewhere.
            ((0.5, 1.5, (0.8, 1.0)), False, "^the engines waited for a CPU 50 %")):
        found, = words.conclusions(bench_report_of(*arguments))
        if found["holds"] != good or not re.search(pattern, found["why"]):
            return f"{arguments}: {found}, not '{pattern}'"
    report = bench_report_of(1.7, 1.9, (1.9, 0.05), others=0.4)
    said = words.warnings(report)
    if len(said) != 1 or "not quiet: other programs had up to 0.40" not in said[0]:
        return f"of a machine that is not quiet it says {said}"
    if words.warnings(bench_report_of(1.7, 1.9, (1.9, 0.05))):
        return "warns of a quiet machine"
    blind = bench_report_of(1.7, 1.9, (0.0, 0.0))
    report["threads"] = []
    for nothing in (report, blind):
        found, = words.conclusions(nothing)
        if found["why"] != "the host's own memcpy by two threads makes 1.90 [1.90..1.90] of " \
                           "that by one":
            return f"with nobody to look it says {found['why']}"
    return ""


def bench_arguments():
    """a benchmark of what there is not"""
    script = SCRIPTS / "bench.py"
    return expect([script, "--runs", "0"], "--runs must be 1 or more", status=2) or \
        expect([script, "--quick", "--instructions"], "not allowed with", status=2) or \
        expect([script, "--instructions", "--cell", "2.4"],
               "no stock kernel '2.4'.*choose one of")


def bench_base_unknown():
    """a comparison with a commit that does not exist"""
    if not (common.ROOT / ".git").exists():
        raise Skip("this is no checkout of git")
    return expect([SCRIPTS / "bench.py", "--instructions", "--base", "frobnicate"],
                  "there is no commit 'frobnicate' here: give one") or \
        expect([SCRIPTS / "bench.py", "--instructions", "--base", "HEAD:Makefile"],
               "there is no commit 'HEAD:Makefile' here")


@stubs
def bench_without_gnuplot(programs):
    """a benchmark without gnuplot"""
    return expect([sys.executable, SCRIPTS / "bench.py"],
                  "gnuplot is missing: run 'scripts/deps.sh bench'", env=programs.env())


@stubs
def bench_with_bad_gnuplot(programs):
    """a gnuplot that does not draw"""
    import bench_report
    programs.link("sh").write("gnuplot", "echo 'line 0: no terminal' >&2; exit 1\n")
    path = os.environ["PATH"]
    os.environ["PATH"] = str(programs.directory)
    try:
        return refused(lambda: bench_report.gnuplot("plot x\n"),
                       "^gnuplot failed: line 0: no terminal$")
    finally:
        os.environ["PATH"] = path


# --- peers --------------------------------------------------------------------

@stubs
def peers_without_qemu(programs):
    """a comparison without the peer's QEMU"""
    return expect([sys.executable, SCRIPTS / "bench_peers.py"], "qemu-system-aarch64 is "
                  "missing: run 'scripts/deps.sh peers'", env=programs.env())


def peers_parsed():
    """what the guests of a comparison report"""
    import bench_peers
    lines = ["memcpy size=65536 ns=13804.1", "dmatest size=64 tests=47136 rate=94271.23",
             "", "dmatest size=4096 tests=40162 rate=80322.50"]
    found = bench_peers.parse(lines)
    if found != {"memcpy": 13804.1, 64: 94271.23, 4096: 80322.5}:
        return f"is {found}"
    for lacking in (0, 1, 3):
        try:
            bench_peers.parse([line for number, line in enumerate(lines)
                               if number != lacking])
            return f"does not miss '{lines[lacking]}'"
        except common.Fail:
            pass
    line = "loopdma_bench: mode=figures kind=dma size=4096 depth={} copies=3000 ns=6000000"
    rate = bench_peers.deep_rate(line.format(bench_peers.DEPTH))
    if rate != 500e3:
        return f"3000 copies in 6 ms are {rate} in a second"
    return refused(lambda: bench_peers.deep_rate(line.format(bench_peers.DEPTH + 1)),
                   "reported 0 measurements of kind=dma size=4096")


def peers_figures():
    """the figures of a comparison"""
    import bench_peers
    # Round trips of 8 us, of the peer 10 us and 4 us; six times the peer's rate with
    # one CPU, ten times that with two.
    ours = {"memcpy": 20e3, 64: 125e3, 4096: 160e3, "deep": 480e3, "others": 0.0}
    runs = [{1: {"peer": {"memcpy": peer_ns, 64: 100e3, 4096: 80e3, "others": 0.1},
                 "ours": ours},
             2: {"peer": {"memcpy": 10e3, 64: 250e3, 4096: 48e3, "others": others},
                 "ours": ours}}
            for peer_ns, others in ((10e3, 0.0), (12e3, 0.9), (11e3, 0.1))]
    wanted = {f"{bench_peers.OPS}_1cpu": 6.0, f"{bench_peers.OPS_ANY}_1cpu": 6.0,
              f"{bench_peers.ROUND_TRIP}_1cpu": 1.25, f"{bench_peers.OPS}_2cpu": 10.0,
              f"{bench_peers.OPS_ANY}_2cpu": 6.0, f"{bench_peers.ROUND_TRIP}_2cpu": 0.5}
    found = bench_peers.figures_of(runs[0])
    if found != wanted:
        return f"is {found}"
    report = bench_peers.report_of(runs)
    if {name: figure["value"] for name, figure in report["figures"].items()} != wanted:
        return f"reports {report['figures']}"
    controls = [report["control"][cpus][who]
                for cpus in ("1cpu", "2cpu") for who in ("peer", "ours")]
    if controls != [{"memcpy": 1.2, "others": 0.1}, {"memcpy": 1.0, "others": 0.0},
                    {"memcpy": 1.0, "others": 0.9}, {"memcpy": 1.0, "others": 0.0}]:
        return f"the control is {controls}"
    if [bench_peers.quiet(values) for values in controls] != [False, True, False, True]:
        return "takes a disturbed machine for a quiet one, or the other way round"
    trip = report["rates"]["2cpu"]["round trip of 64 B, us: loopdma"]
    return "" if trip == {"value": 8.0, "min": 8.0, "max": 8.0, "runs": 3} else \
        f"a round trip is {trip}"


# --- running them -------------------------------------------------------------

TESTS = [
    kdir_missing, kdir_empty, kdir_without_symvers, kdir_without_dma, variable_malformed,
    kernel_unknown, run_kernel_unknown, run_device_refused, own_kernels, modprobe_index,
    raid_kernel_unknown, kernel_packed, lane_unknown,
    matrix_unknown, mutant_unknown, mutants_judged, guest_without_job,
    cache_not_writable, home_not_writable, cache_with_space, qemu_missing, tool_missing,
    apt_missing, mirror_without_a_suite, deps_without_dpkg, deps_without_root, deps_with_sudo,
    deps_without_network, deps_malformed, download_without_network, disk_full,
    script_interrupted, check_interrupted, deps_interrupted, checkout_with_space,
    cache_of_another, cache_removed,
    cache_interrupted, judge_sees_complaints, judge_keeps_quiet, judge_verdicts,
    judge_loses_few,
    conformance_gaps, coverage_judged, coverage_counts, coverage_without_gcovr,
    machine_starts, release_malformed,
    sanitizer_unknown, sanitizer_reports, fuzz_arguments, soak_arguments, fuzz_logs,
    kernel_configured, kernel_offers, kernel_gone, modules_unchanged,
    ctl_absent, ctl_shows, ctl_version, ctl_lists, ctl_rates, ctl_injects,
    bench_figures, bench_costs, bench_ratios, bench_points,
    bench_arguments, bench_base_unknown, bench_without_gnuplot, bench_with_bad_gnuplot,
    bench_threads, bench_conclusions,
    peers_without_qemu, peers_parsed, peers_figures,
]


def one(test):
    """Name, status and reason of a test."""
    try:
        reason = test()
    except Skip as e:
        return test.__doc__, "SKIP", str(e)
    except subprocess.TimeoutExpired:
        reason = "does not end"
    return test.__doc__, "FAIL" if reason else "PASS", reason


def run():
    return [one(test) for test in TESTS]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    results = run()
    for name, status, reason in results:
        print(f"{status} {name}{': ' + reason if reason else ''}")
    return 1 if any(status == "FAIL" for _, status, _ in results) else 0


if __name__ == "__main__":
    common.main(main)
