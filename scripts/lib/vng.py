# SPDX-License-Identifier: GPL-2.0-only
"""Runs dmatest in a guest that virtme-ng makes of a kernel tree and of this machine.

What kernel developers do with `vng --qemu .../qemu-system-x86_64 --qemu-opts="-device
loopdma"`, tried: the guest has this machine's file system, by 9p or by virtiofs.  The
latter is skipped where KVM does not work.  virtme-ng and virtiofsd are fetched from
Debian 13 and unpacked into the cache, but not installed.
"""

import os
import re
import shlex
import shutil
import subprocess

from lib import common, guest, kernel, modules
from lib.common import Fail

# virtme-ng, virtiofsd, and what they are linked to.
FROM_DEBIAN_13 = ["virtme-ng", "python3-argcomplete", "python3-requests", "python3-urllib3",
                  "python3-idna", "python3-certifi", "python3-charset-normalizer",
                  "virtiofsd", "libc6", "libcap-ng0", "libseccomp2", "libgcc-s1"]

SHARES = ("9p", "virtiofs")

# Why virtiofs cannot be tried, unless KVM works.
NO_VIRTIOFS = "virtiofs needs KVM: an emulated CPU runs stale code where virtiofsd writes to memory"

JOB = """\
#!/bin/sh
# The guest's tools are those of the host, of which it may have few.
mkdir /run/busybox
@BUSYBOX@ --install -s /run/busybox
PATH=/run/busybox:$PATH
. @DMATEST_DONE@
fail() { echo "$*"; exit 1; }
echo "%% root $(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)"
insmod @MODULES@/loopdma.ko || fail "loopdma does not load"
insmod @DMATEST@ timeout=60000 iterations=20 run=1 || fail "dmatest does not load"
dmatest_done /run/said
cat /run/said
threads=$(awk '/ Started / { n += $3 } END { print n + 0 }' /run/said)
good=$(grep -c ": summary 20 tests, 0 failures" /run/said)
[ $threads -ge $(ls /sys/class/dma | wc -l) ] && [ $good = $threads ] ||
	fail "dmatest: $good of $threads threads without a failure"
rmmod dmatest && rmmod loopdma || fail "the modules do not unload"
echo "%% passed $threads"
dmesg | sed 's/^/%% log /'
"""


def download(directory, log):
    """Downloads FROM_DEBIAN_13 to a directory."""
    lists = directory / "apt"
    with common.step("downloading virtme-ng and virtiofsd of Debian 13"):
        options = kernel.debian_lists(lists, log, ["trixie"])
        common.run(["apt-get", *kernel.APT, *options, "download", *FROM_DEBIAN_13], log,
                   "downloading virtme-ng (is there a network?)", cwd=directory)
    shutil.rmtree(lists)


def fetched():
    """The directory of virtme-ng and virtiofsd."""
    final = common.cache() / f"virtme-{common.digest(*FROM_DEBIAN_13)}"
    with common.lock("virtme"):
        if not final.exists():
            log = common.new_log("virtme")
            with common.filling(final) as part:
                download(part, log)
                # depmod and modprobe, if the machine has none, must fit its libraries.
                if not shutil.which("depmod", path=path_of(part)):
                    kernel.download(["kmod", "libkmod2"], part, log)
                for deb in list(part.glob("*.deb")):
                    kernel.unpack(deb, part)
                    deb.unlink()
                wrap(part, final)
    return final


def wrap(part, final):
    """Puts into bin/ what must be told where its libraries are."""
    (part / "bin").mkdir(exist_ok=True)
    triplet = "usr/lib/x86_64-linux-gnu"
    programs = {"virtiofsd": f"{final}/usr/lib64/ld-linux-x86-64.so.2 --library-path "
                             f"{final}/{triplet} {final}/usr/libexec/virtiofsd"}
    found = next((path for path in part.rglob("kmod") if path.is_file() and
                  path.parent.name == "bin"), None)
    if found:
        # Its libraries alone: the C library beside them is not the machine's.
        libraries = part / "kmod"
        libraries.mkdir()
        for path in part.rglob("libkmod.so.2*"):
            path.rename(libraries / path.name)
        # It is told by its name what it is to be.
        for name in ("depmod", "modprobe"):
            programs[name] = f"env LD_LIBRARY_PATH={final}/kmod {final}/kmod/{name}"
            (libraries / name).symlink_to(os.path.relpath(found, libraries))
    for name, command in programs.items():
        path = part / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="ascii")
        path.chmod(0o755)


def path_of(top):
    return f"{top}/bin:{top}/usr/bin:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def possible(share):
    return share != "virtiofs" or guest.accelerator() == "kvm"


def run(tree, share, name):
    """Why dmatest in virtme-ng's guest is not good, in a line; "" if it is."""
    top = fetched()
    dmatest = tree.dmatest()
    if not dmatest:
        raise Fail(f"{tree.directory} has no dmatest to be loaded: set CONFIG_DMATEST=m")
    place = common.BUILD / "guest" / name
    place.mkdir(parents=True, exist_ok=True)
    job = place / "job"
    settings = {"BUSYBOX": guest.busybox(), "MODULES": modules.build(tree.kdir())[0],
                "DMATEST": dmatest, "DMATEST_DONE": guest.JOBS / "dmatest_done"}
    job.write_text(re.sub(r"@(\w+)@", lambda m: str(settings[m[1]]), JOB), encoding="utf-8")
    command = ["vng", "--run", str(tree.directory), "--qemu", str(common.qemu()),
               "--qemu-opts=-device loopdma", "--disable-microvm",
               # With several, QEMU 10.2 may lose an interrupt: Documentation/qemu-device.rst.
               "--cpus", "1", "--memory", "512M", "--user", "root"]
    if guest.accelerator() != "kvm":
        command.append("--disable-kvm")
    if share == "9p":
        command.append("--force-9p")
    command += ["--", f"sh {shlex.quote(str(job))}"]
    log = common.LOGS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, PATH=path_of(top), PYTHONPATH=str(
        top / "usr/lib/python3/dist-packages"), PYTHONDONTWRITEBYTECODE="1")
    with common.step(f"virtme-ng with {share}, Linux {tree.release}"):
        try:
            # A terminal is what virtme-ng's console wants to be.
            done = subprocess.run(["script", "-q", "-e", "-c", shlex.join(command),
                                   "/dev/null"], cwd=tree.directory, env=env, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, encoding="utf-8",
                                  errors="replace", timeout=guest.HANG)
            said, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as e:
            said, status = (e.stdout or b"").decode("utf-8", "replace"), -1
    said = said.replace("\r", "")
    log.write_text(f"$ {shlex.join(command)}\n{said}", encoding="utf-8")
    return judge(said, status, share, f" (log: {common.relative(log)})")


def judge(said, status, share, where):
    """Why what virtme-ng has printed is not good, in a line; "" if it is."""
    told = re.findall(r"^%% (\w+) ?(.*)$", said, re.MULTILINE)
    facts = {key: value for key, value in told if key != "log"}
    found = guest.complaints("\n".join(value for key, value in told if key == "log"))
    if found:
        return f"kernel log: {found[0].strip()}{where}"
    if status == -1:
        return f"does not end{where}"
    if status or "passed" not in facts:
        return f"status {status}: {common.reason_in(said)}{where}"
    if facts.get("root") != share:
        return f"the file system is {facts.get('root')}, not {share}{where}"
    return ""
