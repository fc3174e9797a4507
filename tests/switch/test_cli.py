#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The switch's command line: help, mistakes, sockets in the way, signals.

Usage: test_cli.py SWITCH
"""
import os
import re
import signal
import socket
import stat
import subprocess
import sys

import lab as laboratory

# What is wrong, and what the message has to say about it.
MISTAKES = [
    ([], "nothing to switch: expected at least one --port or --uplink"),
    (["--nonsense"], "unrecognized option '--nonsense'"),
    (["vm1.sock"], "sockets are given with --port"),
    (["--port"], "requires an argument"),
    (["--port", ""], "expected PATH[,OPTION]..."),
    (["--port", "x" * 108], "a socket's has 107 at most"),
    (["--port", "a,fast"], "unknown option 'fast', expected one of: client, "),
    (["--port", "a,queues"], "queues expects a number from 1 to 16"),
    (["--port", "a,queues=0"], "queues expects a number from 1 to 16"),
    (["--port", "a,queues=17"], "queues expects a number from 1 to 16"),
    (["--port", "a,queues=2x"], "queues expects a number from 1 to 16"),
    (["--port", "a,mrg=no"], "mrg expects 'on' or 'off'"),
    (["--port", "a,tso"], "tso expects 'on' or 'off'"),
    (["--port", "a,client=yes"], "client takes no value"),
    (["--port", "a,no-reconnect"], "no-reconnect expects client as well"),
    (["--port", "a,mode=0999"], "mode expects an octal number"),
    (["--port", "a,mode=1000"], "mode expects an octal number"),
    (["--port", "a,client,mode=0600"], "mode is for a server's socket"),
    (["--port", "a,name=a/b"], "name expects 1 to 31 letters"),
    (["--port", "a,macs=-1"], "macs expects a number"),
    (["--port", "a", "--port", "a"], "this path was given before"),
    (["--port", "x/a", "--port", "y/a"], "another port is called 'a' already"),
    (["--uplink", ""], "--uplink expects a device"),
    (["--port", "a", "--workers", "0"], "--workers expects a number from 1 to 16, got '0'"),
    (["--port", "a", "--age", "soon"], "--age expects a number from 0 to"),
    (["--port", "a", "--fdb-size", "4"], "--fdb-size expects a number from 16 to"),
    (["--port", "a", "--mbufs", "1"], "--mbufs expects a number from 1024 to"),
    (["--port", "a", "--interval", "-1"], "--interval expects a number from 0 to"),
    (["--port", "a", "--poll", "lazy"], "--poll expects 'adaptive', 'busy' or 'interrupt', got 'lazy'"),
]


def test_help_lists_every_option_and_exits_with_0(lab):
    code, out, err = lab.run("--help")
    assert code == 0 and err == "", (code, err)
    assert out.startswith("Usage: vhost-ng-switch [OPTION]... [-- EAL-OPTION...]\n"), out
    for option in ("port", "uplink", "age", "fdb-size", "workers", "poll", "mbufs", "hugepages",
                   "interval", "plain", "verbose", "help", "version"):
        assert re.search(r"^ .*--%s\b" % option, out, re.M), option
    assert max(map(len, out.splitlines())) <= 80, "wider than a terminal"
    # What the help calls port options is what the parser knows, and the other way round.
    listed = re.search(r"^Port options:\n((?:  .*\n)+)", out, re.M).group(1)
    listed = {re.match(r"  ([a-z-]+)", line).group(1) for line in listed.splitlines()}
    _, _, err = lab.run("--port", "a,?")
    known = re.search(r"expected one of: (.*)", err).group(1)
    assert listed == {word.rstrip("=") for word in known.split(", ")}, (listed, known)


def test_version(lab):
    code, out, _ = lab.run("--version")
    assert code == 0 and re.fullmatch(r"vhost-ng-switch \d+\.\d+\.\d+\n", out), out


def test_mistakes_are_explained_and_exit_with_2(lab):
    for args, expected in MISTAKES:
        code, out, err = lab.run(*args)
        assert code == 2, (args, code)
        assert out == "", (args, out)
        assert expected in err, (args, err)
        assert err.endswith("Try 'vhost-ng-switch --help'.\n"), (args, err)


def test_eal_mistake_is_explained(lab):
    code, _, err = lab.run("--port", "a.sock", "--", "--nonsense")
    assert code == 1 and "nonsense" in err and "EAL did not start" in err, err
    assert not os.path.exists(lab.path("a.sock"))


def test_one_lcore_is_refused(lab):
    code, _, err = lab.run("--port", "a.sock", "--", "-l", "0")
    assert code == 1 and "expected 2 to 17 lcores" in err, err


def test_unknown_uplink_is_refused(lab):
    code, _, _ = lab.run("--uplink", "net_nonsense0", "--port", "a.sock")
    assert code == 1
    assert not os.path.exists(lab.path("a.sock"))


def test_stop_signals_exit_with_0_and_remove_the_sockets(lab):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        switch = lab.switch("-p", "a.sock", "-p", "b.sock")
        assert stat.S_ISSOCK(os.stat(lab.path("a.sock")).st_mode)
        assert switch.stop(number) == 0
        assert os.listdir(lab.folder) == [], os.listdir(lab.folder)


def test_a_file_in_the_way_is_left_alone(lab):
    with open(lab.path("a.sock"), "w", encoding="ascii") as file:
        file.write("precious")
    code, _, err = lab.run("-p", "b.sock", "-p", "a.sock")
    assert code == 1 and "a.sock: exists and is not a socket" in err, err
    with open(lab.path("a.sock"), encoding="ascii") as file:
        assert file.read() == "precious"
    assert not os.path.exists(lab.path("b.sock")), "the first socket was left behind"


def test_a_socket_in_use_is_left_alone(lab):
    with socket.socket(socket.AF_UNIX) as owner:
        owner.bind(lab.path("a.sock"))
        owner.listen()
        code, _, err = lab.run("-p", "a.sock")
        assert code == 1 and "a.sock: another process listens on it" in err, err
        assert os.path.exists(lab.path("a.sock"))


def test_a_stale_socket_is_replaced(lab):
    first = lab.switch("-p", "a.sock")
    first.kill()
    assert os.path.exists(lab.path("a.sock"))
    assert lab.switch("-p", "a.sock").stop() == 0
    assert not os.path.exists(lab.path("a.sock"))


def test_the_mode_of_the_socket_is_set(lab):
    lab.switch("-p", "a.sock,mode=0640")
    assert stat.S_IMODE(os.stat(lab.path("a.sock")).st_mode) == 0o640


def test_plain_output_has_lines_for_programs(lab):
    switch = lab.switch("-p", "a.sock,name=left", "-p", "b.sock,client", "-i", "1", "-w", "2")
    lines = switch.out.lines
    assert "port left: listening on a.sock" in lines, lines
    assert "port b: connecting to b.sock" in lines, lines
    assert "ready: 2 workers" in lines, lines
    switch.wait("stats: port=left state=listening")
    switch.wait("stats: port=b state=connecting")
    switch.wait("stats: switch up_seconds=")
    stats = switch.stats()
    assert stats["left"]["in_packets"] == 0 and stats["left"]["drop_ring_full"] == 0, stats
    assert switch.stop() == 0
    assert any(re.match(r"PORT +IN packets +IN bytes +OUT packets +OUT bytes +DROPS$", line)
               for line in lines), lines
    assert not any("\033" in line for line in lines), "escape codes outside of a terminal"


def test_a_terminal_gets_a_live_table(lab):
    switch = lab.switch("-p", "a.sock", terminal=(24, 80))
    header = r"PORT +STATE +QP +IN pkt/s +IN bit/s +OUT pkt/s +OUT bit/s +DROPS"
    lines = switch.screen(lambda picture: any("a " == line[:2] for line in picture), "port a")
    assert any(re.match(header, line) for line in lines), lines
    assert any(re.match(r"a +listening +0 +0 +0 +0 +0 +0$", line) for line in lines), lines
    assert any(line.startswith("vhost-ng-switch   up 0:00:") for line in lines), lines
    at = len(switch.out.lines)
    switch.out.wait(lambda l: "PORT" in l, "a redraw", at)
    assert switch.stop() == 0
    assert "stopping: Terminated" in switch.out.lines


def test_a_terminal_too_can_have_plain_lines(lab):
    switch = lab.switch("-p", "a.sock", "--plain", "-i", "1", terminal=(24, 80))
    switch.wait("stats: port=a state=listening")
    assert switch.stop(signal.SIGINT) == 0
    assert "stopping: Interrupt" in switch.out.lines
    assert not any("\033" in line for line in switch.out.lines), "escape codes despite --plain"


def test_what_the_library_refuses_is_explained_on_a_terminal_too(lab):
    """Nobody to connect to, and once only: the library says so, not only that it failed."""
    for command in ([lab.switch_binary], ["script", "-qec", lab.switch_binary]):
        arguments = ["-p", "a.sock,client,no-reconnect"]
        if len(command) > 1:
            command[-1] += " " + " ".join(arguments)
            arguments = ["/dev/null"]
        done = subprocess.run([*command, *arguments], cwd=lab.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=laboratory.PATIENCE_SECONDS)
        assert done.returncode == 1, (command, done)
        assert "a.sock: cannot be started (error 2)" in done.stdout, done.stdout
        assert "a.sock: cannot start this socket" in done.stdout, done.stdout
        assert os.listdir(lab.folder) == [], os.listdir(lab.folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(laboratory.run_tests([value for name, value in list(globals().items())
                                   if name.startswith("test_")],
                                  (os.path.abspath(sys.argv[1]), None)))
