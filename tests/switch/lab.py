# SPDX-License-Identifier: BSD-3-Clause
"""The switch and its guests as objects, and a runner that prints TAP.

Every process started here is ended here, and every wait has a limit.
"""
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

# The machine may be busy building; what takes longer than this hangs.
PATIENCE_SECONDS = 30


class Skip(Exception):
    """What a test needs is not there; the text says what."""


def until(condition, seconds=PATIENCE_SECONDS, what="what was waited for"):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never happened: " + what
        time.sleep(0.1)


class Lines:
    """The lines a process prints, as they come, from a thread."""

    def __init__(self, stream, echo):
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._read, args=(stream, echo), daemon=True)
        self.thread.start()

    def _read(self, stream, echo):
        try:
            for raw in iter(stream.readline, b""):
                line = raw.decode(errors="replace").rstrip("\r\n")
                print("# %s: %s" % (echo, line[:300]), file=sys.stderr)
                with self.changed:
                    self.lines.append(line)
                    self.changed.notify_all()
        except OSError:
            pass  # a terminal whose other side is closed reads as an error
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, predicate, what, start=0, seconds=PATIENCE_SECONDS):
        """The first line from `start` on for which the predicate is true, and its index."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                for index in range(start, len(self.lines)):
                    if predicate(self.lines[index]):
                        return self.lines[index], index
                left = deadline - time.monotonic()
                assert left > 0 and not self.ended, "no line with %s" % what
                self.changed.wait(left)


class Switch:
    """A running switch. Its sockets are in `folder`.

    terminal: False, or the (rows, columns) of the terminal its output goes to.
    """

    def __init__(self, binary, folder, *args, terminal=False):
        self.folder = folder
        self.at = 0
        command = [binary, *args]
        if terminal:
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", *terminal, 0, 0))
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=slave, stderr=sys.stderr)
            os.close(slave)
            self.out = Lines(os.fdopen(master, "rb", buffering=0), "switch")
        else:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=sys.stderr)
            self.out = Lines(self.process.stdout, "switch")
        self.wait("ready")

    def screen(self, predicate, what):
        """Wait until a whole picture of the live table, as a list of lines, is as wanted."""
        def picture():
            starts = [index for index, line in enumerate(self.out.lines) if "\033[H" in line]
            for first, last in zip(starts, starts[1:]):
                lines = [re.sub(r"\033\[[0-9]*[A-Z]", "", line).rstrip()
                         for line in self.out.lines[first:last]]
                if predicate(lines):
                    return lines
            return None
        until(picture, what=what)
        return picture()

    def wait(self, text, seconds=PATIENCE_SECONDS):
        """The next line that contains `text`, after the one found last."""
        line, index = self.out.wait(lambda l: text in l, repr(text), self.at, seconds)
        self.at = index + 1
        return line

    def stats(self):
        """{port: {key: number or word}} as of now."""
        start = len(self.out.lines)
        self.process.send_signal(signal.SIGUSR1)
        _, end = self.out.wait(lambda l: l.startswith("stats: switch "), "stats", start)
        return parse_stats(self.out.lines[start:end])

    def stop(self, number=signal.SIGTERM):
        """End it politely; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self.out.thread.join(PATIENCE_SECONDS)
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()


def parse_stats(lines):
    ports = {}
    for line in lines:
        if line.startswith("stats: port="):
            fields = dict(word.split("=", 1) for word in line.split()[1:])
            ports[fields["port"]] = {key: int(value) if value.isdigit() else value
                                     for key, value in fields.items()}
    return ports


class Guest:
    """A guest with one network device; frames go in and out as bytes."""

    def __init__(self, binary, folder, socket, address, *offloads, options=""):
        device = "path=%s,mac=%s%s" % (os.path.join(folder, socket), address, options)
        self.mac = address
        self.seen = 0
        self.process = subprocess.Popen([binary, "vhost-ng-switch-guest", device, *offloads],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=sys.stderr)
        self.out = Lines(self.process.stdout, "guest " + address[-2:])

    def ready(self):
        self.out.wait(lambda l: l == "ready", "ready")
        return self

    def _tell(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def send(self, frame, queue=0):
        self._tell("send %d %s" % (queue, frame.hex()))

    def send_csum(self, frame, l2, l3, queue=0):
        self._tell("csum %d %d %d %s" % (queue, l2, l3, frame.hex()))

    def send_tso(self, frame, l2, l3, mss, queue=0):
        self._tell("tso %d %d %d 20 %d %s" % (queue, l2, l3, mss, frame.hex()))

    def recv(self):
        """The next frame: (queue, flags, mss, bytes)."""
        line, index = self.out.wait(lambda l: l.startswith("recv "), "a frame", self.seen)
        self.seen = index + 1
        _, queue, flags, mss, hexdigits = line.split()
        return int(queue), flags, int(mss), bytes.fromhex(hexdigits)

    def recv_frame(self):
        return self.recv()[3]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()


class Lab:
    """What one test uses; `with` ends it all."""

    def __init__(self, switch_binary, guest_binary):
        self.switch_binary = switch_binary
        self.guest_binary = guest_binary

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="vswitch-")
        self.started = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            if process.process.poll() is None:
                process.kill()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def switch(self, *args, **kwargs):
        self.started.append(Switch(self.switch_binary, self.folder, *args, **kwargs))
        return self.started[-1]

    def guest(self, socket, number, *offloads, options=""):
        """A guest whose address ends in `number`; call ready() before using it."""
        self.started.append(Guest(self.guest_binary, self.folder, socket,
                                  "02:00:00:00:00:%02x" % number, *offloads, options=options))
        return self.started[-1]

    def run(self, *args):
        """Run the switch to its end: (exit code, stdout, stderr)."""
        done = subprocess.run([self.switch_binary, *args], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE_SECONDS)
        return done.returncode, done.stdout, done.stderr


def run_tests(tests, lab_arguments):
    """Run functions that take a Lab; print TAP; the exit code. TEST_ONLY picks by name."""
    failed = 0
    tests = [test for test in tests if os.environ.get("TEST_ONLY", "") in test.__name__]
    print("1..%d" % len(tests), flush=True)
    for number, test in enumerate(tests, 1):
        name = re.sub("^test_", "", test.__name__).replace("_", " ")
        try:
            with Lab(*lab_arguments) as lab:
                test(lab)
            print("ok %d - %s" % (number, name), flush=True)
        except Skip as reason:
            print("ok %d - %s # SKIP %s" % (number, name, reason), flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("".join("# %s\n" % line for line in traceback.format_exc().splitlines()), end="")
            print("not ok %d - %s" % (number, name), flush=True)
    return 1 if failed else 0
