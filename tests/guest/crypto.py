#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest whose cipher is served by DPDK's crypto example, and by ours, on our library.

The kernel tests its driver when it finds the device (several pieces, in place, odd offsets). Then
a program in the guest encrypts through that driver and no other; openssl does the same here, and
both must have the same bytes.

QEMU 7.2 tells a backend nothing of what the guest agreed to, so there are no packed rings. And it
connects to a backend that was restarted, but never starts the device there, and crashes when the
guest resets it: a backend that was killed serves the next QEMU.

VHOST_NG_SOAK=1 repeats reboots and crashes many times.
"""

import base64
import functools
import hashlib
import os
import signal
import subprocess
from pathlib import Path

from lab import (BUILD, LIBRARY, ROOT, Skip, check, check_library, library_env, need_programs, note,
                 run_tests, wait_for)
from vm import VM, build_guest

SOAK = bool(os.environ.get("VHOST_NG_SOAK"))
EXAMPLE = BUILD / "examples" / "vhost_crypto"
DPDK_EXAMPLE = Path("/usr/share/dpdk/examples/vhost_crypto")
# A device takes 24 MB of it: one that is left over leaves no room for the next.
EAL = ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-l", "0,1", "-m", "64"]
DRIVER = "virtio_crypto_aes_cbc"
SIZES = [16, 32, 48, 64, 240, 512, 1008, 2048, 2176, 2192, 4080, 4096, 4112, 8192, 12304, 16384,
         32752, 32768, 32784, 49152, 64512]
# A cryptodev need not take so much (crypto_aesni_mb counts 16 bits), nor the library so many pieces
# (Linux needs more than a thousand for the last): an error then, and never wrong bytes.
LARGE_SIZES = [65520, 65536, 126976, 131072]
KEYS = ["00112233445566778899aabbccddeeff",
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"]
IV = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"


def plaintext(size):
    """What scripts/guest/cryptool.c encrypts."""
    return bytes((i * 7 + (i >> 8) * 13) & 0xff for i in range(size))


@functools.lru_cache(None)
def openssl(key, size):
    """The ciphertext."""
    command = ["openssl", "enc", f"-aes-{4 * len(key)}-cbc", "-K", key, "-iv", IV, "-nopad"]
    return subprocess.run(command, input=plaintext(size), stdout=subprocess.PIPE, check=True,
                          timeout=60).stdout


def what_differs(got, sizes, wanted):
    """Which ciphertext is wrong first, and where."""
    for size, text in zip(sizes, wanted):
        if got[:size] != text:
            at = next((i for i, (a, b) in enumerate(zip(got, text)) if a != b), len(got))
            return f"byte {at} of {size} differs, or is missing"
        got = got[size:]
    return f"{len(got)} bytes too many"


def check_cipher(vm, key, sizes, must_work=True):
    """What the guest's driver makes of so many bytes, here and there. False: an error."""
    arguments = f"{DRIVER} {key} {IV} {' '.join(str(size) for size in sizes)}"
    status, output = vm.run(f"cryptool encrypt {arguments} > /tmp/out", 60)
    check(status == 0 or not must_work and "cryptool: encrypt" in output,
          f"{4 * len(key)} bits: {output.strip()}")
    if status == 0:
        wanted = [openssl(key, size) for size in sizes]
        got = vm.exec("sha256sum < /tmp/out").split()[0]
        if got != hashlib.sha256(b"".join(wanted)).hexdigest():
            got = base64.b64decode(vm.exec("base64 /tmp/out", 120))
            check(False, f"{4 * len(key)} bits: {what_differs(got, sizes, wanted)}")
    return status == 0


def check_ciphers(vm):
    """Every size with every length of key, in the guest and here."""
    entry = vm.exec(f"grep -A 6 '^driver *: {DRIVER}' /proc/crypto")
    check("selftest     : passed" in entry, f"the guest's kernel does not like its driver: {entry}")
    for key in KEYS:
        check_cipher(vm, key, SIZES)
    for size in LARGE_SIZES:
        works = check_cipher(vm, KEYS[0], [size], must_work=False)
        note(f"{size} bytes: {'encrypted' if works else 'refused'}")


def check_parallel(vm, seconds=1, processes=4):
    """Several processes at a time, each with keys and data of its own, in both directions."""
    vm.exec(f"for seed in $(seq {processes}); do "
            f"cryptool compare {DRIVER} $seed {SIZES[-1]} {seconds} > /tmp/compare.$seed 2>&1 & "
            "pids=\"$pids $!\"; done; "
            "for pid in $pids; do wait $pid || failed=1; done; "
            "cat /tmp/compare.*; [ -z \"$failed\" ]", seconds + 60)


def crash_busy(vm):
    """Ends QEMU, with sessions open and requests under way."""
    for seed in (5, 6):
        vm.start_command(f"cryptool compare {DRIVER} {seed} {SIZES[-1]} 600", f"busy{seed}")
    vm.exec("sleep 0.2")
    vm.kill()


