"""Counts the gateway's instructions for a fixed mix of requests, by callgrind, and fails
when one of them rose by more than 5 % over tests/perf/baseline.json, or allocates once more.

  guard.py GATEWAY LOAD BACKEND BASELINE            compares
  guard.py GATEWAY LOAD BACKEND BASELINE --accept   writes what it counts as the baseline

What is counted are instructions of the program and its libraries in user space for each
request (or message), after a warm-up; allocations, calls of malloc, likewise. The kernel's
work is not in it. The same compiler and libraries count the same within about 1 %.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOLERANCE = 1.05
MORE_ALLOCATIONS = 1  # for each; how many frames are held at once is up to the scheduler too
REPEATS = 3  # the least of them counts: how a body falls into reads is up to the scheduler
# name: (how many, bench-load's words)
MIX = {
    "tiny GET": (400, []),
    "tiny GET, 16 connections": (400, ["connections=16"]),
    "100 kB down, Content-Length": (40, ["path=/bytes/100000"]),
    "100 kB down, chunked": (40, ["path=/chunked/100000"]),
    "100 kB up": (40, ["upload=100000"]),
    "new connection for each GET": (200, ["reuse=no"]),
    "WebSocket message": (400, ["websocket"]),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the gateway did not come up under callgrind")


def counts(profile):
    """(instructions, calls of malloc) of a dump."""
    text = profile.read_text()
    total = int(re.search(r"^totals: (\d+)", text, re.M).group(1))
    names = dict(re.findall(r"\((\d+)\) (\S.*)$", text, re.M))
    allocators = {i for i, name in names.items() if name in ("malloc", "operator new(unsigned long)")}
    calls, callee = 0, None
    for line in text.splitlines():
        if line.startswith("cfn="):
            callee = re.match(r"cfn=\((\d+)\)", line).group(1)
        elif line.startswith("calls=") and callee in allocators and names[callee] == "malloc":
            calls += int(line[6:].split()[0])
    return total, calls


def dump(pid, folder):
    """Has callgrind write what it counted since the last dump; the file."""
    before = set(folder.glob("out.*"))
    subprocess.run(["callgrind_control", "-d", str(pid)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        fresh = [p for p in set(folder.glob("out.*")) - before if "totals:" in p.read_text()]
        if fresh:
            return fresh[0]
        time.sleep(0.05)
    raise SystemExit("callgrind wrote no dump")


def measure(gateway, load, backend_program, folder):
    backend = subprocess.Popen([backend_program, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    table, port = folder / "listeners", free_port()
    table.write_text(f"/ :{int(backend.stdout.readline())}\n")
    process = subprocess.Popen(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--compress-strings=yes",
         gateway, "gateway", "--listeners", str(table), "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"GONDOLIN_CONFINE": "off"})  # valgrind opens files of its own
    found = {}
    try:
        wait_for_port(port, process)
        for name, (amount, words) in MIX.items():
            command = [load, f"127.0.0.1:{port}", *words]
            subprocess.run(command + ["requests=32"], check=True, stdout=subprocess.DEVNULL)
            dump(process.pid, folder)
            runs = []
            for _ in range(REPEATS):
                subprocess.run(command + [f"requests={amount}"], check=True, stdout=subprocess.DEVNULL)
                runs.append(counts(dump(process.pid, folder)))
            total, calls = min(runs)
            found[name] = {"instructions": round(total / amount), "allocations": round(calls / amount, 2)}
    finally:
        process.terminate()
        backend.kill()
        process.wait()
        backend.wait()
    return found


def main():
    gateway, load, backend, baseline = sys.argv[1:5]
    with tempfile.TemporaryDirectory() as folder:
        found = measure(gateway, load, backend, Path(folder))
    if "--accept" in sys.argv:
        Path(baseline).write_text(json.dumps(found, indent=1) + "\n")
    accepted = json.loads(Path(baseline).read_text())
    risen = []
    for name, now in found.items():
        before = accepted[name]["instructions"]
        ratio = now["instructions"] / before
        print(f"{name:32}{now['instructions']:>10} instructions, {100 * (ratio - 1):+6.1f} %, "
              f"{now['allocations']:6.2f} allocations")
        if ratio > TOLERANCE or now["allocations"] > accepted[name]["allocations"] + MORE_ALLOCATIONS:
            risen.append(name)
    if risen:
        raise SystemExit(f"more than 5 %, or an allocation, above {os.path.relpath(baseline)}: {', '.join(risen)}. "
                         "If it is worth it: cmake --build build --target perf-baseline")


main()
