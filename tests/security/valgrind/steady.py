"""The gateway's steady state under valgrind's memcheck: no access to memory that is not its own, no
byte that depends on one that was never written, nothing lost, and no heap that grows with the
requests served.

  steady.py GATEWAY LOAD BACKEND [--rounds N]

Every round is the same mix of requests, bodies, new connections, refusals, clients that vanish and
WebSockets. What is on the heap is counted after two rounds and after all of them.
"""

import argparse
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIX = [  # bench-load's words
    ["requests=200"],
    ["requests=200", "connections=16"],
    ["requests=20", "path=/bytes/100000"],
    ["requests=20", "path=/chunked/100000"],
    ["requests=20", "upload=100000"],
    ["requests=60", "reuse=no"],
    ["requests=200", "websocket"],
]
GROWTH = 64 * 1024  # bytes: a buffer of one connection that is about to end
ERRORS = 99


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the gateway did not come up under valgrind")


def converse(port, text, ending):
    """Sends `text` and reads on, or vanishes: "read", "fin" or "rst"."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(text.encode())
        if ending == "rst":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while ending == "read" and client.recv(65536):
            pass


def round_of_load(load, port):
    for words in MIX:
        subprocess.run([load, f"127.0.0.1:{port}", *words], check=True, stdout=subprocess.DEVNULL)
    host = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n"
    for ending in ("fin", "rst"):
        for _ in range(10):
            converse(port, f"POST / HTTP/1.1\r\n{host}Content-Length: 1000\r\n\r\nhalf", ending)
            converse(port, f"GET /bytes/10000000 HTTP/1.1\r\n{host}\r\n", ending)
    for request in (f"GET / HTTP/1.1\r\n{host}{host}\r\n", "GET / HTTP/1.1\r\nHost: evil.test\r\n"
                    "Connection: close\r\n\r\n", "no HTTP at all\r\n\r\n"):
        converse(port, request, "read")


def heap(pid):
    """(bytes, blocks) that are allocated, found by valgrind's own search."""
    shown = subprocess.run(["vgdb", f"--pid={pid}", "leak_check", "summary", "reachable", "any"],
                           check=True, text=True, capture_output=True, timeout=120).stdout
    found = re.findall(r"(?:lost|reachable): ([\d,]+)(?: \([+-][\d,]+\))? bytes in ([\d,]+)", shown)
    if not found:
        raise SystemExit(f"valgrind said nothing of the heap: {shown}")
    return [sum(int(each[i].replace(",", "")) for each in found) for i in (0, 1)]


def heap_below(pid, bound):
    """The heap as soon as it is no larger than `bound` bytes, or after half a minute: connections
    end a moment after their clients."""
    end = time.monotonic() + 30
    while True:
        found = heap(pid)
        if found[0] <= bound or time.monotonic() > end:
            return found


def main():
    options = argparse.ArgumentParser()
    for name in ("gateway", "load", "backend"):
        options.add_argument(name)
    options.add_argument("--rounds", type=int, default=6)
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, table, port = Path(folder, "log"), Path(folder, "listeners"), free_port()
        backend = subprocess.Popen([options.backend, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        table.write_text(f"/ :{int(backend.stdout.readline())}\n")
        process = subprocess.Popen(
            ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect",
             "--show-leak-kinds=definite,indirect", f"--error-exitcode={ERRORS}", f"--log-file={log}",
             options.gateway, "gateway", "--listeners", str(table), "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"GONDOLIN_CONFINE": "off"})  # valgrind opens files of its own
        try:
            wait_for_port(port, process)
            for done in range(1, options.rounds + 1):
                round_of_load(options.load, port)
                if done == 2:
                    before = heap(process.pid)
            after = heap_below(process.pid, before[0] + GROWTH)
        finally:
            process.terminate()
            backend.kill()
            status = process.wait()
            backend.wait()
        text = log.read_text()
    print(f"{options.rounds} rounds; on the heap after two {before[0]:,} bytes in {before[1]:,} blocks, "
          f"after all {after[0]:,} in {after[1]:,}")
    print("\n".join(line for line in text.splitlines() if "SUMMARY" in line or "heap usage" in line))
    if status != 0:
        raise SystemExit(f"the gateway ended with status {status}:\n{text}")
    if after[0] > before[0] + GROWTH:
        raise SystemExit("the heap grows with the requests")


main()
