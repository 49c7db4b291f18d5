"""What the suites through-vm and fs run inside the guest: `python3 -c`, with this file as its text.

Standard input begins with a tar archive of programs and kernel modules. Then each line is a
command and gets one line of JSON: the host says what to run, this knows nothing of suites.
"""

import ctypes
import io
import json
import os
import subprocess
import sys
import tarfile
import time

FOLDER = "/run/bench"
FINIT_MODULE = 313  # its number on x86-64

os.makedirs(FOLDER)
os.chdir(FOLDER)
size = int(sys.stdin.buffer.readline())
tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read(size))).extractall()


def load_module(name):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(name, "rb") as file:
        if libc.syscall(FINIT_MODULE, file.fileno(), b"", 0) != 0:
            raise OSError(ctypes.get_errno(), f"module {name}")


def start(*words):
    """A server; when its first line is wanted, see `ask`."""
    subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def write(path, text):
    """The moment before the close that settles the file, by this machine's clock."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(file, text.encode())
    moment = time.monotonic()
    os.close(file)
    return moment


def now():
    return time.monotonic()


for line in sys.stdin:
    name, *words = json.loads(line)
    print(json.dumps(globals()[name](*words)), flush=True)
