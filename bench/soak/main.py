"""python3 bench/soak/main.py PROGRAM [--minutes N]; scripts/soak builds what it needs.

A VM of `gondolin exec --listen` under mixed load: memory and descriptors of the host process,
of QEMU and of the guest's daemons before, during and after, and every answer that was wrong.
Fails on a wrong answer, a process that ended, or growth beyond the bounds below.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from clients import MIX, Guest

HERE = Path(__file__).resolve().parent
WARM_UP_SECONDS = 10
GUEST_MIB = 512

# Beyond what was there after the warm-up. While it is loaded, the host process holds up to 128
# KiB for each of some ten connections and what the allocator keeps of them; at the end, when no
# client is left, only the latter.
BUSY_MIB, IDLE_MIB = 8, 4
# QEMU's memory is the guest's, page by page as it touches them, and QEMU's own.
QEMU_MIB = GUEST_MIB + 200
# Daemons of the guest, in KiB: their buffers are fixed.
DAEMON_KIB = 4096


def rss_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Sandbox:
    """`gondolin exec --listen --mount` with the backend in its guest."""

    def __init__(self, program):
        self.mounted = tempfile.TemporaryDirectory(prefix="soak")
        self.directory = self.mounted.name
        command = [program, "exec", "--memory", str(GUEST_MIB), "--mount",
                   f"{self.directory}:/mounted", "--listen", "--", "python3", "-"]
        with open(HERE / "backend.py") as source:
            self.child = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL,
                                          stderr=subprocess.PIPE, text=True)
        for line in self.child.stderr:
            if line.startswith("Ingress enabled: "):
                self.port = int(line.rsplit(":", 1)[1])
            if line.startswith("Configure routes"):
                return
        raise SystemExit("soak: the VM did not start")

    @property
    def qemu(self):
        children = Path(f"/proc/{self.child.pid}/task").glob("*/children")
        return int(" ".join(file.read_text() for file in children).split()[0])

    def running(self):
        return self.child.poll() is None

    def close(self):
        self.child.terminate()
        said = self.child.stderr.read()
        status = self.child.wait(30)
        self.mounted.cleanup()
        return status, said


def wait_for_backend(guest):
    end = time.monotonic() + 60
    while True:
        try:
            return guest.state()
        except Exception as error:  # whatever says that it is not there yet
            if time.monotonic() > end:
                raise SystemExit(f"soak: the backend did not come up: {error}") from error
            time.sleep(0.1)


class Figures:
    """What is measured at one moment; the guest's daemons too when `guest` can be asked."""

    def __init__(self, sandbox, guest=None):
        self.host, self.host_files = rss_mib(sandbox.child.pid), descriptors(sandbox.child.pid)
        self.qemu, self.qemu_files = rss_mib(sandbox.qemu), descriptors(sandbox.qemu)
        self.daemons = guest.state() if guest else None

    def row(self, when):
        text = (f"{when:>10}  gondolin {self.host:6.1f} MiB {self.host_files:3} files  "
                f"QEMU {self.qemu:6.1f} MiB {self.qemu_files:3} files")
        for name, state in sorted((self.daemons or {}).items()):
            text += f"  {name} {state['rss_kib']} KiB {state['descriptors']} files"
        return text


def settled(sandbox, guest, wanted_files):
    """The figures once the last connections are gone, or ten seconds later."""
    end = time.monotonic() + 10
    while descriptors(sandbox.child.pid) > wanted_files and time.monotonic() < end:
        time.sleep(0.1)
    return Figures(sandbox, guest)


def complaints(start, samples, end):
    most = max(figures.host for figures in samples)
    if most > start.host + BUSY_MIB:
        yield f"gondolin grew by {most - start.host:.1f} MiB under load (bound {BUSY_MIB})"
    if end.host > start.host + IDLE_MIB:
        yield f"gondolin kept {end.host - start.host:.1f} MiB (bound {IDLE_MIB})"
    if end.host_files > start.host_files:
        yield f"gondolin kept {end.host_files - start.host_files} descriptors"
    most = max(figures.qemu for figures in (*samples, end))
    if most > QEMU_MIB:
        yield f"QEMU held {most:.0f} MiB (bound {QEMU_MIB})"
    if end.qemu_files > start.qemu_files:
        yield f"QEMU kept {end.qemu_files - start.qemu_files} descriptors"
    for name, before in start.daemons.items():
        after = end.daemons[name]
        if after["rss_kib"] > before["rss_kib"] + DAEMON_KIB:
            yield f"{name} grew from {before['rss_kib']} to {after['rss_kib']} KiB"
        if after["descriptors"] > before["descriptors"]:
            yield f"{name} kept {after['descriptors'] - before['descriptors']} descriptors"


def run_load(sandbox, seconds, tell):
    """Every client of the mix for this long; returns them, ended."""
    clients = [kind(sandbox.port, sandbox.directory, seed) for seed, kind in enumerate(MIX)]
    for client in clients:
        client.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and sandbox.running():
        time.sleep(min(1, max(0, end - time.monotonic())))
        tell()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(60)
    return clients


def soak(sandbox, minutes):
    guest = Guest(sandbox.port, sandbox.directory, 0)
    idle_files = wait_for_backend(guest) and descriptors(sandbox.child.pid)
    clients = run_load(sandbox, WARM_UP_SECONDS, lambda: None)
    start = settled(sandbox, guest, idle_files)
    print(start.row("start"), flush=True)

    samples, begun = [], time.monotonic()

    def tell():
        samples.append(Figures(sandbox))
        seconds = time.monotonic() - begun
        if len(samples) % max(5, int(minutes * 6)) == 0:
            print(samples[-1].row(f"{seconds:.0f} s"), flush=True)

    clients += run_load(sandbox, minutes * 60, tell)
    if not sandbox.running():
        return clients, ["gondolin ended"]
    end = settled(sandbox, guest, start.host_files)
    print(end.row("end"), flush=True)
    return clients, list(complaints(start, samples, end))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    wanted = parser.parse_args()

    sandbox = Sandbox(wanted.program)
    try:
        clients, problems = soak(sandbox, wanted.minutes)
    finally:
        status, said = sandbox.close()
    done = sum((client.done for client in clients), Counter())
    failures = [failure for client in clients for failure in client.failures]
    print("done: " + ", ".join(f"{count} {name}" for name, count in sorted(done.items())))
    print(f"wrong answers: {len(failures)}")
    problems += failures[:20]
    if status != 128 + 15:
        problems.append(f"gondolin ended with status {status}")
    if said:
        problems.append(f"gondolin said: {said}")
    for kind in {client.name for client in clients} - set(done):
        problems.append(f"not one {kind} succeeded")
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    return 1 if problems else 0


sys.exit(main())
