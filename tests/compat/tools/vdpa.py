#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vDPA as other people have it, on our library.

- Debian's drivers load: each symbol that they import is bound at once, and no other
  librte_vhost comes along.
- DPDK's example application vdpa, compiled as it is: its prompt, its list of devices, a port with
  a guest (testpmd with virtio-user), statistics.
"""

import glob
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "guest"))

from compile import cc  # noqa: E402
from lab import LIBRARY, ROOT, Skip, check, check_library, library_env, need_programs, note, \
    run_tests, wait_for  # noqa: E402
from pmd import Testpmd, eal_arguments, eal_environment  # noqa: E402

SOURCES = Path("/usr/share/dpdk/examples/vdpa")
DRIVERS = ("ifc", "mlx5", "sfc")

LOAD = """
import ctypes, os, sys
ctypes.CDLL(sys.argv[1], os.RTLD_NOW | os.RTLD_LOCAL)
with open("/proc/self/maps") as maps:
    print("\\n".join(sorted({line.split()[-1] for line in maps if "librte_vhost.so" in line})))
"""


def loads(name):
    path = next(iter(sorted(glob.glob(
        f"/usr/lib/x86_64-linux-gnu/dpdk/pmds-23*/librte_vdpa_{name}.so.23"))), None)
    if path is None:
        raise Skip(f"librte_vdpa_{name} not installed")
    result = subprocess.run([sys.executable, "-c", LOAD, path], env=library_env(), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    check(result.returncode == 0, f"{path} does not load:\n{result.stdout}")
    check(result.stdout.split() == [str(Path(LIBRARY).resolve())],
          f"{path} brings {result.stdout.split()}")
    note(f"{path} is bound to ours")


def drivers_load(lab):
    """Debian's vDPA drivers find all they need, and nothing else."""
    for name in DRIVERS:
        loads(name)


def build(lab):
    if not SOURCES.is_dir():
        raise Skip("DPDK's example vdpa (dpdk-doc) is not installed")
    libraries = [f"-lrte_{name}" for name in ("eal", "ethdev", "cmdline")]
    return cc(lab, "vdpa", [SOURCES / "main.c"], LIBRARY, *libraries), \
        cc(lab, "device.so", [Path(__file__).with_name("vdpa_device.c")], "-shared", "-fPIC",
           "-DALLOW_INTERNAL_API", f"-I{ROOT / 'include'}")


def example(lab):
    """DPDK's vdpa: lists a device, serves a guest with it, shows its counters, ends."""
    need_programs("dpdk-testpmd", "cc")
    program, device = build(lab)
    socket = lab.path("vdpa.sock")
    vdpa = lab.spawn("vdpa", ["stdbuf", "-oL", "env", f"LD_PRELOAD={device}", program,
                              *eal_arguments(lab, "vdpa", 1, 64), "--vdev=net_null0", "--", "-i"],
                     env=eal_environment(lab), stdin=subprocess.PIPE)
    vdpa.wait_log("vdpa> ", 30)
    check_library(vdpa)
    vdpa.send("list\n")
    vdpa.wait_log("net_null0\t\t2\t\t0x140008000", 20)
    vdpa.send(f"create {socket} net_null0\n")
    wait_for(socket.exists, 20, "the example to listen")
    guest = Testpmd(lab, "guest", [
        f"net_virtio_user0,path={socket},queues=1,queue_size=256"], lcores=2).wait_prompt()
    for said in ("device: features of 0", "device: queue 0 of 0 is 1", "device: queue 1 of 0 is 1",
                 "device: conf 0 with 2 queues"):
        vdpa.wait_log(said, 20)
    vdpa.send("stats net_null0 1\n")
    vdpa.wait_log("4712", 20)
    check(guest.quit() == 0, "the guest ended badly")
    vdpa.wait_log("device: close 0", 20)
    vdpa.send("quit\n")
    check(vdpa.wait(20) == 0, "the example ended badly")
    check(not socket.exists(), "the example left its socket")


if __name__ == "__main__":
    run_tests(drivers_load, example)
