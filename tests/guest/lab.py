# SPDX-License-Identifier: BSD-3-Clause
"""What the tests with guests and other people's tools share.

A Lab owns a temporary directory and every process started for a test: each
writes to a log of its own, all are ended on the way out, and when a test fails the
tail of every log is printed on stderr. Test functions are run by run_tests(),
which prints TAP on stdout. Also used by scripts/demo. Nothing here is trusted
to end by itself: each wait has a time limit.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VHOST_NG_BUILD", ROOT / "build")).resolve()
# Another library may be put under test, such as the stock one as an oracle.
LIBRARY = Path(os.environ.get("VHOST_NG_LIBRARY", BUILD / "lib" / "librte_vhost.so.23"))
PR_SET_PDEATHSIG = 1
# Found in the calling process: after fork() only async-signal-safe things should happen.
_prctl = ctypes.CDLL(None).prctl


class Failure(Exception):
    """A test's expectation did not hold."""


class Skip(Exception):
    """The machine lacks something the test needs; the text says what."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came, as from 'meson test' when a time limit is over."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def note(message):
    print(f"# {message}", file=sys.stderr, flush=True)


def need_programs(*names):
    """Skips the test unless every program is installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in names:
        if shutil.which(name, path=path) is None:
            raise Skip(f"{name} is not installed")


