#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest whose disk is served by our example, and by DPDK's own, on our library.

What is written is read back and compared, in the guest and in the file behind the disk;
and again with the backend killed in the middle of writing and started anew.

VHOST_NG_SOAK=1 repeats the killing many times.
"""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

from lab import BUILD, LIBRARY, ROOT, Skip, check, check_library, library_env, note, run_tests
from vm import VM, build_guest

SOAK = bool(os.environ.get("VHOST_NG_SOAK"))
EXAMPLE = BUILD / "examples" / "vhost_blk"
DPDK_EXAMPLE = Path("/usr/share/dpdk/examples/vhost_blk")
EAL = ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0"]
DISK_MIB = 64


def disk_sum(vm, mebibytes):
    """Checksum of the disk's start, read from the disk and not from the guest's cache."""
    vm.exec("echo 3 > /proc/sys/vm/drop_caches")
    return vm.exec(f"dd if=/dev/vda bs=1M count={mebibytes} 2>/dev/null | sha256sum", 120).split()[0]


def write_random(vm, mebibytes):
    """Writes random bytes to the disk's start; returns their checksum."""
    vm.exec(f"dd if=/dev/urandom of=/tmp/bytes bs=1M count={mebibytes} 2>/dev/null", 60)
    vm.exec("dd if=/tmp/bytes of=/dev/vda bs=64k conv=fsync 2>/dev/null", 120)
    return vm.exec("sha256sum < /tmp/bytes", 60).split()[0]


def check_disk(vm, mebibytes=8):
    written = write_random(vm, mebibytes)
    read = disk_sum(vm, mebibytes)
    check(read == written, f"the disk has {read[:16]}, written was {written[:16]}")
    return written


def file_sum(path, mebibytes):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(mebibytes << 20)).hexdigest()


def start_example(lab, name):
    process = lab.spawn(name, [EXAMPLE, *EAL, "-m", "64", "--", lab.path("blk.sock"),
                               lab.path("disk")], env=library_env())
    process.wait_log("vhost_blk: ready", 30)
    return process


def example_disk(lab, packed):
    build_guest(note)
    with open(lab.path("disk"), "wb") as file:
        file.truncate(DISK_MIB << 20)
    backend = start_example(lab, "blk-0")
    vm = VM(lab, "a", lab.path("blk.sock"), block=True,
            device={"packed": "on" if packed else "off"}).start()
    note(f"the guest is up after {vm.wait_ready():.1f} s")
    backend.wait_log(f"serving, {'packed' if packed else 'split'} ring", 10)
    check(int(vm.exec("cat /sys/block/vda/size")) == DISK_MIB << 11, "the disk's size is wrong")
    written = check_disk(vm)
    check(file_sum(lab.path("disk"), 8) == written, "the file behind the disk has other bytes")

    # Killed while the guest writes: it notices a pause.
    unfinished = 0
    for number in range(1, 41 if SOAK else 5):
        vm.exec("dd if=/dev/urandom of=/tmp/bytes bs=1M count=24 2>/dev/null", 60)
        wanted = vm.exec("sha256sum < /tmp/bytes", 60).split()[0]
        # Past the page cache, four at a time: there is always something to be served.
        vm.start_command("for i in 0 1 2 3; do dd if=/tmp/bytes of=/dev/vda bs=64k count=96 "
                         "skip=$((i * 96)) seek=$((i * 96)) oflag=direct & done; wait")
        time.sleep(0.05 + 0.03 * (number % 5))
        backend.popen.send_signal(signal.SIGKILL)
        backend.wait(10)
        backend = start_example(lab, f"blk-{number}")
        status, output = vm.finish_command(timeout_s=60)
        check(status == 0, f"writing failed after the backend was killed: {output.strip()}")
        read = disk_sum(vm, 24)
        check(read == wanted, f"round {number}: the disk has {read[:16]}, not {wanted[:16]}")
        check(file_sum(lab.path("disk"), 24) == wanted, "the file has other bytes")
        unfinished += ", 0 requests" not in backend.log()
    note(f"{unfinished} of {number} backends left requests unfinished")
    errors = vm.run("dmesg | grep -i 'i/o error'")[1]
    check(not errors, f"the guest saw errors: {errors}")
    vm.stop()
    check(backend.running(), "the backend did not survive the guest's end")
    backend.kill()


def example_on_a_split_ring(lab):
    """The example's disk on a split ring, killed while the guest writes."""
    example_disk(lab, False)


def example_on_a_packed_ring(lab):
    """The example's disk on a packed ring, killed while the guest writes."""
    example_disk(lab, True)


def build_dpdk_example(lab):
    """Compiles DPDK's example, as it is, against our library."""
    if not DPDK_EXAMPLE.is_dir():
        raise Skip("DPDK's example vhost_blk (dpdk-doc) is not installed")
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    sources = sorted(DPDK_EXAMPLE.glob("*.c"))
    command = ["cc", "-O2", "-DALLOW_EXPERIMENTAL_API", f"-I{ROOT / 'include'}", *flags, *sources,
               "-o", lab.path("vhost_blk"), LIBRARY, "-lrte_eal", "-lpthread"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=120)
    check(result.returncode == 0, f"DPDK's vhost_blk does not compile:\n{result.stdout}")
    return lab.path("vhost_blk")


def dpdk_example(lab):
    """DPDK's vhost_blk, compiled as it is, killed and started anew.

    Its disk is memory, so a new one is empty; the guest goes on with it all the same.
    """
    program = build_dpdk_example(lab)
    build_guest(note)

    def start(number):
        # Its lines as they are written, although it writes them to a file.
        process = lab.spawn(f"dpdk-blk-{number}", ["stdbuf", "-oL", program, *EAL, "-m", "512"],
                            env=library_env(), cwd=lab.dir)
        process.wait_log("Blocklen=4096", 30)
        return process

    backend = start(0)
    vm = VM(lab, "a", lab.path("vhost.socket"), block=True, device={"packed": "off"}).start()
    note(f"the guest is up after {vm.wait_ready():.1f} s")
    check_library(backend)
    check_disk(vm)
    for number in (1, 2):
        backend.popen.send_signal(signal.SIGKILL)
        backend.wait(10)
        backend = start(number)
        backend.wait_log("New Device", 30)
        check_disk(vm)
    vm.stop()
    backend.kill()


if __name__ == "__main__":
    run_tests(example_on_a_split_ring, example_on_a_packed_ring, dpdk_example)