class Backend:
    """A program that serves a guest, and what it holds on to without one."""

    def __init__(self, lab, name, argv):
        self.lab = lab
        self.path = lab.path("crypto.sock")
        # Its lines as they are written, although it writes them to a file.
        self.process = lab.spawn(name, ["stdbuf", "-oL", *argv], env=library_env())
        wait_for(self._listens, 30, f"{name} to listen")
        check_library(self.process)
        self.kinds = self.process.fd_kinds()

    def _listens(self):
        check(self.process.running(), f"{self.process.name} ended")
        lines = Path("/proc/net/unix").read_text().splitlines()
        return any(line.endswith(f" {self.path}") for line in lines)

    def boot(self, name="a", **properties):
        vm = VM(self.lab, name, self.path, crypto=True, **properties).start()
        note(f"the guest is up after {vm.wait_ready():.1f} s")
        return vm

    def check_same(self):
        """No descriptor or mapping of guest memory is left over."""
        wait_for(lambda: self.process.fd_kinds() == self.kinds and
                 not self.process.guest_mappings(), 30,
                 f"{self.process.name} to let go of the guest: it has {self.process.fd_kinds()}, "
                 f"had {self.kinds}")

    def crash(self):
        self.process.popen.send_signal(signal.SIGKILL)
        self.process.wait(10)


def example(lab, name, *options, vdev="crypto_openssl"):
    return Backend(lab, name, [EXAMPLE, *EAL, f"--vdev={vdev}", "--", lab.path("crypto.sock"),
                               *options])


def build_dpdk_example(lab):
    """Compiles DPDK's example, as it is, against our library."""
    if not DPDK_EXAMPLE.is_dir():
        raise Skip("DPDK's example vhost_crypto (dpdk-doc) is not installed")
    program = lab.path("vhost_crypto")
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    libraries = [f"-lrte_{name}" for name in ("eal", "mempool", "cryptodev", "cmdline")]
    command = ["cc", "-O2", "-DALLOW_EXPERIMENTAL_API", f"-I{ROOT / 'include'}", *flags,
               DPDK_EXAMPLE / "main.c", "-o", program, LIBRARY, *libraries]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=120)
    check(result.returncode == 0, f"DPDK's vhost_crypto does not compile:\n{result.stdout}")
    return program


def dpdk_example(lab, name, *options, vdev="crypto_openssl"):
    program = build_dpdk_example(lab)
    return Backend(lab, name, [program, *EAL, f"--vdev={vdev}", "--", "--config", "(1,0,0)",
                               "--socket-file", f"1,{lab.path('crypto.sock')}", *options])


def prepare():
    need_programs("openssl")
    build_guest(note, crypto=True)


def dpdk_copies(lab):
    """DPDK's vhost_crypto, compiled as it is; the guest reboots, QEMU crashes and comes again."""
    prepare()
    backend = dpdk_example(lab, "dpdk-copy")
    for _ in range(10 if SOAK else 1):
        vm = backend.boot()
        check_ciphers(vm)
        check_parallel(vm)
        vm.reboot()
        check_ciphers(vm)
        crash_busy(vm)
        backend.check_same()
    check_ciphers(backend.boot())


def dpdk_zero_copy(lab):
    """DPDK's vhost_crypto with --zero-copy."""
    prepare()
    backend = dpdk_example(lab, "dpdk-zero-copy", "--zero-copy")
    vm = backend.boot()
    check_ciphers(vm)
    check_parallel(vm)
    vm.stop()
    backend.check_same()


def dpdk_aesni(lab):
    """DPDK's vhost_crypto on another cryptodev, crypto_aesni_mb."""
    prepare()
    backend = dpdk_example(lab, "dpdk-aesni", vdev="crypto_aesni_mb")
    vm = backend.boot()
    check_ciphers(vm)
    check_parallel(vm)
    vm.stop()
    backend.check_same()


def our_example(lab):
    """Our vhost_crypto: killed, started anew for the next QEMU, zero copy, two queues."""
    prepare()
    for number in range(10 if SOAK else 1):
        backend = example(lab, f"crypto-{number}", vdev="crypto_aesni_mb")
        vm = backend.boot(f"a{number}")
        check_ciphers(vm)
        backend.crash()
        status, _ = vm.run(f"cryptool encrypt {DRIVER} {KEYS[0]} {IV} 16")
        check(status != 0, "the guest does not notice that nobody serves it")
        vm.kill()
    backend = example(lab, "crypto-again", "zero-copy")
    vm = backend.boot("b", queues=2)
    check_ciphers(vm)
    check_parallel(vm)
    crash_busy(vm)
    backend.check_same()
    status = backend.process.stop()
    last = backend.process.log().splitlines()[-1]
    check(status == 0, f"it leaves something behind: {last}")
    note(last)


if __name__ == "__main__":
    run_tests(dpdk_copies, dpdk_zero_copy, dpdk_aesni, our_example)
