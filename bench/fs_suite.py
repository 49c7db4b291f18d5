"""Suite `fs`: operations on /etc/gondolin beside those on a tmpfs of the same guest, and how
long after a write the gateway routes by it.

The second is measured across two clocks. The guest says when it was about to close the file,
by its clock; where that clock stands beside ours is known to half of the shortest of some
questions and answers. Meanwhile a client asks the gateway again and again: the first request
that met the new table was routed when it was sent, or a moment later.
"""

import http.client
import json
import os
import threading
import time
from statistics import median, quantiles

from guest_vm import GuestVm
from measure import BUILD, come_first
from report import Report

CONFIG, TMPFS = "/etc/gondolin", "tmpfs"
DIRECTORIES = {CONFIG: "/etc/gondolin", TMPFS: "/dev/shm"}
OPERATIONS = {"stat": "stat", "open, read, close": "read", "open, write, close": "write", "rename": "rename"}
NO_SERVER = 1  # a port of the guest where nobody listens: 502 instead of 404, and no server's time


class Watcher:
    """Asks the gateway for a path until it is routed; `routed` is when that request was sent."""

    def __init__(self, port, path):
        self.port, self.path, self.routed = port, path, None
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while True:
            sent = time.monotonic()
            client.request("GET", self.path)
            answer = client.getresponse()
            answer.read()
            if answer.status != 404:
                self.routed = sent
                return client.close()


def clock_offset(vm):
    """(the guest's clock minus ours, how far that may be off), in seconds."""
    best = None
    for _ in range(20):
        asked = time.monotonic()
        there = vm.call("now")
        half = (time.monotonic() - asked) / 2
        if best is None or half < best[1]:
            best = there - (asked + half), half
    return best


def reload_seconds(vm, turn):
    """From the close of a write to the first request that is routed by it."""
    offset, uncertainty = clock_offset(vm)
    watcher = Watcher(vm.gateway, f"/turn-{turn}/")
    closed = vm.call("write", "/etc/gondolin/listeners", f"/turn-{turn} :{NO_SERVER}\n") - offset
    watcher.thread.join()
    return watcher.routed - closed, uncertainty


def run(quick):
    rounds, milliseconds, reloads = (2, 200, 10) if quick else (5, 500, 100)
    report = Report("fs", list(DIRECTORIES), quick)
    vm = GuestVm({"bench-files": BUILD / "bench" / "bench-files"})
    try:
        found = {name: [] for name in DIRECTORIES}
        for _ in range(rounds):
            for name, directory in DIRECTORIES.items():
                found[name].append(json.loads(vm.call("ask", "./bench-files", directory, str(milliseconds))))
        for case, key in OPERATIONS.items():
            report.case(case, "ops/s", {name: [{"rate": run[key]} for run in runs] for name, runs in found.items()})
        come_first([os.getpid()])
        times = [reload_seconds(vm, turn) for turn in range(reloads)]
    finally:
        vm.stop()
    milliseconds = sorted(1000 * took for took, _ in times)
    report.single("reload: close to the first request", {
        "p50 ms": median(milliseconds), "p90 ms": quantiles(milliseconds, n=10)[-1], "most ms": milliseconds[-1],
        "clocks ± ms": 1000 * median(off for _, off in times)})
    report.finish()
