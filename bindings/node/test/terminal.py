#!/usr/bin/env python3
"""terminal.py COMMAND...: runs a program on a terminal that is connected to a shell of a guest's,
and types. The program shows the shell's prompt, `ready> `, and at the end `ended 7`."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios

LIMIT = 120  # seconds, for what takes one on an idle machine

master, terminal = os.openpty()
shown = b""


def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def type_in(text):
    os.write(master, text.encode())


def expect(pattern):
    """Waits until the terminal shows this, behind what was expected before. Both terminals, the
    guest's and this one, put a carriage return before a newline."""
    global shown
    while not (found := re.search(pattern.encode(), shown)):
        ready, _, _ = select.select([master], [], [], LIMIT)
        if not ready:
            sys.exit(f"no {pattern!r} in {shown!r}")
        shown += os.read(master, 65536)
    shown = shown[found.end():]


def modes():
    """Whether the terminal echoes, and whether it collects lines and makes signals of keys."""
    flags = termios.tcgetattr(terminal)[3]
    return [bool(flags & flag) for flag in (termios.ECHO, termios.ICANON, termios.ISIG)]


def check(actual, wanted, what):
    if actual != wanted:
        sys.exit(f"{what}: {actual}, not {wanted}")


resize(31, 91)
before = modes()
program = subprocess.Popen(sys.argv[1:], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                           preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
try:
    expect("ready> ")
    check(modes(), [False, False, False], "the terminal's modes while it is connected")
    type_in("stty size\r")
    expect("31 91\r+\n")
    resize(40, 100)
    type_in("until stty size | grep '40 100'; do sleep 0.1; done\r")
    expect("40 100\r+\nready> ")
    # A key that is a signal is one in the guest.
    type_in("sh -c 'echo sle\"\"eps; exec sleep 1000'\r")
    expect("sleeps\r+\n")
    type_in("\x03")
    expect("ready> ")
    type_in("exit 7\r")
    expect("ended 7\r+\n")
    check(program.wait(LIMIT), 0, "the program's status")
    check(modes(), before, "the terminal's modes afterwards")
finally:
    program.kill()
    program.wait()
