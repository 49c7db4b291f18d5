"""Running and measuring processes: pinned to a core, CPU time to the nanosecond, memory."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("GONDOLIN_BUILD", ROOT / "build")).resolve()
SERVER_CORE, CLIENT_CORE = "1", "0"
ALL_CORES = f"0-{os.cpu_count() - 1}"
FIRST = ["chrt", "--fifo"] if "--realtime" in sys.argv else []  # before what else the machine does


class Process:
    """A server of ours or a peer's, with its children, pinned to `core`."""

    def __init__(self, command, core=SERVER_CORE, **options):
        self.log = open(BUILD / "bench" / f"{Path(str(command[0])).name}.log", "wb")
        options.setdefault("stdout", self.log)
        self.child = subprocess.Popen(["taskset", "-c", core, *map(str, command)],
                                      stdin=options.pop("stdin", subprocess.DEVNULL),
                                      stderr=self.log, **options)

    def pids(self):
        found, todo = [], [self.child.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    todo += map(int, (task / "children").read_text().split())
            except FileNotFoundError:
                pass
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_mib(self, field):
        """VmRSS (now) or VmHWM (the most there ever was), of all processes together."""
        total = 0
        for pid in self.pids():
            match = re.search(field + r":\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            total += int(match.group(1)) if match else 0
        return total / 1024

    def stop(self, how=signal.SIGTERM):
        for pid in self.pids():
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


class Backend(Process):
    """bench-backend, on the client's core."""

    def __init__(self, address="127.0.0.1:0"):
        super().__init__([BUILD / "bench" / "bench-backend", address], core=CLIENT_CORE,
                         stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline())


def come_first(pids):
    """With --realtime: they take precedence from now on, so that their start need not."""
    for pid in pids if FIRST else []:
        subprocess.run([*FIRST, "--all-tasks", "--pid", "1", str(pid)], check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.child.poll() is not None:
            process.log.close()
            raise SystemExit(f"{process.child.args[3]} ended: see {process.log.name}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    process.stop()
    raise SystemExit(f"nothing listens on port {port}: see {process.log.name}")


def load(port, *arguments, core=CLIENT_CORE):
    """One run of bench-load; its figures as a dictionary."""
    first = [*FIRST, "1"] if FIRST else []
    command = [*first, "taskset", "-c", core, str(BUILD / "bench" / "bench-load"), f"127.0.0.1:{port}"]
    done = subprocess.run(command + [str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench-load {' '.join(map(str, arguments))}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def measured_load(server, port, *arguments, core=CLIENT_CORE):
    """The same, with the CPU time that `server` spent meanwhile."""
    before = server.cpu_seconds()
    figures = load(port, *arguments, core=core)
    figures["cpu_seconds"] = server.cpu_seconds() - before
    return figures
