# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest under QEMU whose network card is a vhost-user backend.

The guest boots what scripts/guest/build has made (a Debian kernel, busybox) in about two
seconds without KVM. Commands run in it through a second serial port, see
scripts/guest/init. Used by tests/guest, tests/compat/tools/ovs.py and scripts/demo.
"""

import base64
import itertools
import json
import os
import socket
import subprocess
import time
from pathlib import Path

from lab import ROOT, Failure, check, need_programs, wait_for

GUEST_DIR = Path(os.environ.get("VHOST_NG_GUEST", ROOT / "build" / "guest"))
CRYPTO_GUEST_DIR = GUEST_DIR / "crypto"
QEMU = "qemu-system-x86_64"
AGAIN_S = 2  # after so long without an answer a command is sent again, then after twice that


def build_guest(report=None, crypto=False, programs=()):
    """Makes kernel and initramfs if they are not there yet; returns their directory.

    programs  what of this machine a guest without a device (VM's path) has in it
    """
    need_programs(QEMU, "busybox", "cpio")
    directory = CRYPTO_GUEST_DIR if crypto else GUEST_DIR
    command = [ROOT / "scripts" / "guest" / "build", *(["--crypto"] if crypto else [])]
    for program in programs:
        command += ["--with", program]
    command.append(directory)
    builder = subprocess.run(command,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             timeout=600)
    if report:
        for line in builder.stdout.splitlines():
            report(line)
    if builder.returncode != 0:
        raise Failure(f"scripts/guest/build failed:\n{builder.stdout}")
    return directory


class VM:
    """One guest.

    path      vhost-user socket; None: no device, but the programs of build_guest()
    listen    True: QEMU creates the socket and the backend connects (backend in client mode)
    queues    queue pairs
    cpus      virtual CPUs; as many as queue pairs, at most two, if not given
    ip        address with prefix length that the guest gives its eth0
    offloads  False: a card without checksum and segmentation offloads
    device    further virtio-net-pci properties, such as {"mrg_rxbuf": "off"}
    dimms     how many can be plugged in later (plug_memory())
    block     True: the device is a disk, /dev/vda, and not a network card
    crypto    True: the device is a crypto device, and the guest that of build_guest(crypto=True)
    iommu     True: the card is behind a vIOMMU, and the guest takes back every address it has used
    movable   True: the guest will be migrated; see _memory_kib()
    """

    _numbers = itertools.count(1)

    def __init__(self, lab, name, path, *, listen=False, queues=1, ip=None, mac=None,
                 memory_mib=192, offloads=True, mtu=None, device=None, dimms=0, block=False,
                 crypto=False, iommu=False, movable=False, cpus=None):
        self.lab = lab
        self.name = name
        self.path = path
        self.listen = listen
        self.queues = queues
        self.cpus = cpus or min(queues, 2)
        self.ip = ip
        self.mac = mac or f"52:54:00:00:00:{next(VM._numbers):02x}"
        self.memory_mib = memory_mib
        self.offloads = offloads
        self.mtu = mtu
        self.device = device or {}
        self.incoming = None
        self.dimms = dimms
        self.block = block
        self.crypto = crypto
        self.iommu = iommu
        self.movable = movable
        self.boot_s = None
        self.process = None
        self._starts = 0
        self._ids = itertools.count(1)
        self._control = None
        self._pending = b""
        self._heard = []  # the last lines of the control port

    @property
    def address(self):
        return self.ip.split("/")[0]

    def _device_properties(self):
        # QEMU 7.2 crashes when a vhost device with MSI-X starts under TCG: no vectors, so INTx.
        properties = {"netdev": "net0", "mac": self.mac, "romfile": "", "packed": "off",
                      "vectors": 0}
        if self.queues > 1:
            properties["mq"] = "on"
        if not self.offloads:
            for feature in ("csum", "guest_csum", "host_tso4", "host_tso6", "host_ecn",
                            "guest_tso4", "guest_tso6", "guest_ecn", "host_ufo", "guest_ufo",
                            "gso"):
                properties[feature] = "off"
        if self.iommu:
            properties.update({"bus": "root", "iommu_platform": "on", "ats": "on",
                               "disable-legacy": "on"})
        properties.update(self.device)
        words = [f"{key}={value}" for key, value in properties.items()]
        return ",".join(["virtio-net-pci"] + words)

    def _memory_kib(self):
        """Without KVM a guest that moves loses writes, and then its kernel dies, whatever devices
        it has: QEMU 7.2 takes its bits of dirty pages 64 at a time without telling the emulated
        CPU, which then does not report the next write to these pages. It takes them one by one,
        and tells, where memory is no multiple of 64 pages.
        """
        return self.memory_mib * 1024 + (8 if self.movable else 0)

    def _device_arguments(self):
        """Those of the QEMU command line that are about the device."""
        if self.path is None:
            return []
        chardev = f"socket,id=vhost,path={self.path}"
        chardev += ",server=on" if self.listen else ",reconnect=1"
        if self.block:
            words = ["vhost-user-blk-pci,chardev=vhost,num-queues=1,vectors=0"]
            words += [f"{key}={value}" for key, value in self.device.items()]
            return ["-chardev", chardev, "-device", ",".join(words)]
        if self.crypto:
            words = ["virtio-crypto-pci,id=crypto0,cryptodev=cryptodev0,vectors=0"]
            words += [f"{key}={value}" for key, value in self.device.items()]
            return ["-chardev", chardev, "-object",
                    f"cryptodev-vhost-user,id=cryptodev0,chardev=vhost,queues={self.queues}",
                    "-device", ",".join(words)]
        netdev = "vhost-user,id=net0,chardev=vhost"
        if self.queues > 1:
            netdev += f",queues={self.queues}"
        words = ["-chardev", chardev, "-netdev", netdev]
        if self.iommu:
            words += ["-device", "intel-iommu,intremap=off,device-iotlb=on",
                      "-device", "pcie-root-port,id=root,chassis=1"]
        return words + ["-device", self._device_properties()]

    def arguments(self):
        """The QEMU command line."""
        words = ["console=ttyS0", "quiet", "panic=-1", "no_timer_check", "mitigations=off"]
        if self.ip:
            words.append(f"vng.ip={self.ip}")
        if self.mtu:
            words.append(f"vng.mtu={self.mtu}")
        if self.queues > 1:
            words.append(f"vng.queues={self.queues}")
        if self.iommu:
            words += ["intel_iommu=on", "iommu.passthrough=0", "iommu.strict=1"]
        directory = CRYPTO_GUEST_DIR if self.crypto else GUEST_DIR
        initramfs = "host.cpio" if self.path is None else "initramfs.cpio"
        return [
            QEMU, "-name", f"vng-guest-{self.name}", "-accel", "tcg", "-cpu", "max",
            "-machine", "q35,memory-backend=mem", "-smp", str(self.cpus),
            "-m", f"{self._memory_kib()}K" +
            (f",slots={self.dimms},maxmem=4G" if self.dimms else ""),
            "-object", f"memory-backend-memfd,id=mem,size={self._memory_kib()}K,share=on",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", directory / "vmlinuz", "-initrd", directory / initramfs,
            "-append", " ".join(words),
            "-serial", f"file:{self.lab.path(self.name + '-console.log')}",
            "-chardev", f"socket,id=control,path={self._control_path()},server=on,wait=off",
            "-serial", "chardev:control",
            "-qmp", f"unix:{self.lab.path(self.name + '.qmp')},server=on,wait=off",
            *self._device_arguments(),
        ] + (["-incoming", f"unix:{self.incoming}"] if self.incoming else [])

    def _control_path(self):
        return str(self.lab.path(f"{self.name}.control"))

    def start(self):
        """Starts QEMU; with listen, QEMU waits there until the backend connects."""
        for stale in (self._control_path(), str(self.lab.path(self.name + ".qmp"))):
            if os.path.exists(stale):
                os.unlink(stale)
        self._started_at = time.monotonic()
        self.process = self.lab.spawn(f"qemu-{self.name}", self.arguments())
        self._pending = b""
        # Now, not when it is needed: QEMU throws away what nobody is connected to hear.
        self._connect(10)
        return self

    def _connect(self, timeout_s):
        def connected():
            check(self.process.running(), f"QEMU of {self.name} ended: {self.process.log()[-400:]}")
            control = socket.socket(socket.AF_UNIX)
            try:
                control.connect(self._control_path())
            except OSError:
                control.close()
                return None
            return control
        self._control = wait_for(connected, timeout_s, f"the control port of {self.name}")

    def wait_ready(self, timeout_s=60):
        """Waits until the guest has booted and serves commands; returns the seconds it took."""
        self._read_reply("ready", timeout_s)
        self.boot_s = time.monotonic() - self._started_at
        return self.boot_s

    def _read_line(self, end):
        """The next line of the control port, or None when there is none until `end`."""
        while b"\n" not in self._pending:
            left_s = end - time.monotonic()
            if left_s <= 0:
                return None
            self._control.settimeout(left_s)
            try:
                data = self._control.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise Failure(f"QEMU of {self.name} closed the control port")
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode(errors="replace").strip()

    def _read_reply(self, wanted, timeout_s, line=b"\n"):
        """Waits for the answer to a line that was sent.

        The emulated port loses a command or an answer now and then. The guest does nothing twice:
        sent again, the line of the last command, or an empty one, only gets its answer again.
        """
        start = time.monotonic()
        again_s = AGAIN_S
        while True:
            heard = self._read_line(start + min(again_s, timeout_s))
            if heard is None and again_s < timeout_s:
                self._send(line)
                again_s *= 2
                continue
            if heard is None:
                raise Failure(f"guest {self.name} did not answer in time")
            self._heard = (self._heard + [heard[:100]])[-4:]
            fields = heard.split(" ")
            if len(fields) < 3 or fields[0] != "@" or fields[1] != wanted:
                continue
            try:
                output = base64.b64decode(fields[3]) if len(fields) > 3 else b""
                return int(fields[2]), output.decode(errors="replace")
            except ValueError:  # damaged
                continue

    def _send(self, line):
        self._control.settimeout(10)
        self._control.sendall(line)

    def _send_command(self, command, timeout_s):
        """Returns its number and the line."""
        check(self._control is not None, f"guest {self.name} is not up")
        number = str(next(self._ids))
        encoded = base64.b64encode(command.encode()).decode()
        line = f"{number} {int(timeout_s)} {encoded}\n".encode()
        self._send(line)
        return number, line

    def run(self, command, timeout_s=30):
        """Runs a shell command in the guest; returns (exit status, output)."""
        number, line = self._send_command(command, timeout_s)
        try:
            return self._read_reply(number, timeout_s + 10, line)
        except Failure as failure:
            raise Failure(f"{failure}: '{command[:60]}'; {self._what_is_wrong()}") from None

    def _what_is_wrong(self):
        """Of a guest that owes an answer: is it gone, or only the answer?"""
        heard = f"heard last: {self._heard}, then {self._pending[:100]}"
        try:
            number, line = self._send_command("true", 10)
            self._read_reply(number, 20, line)
            return f"but it answers another one; {heard}"
        except (Failure, OSError) as failure:
            return f"nor does it answer another one ({failure}); {heard}"

    def exec(self, command, timeout_s=30):
        """Runs a shell command in the guest; returns its output, fails if it does."""
        status, output = self.run(command, timeout_s)
        check(status == 0,
              f"in guest {self.name}: '{command}' ended with {status}: {output.strip()}")
        return output

    def start_command(self, command, name="job"):
        """Leaves a command running in the guest; finish_command() collects it."""
        self.exec(f"(({command}) > /tmp/{name}.out 2>&1; echo $? > /tmp/{name}.status) "
                  f"< /dev/null > /dev/null 2>&1 &")

    def finish_command(self, name="job", timeout_s=30):
        """Waits for a command left running; returns (exit status, output)."""
        wait_for(lambda: self.run(f"test -s /tmp/{name}.status")[0] == 0, timeout_s,
                 f"{name} in guest {self.name}", 0.2)
        status = int(self.exec(f"cat /tmp/{name}.status; rm /tmp/{name}.status"))
        return status, self.exec(f"cat /tmp/{name}.out")

    def features(self):
        """Set of the virtio feature bits the guest has negotiated."""
        bits = self.exec("cat /sys/class/net/eth0/device/features").strip()
        return {index for index, bit in enumerate(bits) if bit == "1"}

    def ping(self, address, count=3, size_bytes=56, timeout_s=30):
        """Pings from the guest; returns how many answers came."""
        # exec, so that the time limit ends ping itself and not only the shell around it.
        status, output = self.run(f"exec ping -q -A -c {count} -s {size_bytes} -w {timeout_s - 5} "
                                  f"{address}", timeout_s)
        if status == 137:  # busybox's ping waits for its last answer longer than it was told to
            return 0
        for line in output.splitlines():
            if "packets received" in line:
                return int(line.split(",")[1].split()[0])
        raise Failure(f"ping in guest {self.name}: {output.strip()}")

    def reboot(self, timeout_s=60):
        """Restarts the guest's kernel inside the same QEMU and waits until it is up."""
        self._send_command("reboot -f", 20)
        self._started_at = time.monotonic()
        self._read_reply("ready", timeout_s)
        self.boot_s = time.monotonic() - self._started_at
        return self.boot_s

    def successor(self, name, path):
        """Starts another QEMU with the same machine, which waits for this guest to move there."""
        vm = VM(self.lab, name, path, listen=self.listen, queues=self.queues, ip=self.ip,
                mac=self.mac, memory_mib=self.memory_mib, offloads=self.offloads, mtu=self.mtu,
                device=self.device, movable=True)
        vm.incoming = self.lab.path(name + ".migration")
        vm.start()
        wait_for(lambda: os.path.exists(vm.incoming), 10, f"QEMU of {name} to wait for a guest")
        return vm

    def migrate_start(self, successor, timeout_s=120):
        """Copies all memory once; the guest runs on. Returns while what changed meanwhile is
        copied again, so slowly that it never ends: what changes now, changes after it was copied.
        """
        self._migration_limits(30, 1)
        self._migrate(successor, postcopy=False)
        wait_for(lambda: self.migration_alive().get("ram", {}).get("dirty-sync-count", 0) > 1,
                 timeout_s, f"{self.name} to be copied once", 0.02)
        self._migration_limits(1, 1)
        now = self.migration()
        check(now["status"] == "active", f"the migration went too far: {now}")

    def postcopy_start(self, successor, timeout_s=30):
        """Has the guest go ahead of its memory. Returns when it runs at its successor, while most
        of its memory is still here, and comes so slowly that it takes seconds.
        """
        self.qmp_result("migrate-set-parameters", **{"max-bandwidth": 8 << 20,
                                                     "max-postcopy-bandwidth": 8 << 20})
        self._migrate(successor, postcopy=True)
        wait_for(lambda: self.migration_alive()["status"] == "active", timeout_s, "it to begin",
                 0.01)
        self.qmp_result("migrate-start-postcopy")
        wait_for(lambda: successor.qmp_result("query-status")["status"] == "running", timeout_s,
                 f"{successor.name} to run")
        now = self.migration()
        check(now["status"] == "postcopy-active", f"it was no postcopy: {now}")

    def migrate_finish(self, successor, timeout_s=120):
        """Lets the copy end; the guest is at its successor then. Returns what QEMU says of it."""
        self.qmp_result("migrate-set-parameters", **{"max-postcopy-bandwidth": 0})
        self._migration_limits(1000, 300)

        def ended():
            now = self.migration_alive()
            return now if now.get("status") == "completed" else None
        result = wait_for(ended, timeout_s, f"{self.name} to be migrated")
        wait_for(lambda: successor.qmp_result("query-status")["status"] == "running", 10,
                 f"{successor.name} to run")
        return result

    def _migrate(self, successor, postcopy):
        for end in (self, successor):
            end.qmp_result("migrate-set-capabilities", capabilities=[
                {"capability": "postcopy-ram", "state": postcopy}])
        self.qmp_result("migrate", uri=f"unix:{successor.incoming}")

    def migration_alive(self):
        """What QEMU says about a migration that must not have failed."""
        now = self.migration()
        check(now.get("status") not in ("failed", "cancelled", "postcopy-paused"),
              f"the migration of {self.name}: {now}")
        return now

    def _migration_limits(self, mib_per_s, downtime_ms):
        self.qmp_result("migrate-set-parameters",
                        **{"max-bandwidth": mib_per_s << 20, "downtime-limit": downtime_ms})

    def migration(self):
        """What QEMU says about the migration of this guest."""
        return self.qmp_result("query-migrate")

    def qmp_result(self, command, **arguments):
        """The result of a monitor command that must not fail."""
        answer = self.qmp(command, arguments=arguments)
        check("return" in answer, f"QEMU of {self.name}: {command}: {answer}")
        return answer["return"]

    def qmp(self, command, arguments=None, timeout_s=10):
        """Sends one command to QEMU's monitor and returns the answer."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(timeout_s)
            monitor.connect(str(self.lab.path(self.name + ".qmp")))
            stream = monitor.makefile("rw")
            stream.readline()
            for request, given in (("qmp_capabilities", None), (command, arguments)):
                stream.write(json.dumps({"execute": request, "arguments": given or {}}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "return" not in answer and "error" not in answer:
                    answer = json.loads(stream.readline())
            return answer

    def _qmp_done(self, command, **arguments):
        answer = self.qmp(command, {key.replace("_", "-"): value
                                    for key, value in arguments.items()})
        check("error" not in answer, f"{command}: {answer}")

    def plug_memory(self, name, mebibytes):
        """Plugs in shared memory; what the guest makes of it is its business."""
        self._qmp_done("object-add", qom_type="memory-backend-memfd", id=f"mem-{name}",
                       size=mebibytes << 20, share=True)
        self._qmp_done("device_add", driver="pc-dimm", id=name, memdev=f"mem-{name}")

    def unplug_memory(self, name, timeout_s=30):
        """Asks the guest to let go of the memory, which it must not have taken into use."""
        self._qmp_done("device_del", id=name)
        wait_for(lambda: all(dimm["data"]["id"] != name
                             for dimm in self.qmp("query-memory-devices")["return"]),
                 timeout_s, f"guest {self.name} to let go of {name}", 0.2)
        self._qmp_done("object-del", id=f"mem-{name}")

    def stop(self, timeout_s=15):
        """Ends QEMU in an orderly way."""
        self._close_control()
        return self.process.stop(timeout_s)

    def kill(self):
        """Ends QEMU with SIGKILL, as a crash would."""
        self._close_control()
        self.process.kill()

    def _close_control(self):
        if self._control is not None:
            self._control.close()
            self._control = None


def fetch_file(sender, receiver, mebibytes, timeout_s=120, port=7000):
    """Moves a file of random bytes from one guest to another over TCP.

    Returns (seconds, checksum at the sender, checksum at the receiver).
    """
    sender.exec(f"dd if=/dev/urandom of=/tmp/served bs=1M count={mebibytes} 2>/dev/null", 60)
    sent = sender.exec("sha256sum < /tmp/served", 60).split()[0]
    sender.exec(f"nettool serve {port} /tmp/served")
    output = receiver.exec(f"nettool fetch {sender.address} {port} /tmp/file", timeout_s)
    size_bytes, milliseconds = (int(field) for field in output.split())
    got = receiver.exec("sha256sum < /tmp/file; rm /tmp/file", 60).split()[0]
    sender.exec("killall nettool; rm /tmp/served")
    check(size_bytes == mebibytes << 20, f"{size_bytes} bytes arrived, not {mebibytes} MiB")
    return max(milliseconds, 1) / 1000, sent, got