def wait_for(condition, timeout_s, what, interval_s=0.05):
    """Calls condition() until it returns something true, and returns that."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout_s} s in vain for {what}")
        time.sleep(interval_s)


class Process:
    """A program started for a test, in its own session, with its output in a log."""

    def __init__(self, name, argv, log_path, env=None, stdin=subprocess.DEVNULL, cwd=None):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log_path = Path(log_path)
        with open(self.log_path, "ab") as log:
            log.write(("+ " + " ".join(self.argv) + "\n").encode())
            log.flush()
            self.popen = subprocess.Popen(
                self.argv, stdin=stdin, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd,
                start_new_session=True,
                preexec_fn=lambda: _prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    @property
    def pid(self):
        return self.popen.pid

    def status(self):
        """The exit status, None while it runs."""
        return self.popen.poll()

    def running(self):
        return self.status() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def send(self, text):
        """Writes to the standard input of a process started with a pipe there."""
        self.popen.stdin.write(text.encode())
        self.popen.stdin.flush()

    def end_input(self):
        self.popen.stdin.close()

    def wait(self, timeout_s):
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs after {timeout_s} s") from None

    def wait_log(self, text, timeout_s, start=0):
        """Waits for text in the log (from offset start on), failing early if the process ends."""
        def found():
            if text in self.log()[start:]:
                return True
            if not self.running() and text not in self.log()[start:]:
                raise Failure(f"{self.name} ended with status {self.status()}")
            return False
        wait_for(found, timeout_s, f"'{text}' from {self.name}")

    def kill(self):
        if self.running():
            self.popen.kill()
            self.popen.wait(10)

    def stop(self, timeout_s=15, sig=signal.SIGTERM):
        """Asks the process to end; returns its exit status. Fails if it has to be killed."""
        if self.running():
            self.popen.send_signal(sig)
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failure(f"{self.name} did not end {timeout_s} s after {sig.name}") from None
        return self.popen.returncode

    def maps(self):
        return Path(f"/proc/{self.pid}/maps").read_text()

    def fds(self):
        """What each open descriptor refers to, by number."""
        links = {}
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                links[int(entry.name)] = os.readlink(entry)
            except OSError:
                pass
        return links

    def fd_kinds(self):
        """How many descriptors of each kind are open; socket and pipe numbers are dropped."""
        kinds = {}
        for target in self.fds().values():
            kind = target.split(":")[0] if target.startswith(("socket:", "pipe:")) else target
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    def guest_mappings(self, *words):
        """Lines of the memory map that name guest memory shared by a frontend."""
        words = words or ("memory-backend-memfd",)
        return [line for line in self.maps().splitlines()
                if "memfd:" in line and any(word in line for word in words)]


class Lab:
    """Temporary directory and processes of one test; use it in a with statement."""

    def __init__(self):
        self.dir = None
        self.processes = []
        self._cleanups = []
        self._at_dump = []

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="vng-"))
        return self

    def __exit__(self, kind, value, trace):
        # Ctrl-C needs no explanation; everything else that ends a test early does.
        if kind not in (None, Skip, KeyboardInterrupt):
            self.dump()
        for cleanup in reversed(self._cleanups):
            try:
                cleanup()
            except Exception as error:  # the rest must still be cleaned up
                note(f"while cleaning up: {error}")
        for process in reversed(self.processes):
            process.kill()
        if os.environ.get("VHOST_NG_KEEP"):
            note(f"kept {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        return False

    def path(self, name):
        return self.dir / name

    def at_exit(self, function):
        self._cleanups.append(function)

    def at_dump(self, function):
        """Before the logs of a failed test are shown, function() fetches those that are elsewhere."""
        self._at_dump.append(function)

    def spawn(self, name, argv, **options):
        log = self.dir / f"{name}.log"
        process = Process(name, argv, log, **options)
        self.processes.append(process)
        return process

    def dump(self, lines=int(os.environ.get("VHOST_NG_LOG_LINES", "40"))):
        """Prints the end of every log on stderr."""
        for function in self._at_dump:
            try:
                function()
            except Exception as error:  # the logs that are here must still be shown
                note(f"while collecting logs: {error}")
        for log in sorted(self.dir.glob("**/*.log")):
            try:
                tail = log.read_text(errors="replace").splitlines()[-lines:]
            except OSError:
                continue
            print(f"# ---- {log.name} ----", file=sys.stderr)
            for line in tail:
                print(f"#   {line}", file=sys.stderr)
        for process in self.processes:
            state = "running" if process.running() else f"status {process.status()}"
            print(f"# {process.name} (pid {process.pid}): {state}", file=sys.stderr)
        sys.stderr.flush()


def library_env(library=None):
    """Environment in which a program finds our librte_vhost.so.23 before the stock one."""
    env = dict(os.environ)
    env["LD_LIBRARY_PATH"] = str((library or LIBRARY).parent)
    return env


def check_library(process, library=None):
    """Fails unless the process has our library mapped, and no other librte_vhost."""
    library = os.path.realpath(library or LIBRARY)
    mapped = {line.split(None, 5)[5] for line in process.maps().splitlines()
              if "librte_vhost.so" in line}
    check(mapped == {library}, f"{process.name} has {sorted(mapped)} mapped, not {library}")
    note(f"{process.name} runs on {os.path.relpath(library, ROOT)}")


def interrupt_on_sigterm():
    """Lets SIGTERM, like Ctrl-C, end a test through its cleanup code."""
    def handler(_signum, _frame):
        raise Terminated
    signal.signal(signal.SIGTERM, handler)


def run_tests(*tests):
    """Runs test functions in order; each takes a Lab. The first line of its doc is its name."""
    interrupt_on_sigterm()
    only = sys.argv[1:]
    if only:
        tests = [test for test in tests if test.__name__ in only]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        title = test.__doc__.strip().splitlines()[0].rstrip(".").replace("#", "no.")
        start = time.monotonic()
        note(f"{test.__name__}: {title}")
        try:
            with Lab() as lab:
                test(lab)
            print(f"ok {number} - {title}", flush=True)
        except Skip as skip:
            print(f"ok {number} - {title} # SKIP {skip}", flush=True)
        except KeyboardInterrupt:
            print(f"not ok {number} - {title}", flush=True)
            print("Bail out! interrupted", flush=True)
            sys.exit(1)
        except Exception as error:
            failed += 1
            if not isinstance(error, Failure):
                traceback.print_exc()
            print("\n".join(f"# {line}" for line in f"{test.__name__}: {error}".splitlines()))
            print(f"not ok {number} - {title}", flush=True)
        note(f"{test.__name__} took {time.monotonic() - start:.1f} s")
    sys.exit(1 if failed else 0)
