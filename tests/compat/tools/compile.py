# SPDX-License-Identifier: BSD-3-Clause
"""Other people's programs, compiled as they are."""

import subprocess

from lab import check


def cc(lab, name, sources, *arguments):
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    command = ["cc", "-O2", "-w", "-D_GNU_SOURCE", "-DALLOW_EXPERIMENTAL_API", *flags,
               *[str(source) for source in sources], "-o", lab.path(name), *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=120)
    check(result.returncode == 0, f"{name} does not compile:\n{result.stdout}")
    return lab.path(name)
