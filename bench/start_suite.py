"""Suite `start`: from a command to its end in a new VM, from a template and booted, with
our kernel and with Debian's.

The floor is QEMU alone: from a template, the same command restores the same template until
a process in the guest has said its first byte; booted, the same machine and kernel run up to
the moment they would start an init. The least guest does what `exec -- true` does, with
nothing of ours: QEMU restores it until it has run a program (least_guest.py).
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import bare_qemu
import chart
import least_guest
from measure import BUILD, Process
from report import Report

GONDOLIN = BUILD / "bin" / "gondolin"
KERNELS = ("minimal", "stock")
FLAGS = {"": [], " boot": ["--no-template"]}
WAYS = {kernel + way: ["--image", f"bench-{kernel}", *flags]
        for way, flags in FLAGS.items() for kernel in KERNELS}
FLOOR = "bare QEMU"
LEAST = "least guest"
NAMES = [*WAYS, FLOOR, LEAST]
SERVE = ("echo '/ :8000' > /etc/gondolin/listeners; cd /srv; "
         "exec python -m http.server 8000 --bind 127.0.0.1")

ONCE_MORE = """
import os, statistics, time
def once():
    begun = time.monotonic()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    return (time.monotonic() - begun) * 1000
print(statistics.median(once() for _ in range(40)))
"""


def quiet(command, **options):
    return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def milliseconds(action):
    begun = time.monotonic()
    action()
    return (time.monotonic() - begun) * 1000


def succeed(command):
    if quiet(command).wait() != 0:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")


def exec_true(way):
    succeed([GONDOLIN, "exec", *WAYS[way], "--", "true"])


def ten_at_once(way):
    running = [quiet([GONDOLIN, "exec", *WAYS[way], "--", "true"]) for _ in range(10)]
    if any([vm.wait() for vm in running]):
        raise SystemExit("one of ten VMs failed")


def first_page(way):
    """A VM with its gateway, until python in it has answered 200."""
    vm = subprocess.Popen([GONDOLIN, "exec", *WAYS[way], "--listen", "--", "sh", "-c", SERVE],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    try:
        url = next(line.split()[2] for line in vm.stderr if line.startswith("Ingress enabled"))
        while subprocess.run(["curl", "-sf", "-o", os.devnull, url]).returncode != 0:
            if vm.poll() is not None:
                raise SystemExit("the VM ended before it had served a page")
            time.sleep(0.005)
    finally:
        vm.terminate()
        vm.wait()


def moments(way):
    """Milliseconds from QEMU's start until the guest runs (0 when it was booted) and until it
    is ready, as the debug log has them."""
    log = subprocess.run([GONDOLIN, "exec", *WAYS[way], "--", "true"], capture_output=True, text=True,
                         check=True, env={**os.environ, "GONDOLIN_DEBUG": "protocol"}).stderr
    at = {text: int(when) for when, text in re.findall(r"vm: (\d+) ms: (.*)", log)}
    begun = next(when for text, when in at.items() if text.startswith("started QEMU"))
    return at.get("goes on from its template", begun) - begun, at["ready"] - begun


def once_more(way):
    """Milliseconds that a program takes in a VM in which it ran before."""
    return float(subprocess.run([GONDOLIN, "exec", *WAYS[way], "--", "python3", "-c", ONCE_MORE],
                                capture_output=True, check=True).stdout)


class IdleVm:
    """A VM in which nothing happens, and the QEMU process under it."""

    def __init__(self, way, *options):
        self.process = Process([GONDOLIN, "exec", *WAYS[way], *options, "--",
                                "sh", "-c", "echo ready; exec sleep 1000"], core="0,1",
                               stdout=subprocess.PIPE)
        if self.process.child.stdout.readline() != b"ready\n":
            raise SystemExit(f"the VM did not start: see {self.process.log.name}")
        self.qemu = next(pid for pid in self.process.pids()
                         if "qemu" in bare_qemu.arguments(pid)[0])

    def private_mib(self):
        lines = Path(f"/proc/{self.qemu}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

    def stop(self):
        self.process.stop()


def private_memory(way):
    """What one more VM takes, beside one that runs already."""
    first = IdleVm(way, "--memory", "512")
    second = IdleVm(way, "--memory", "512")
    try:
        return second.private_mib()
    finally:
        second.stop()
        first.stop()


def floors(store):
    """Bare QEMU with our kernel: the template, and the command that boots."""
    vm = IdleVm("minimal")
    try:
        template = bare_qemu.Template(vm.qemu, store)
        return template, bare_qemu.boot_command(template.words, template.files)
    finally:
        vm.stop()


def compare(report, case, unit, actions, rounds):
    """`actions` maps names to what is measured."""
    found = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append({"rate": action()})
    report.case(case, unit, found)


def all_ways(measured, ways=tuple(WAYS)):
    return {way: lambda way=way: measured(way) for way in ways}


def timed(action):
    return lambda way: milliseconds(lambda: action(way))


def run(quick):
    temporary = lambda: tempfile.TemporaryDirectory(dir=BUILD / "bench")
    with temporary() as store, temporary() as folder:
        os.environ["GONDOLIN_TEMPLATE_STORE"] = store
        for kernel in KERNELS:
            succeed([GONDOLIN, "image", "build", "--kernel", kernel, "--tag", f"bench-{kernel}"])
            exec_true(kernel)  # makes its template
        measure_all(store, folder, quick)


def measure_all(store, folder, quick):
    rounds = 3 if quick else 10
    report = Report("start", NAMES, quick, chart.LITTLE)
    template, boot = floors(store)
    least = least_guest.LeastGuest(template, folder)
    compare(report, "exec -- true", "ms",
            {**all_ways(timed(exec_true)), FLOOR: lambda: template.restore()[1], LEAST: least.restore}, rounds)
    compare(report, "QEMU's start until the guest runs", "ms",
            {**all_ways(lambda way: moments(way)[0], KERNELS), FLOOR: lambda: template.restore()[0]}, rounds)
    compare(report, "QEMU's start until it is ready", "ms",
            {**all_ways(lambda way: moments(way)[1]),
             FLOOR: lambda: milliseconds(lambda: quiet(boot).wait())}, rounds)
    compare(report, "true once more, in a VM that runs", "ms", all_ways(once_more, KERNELS), 3 if quick else 5)
    compare(report, "exec --listen, to the first 200", "ms", all_ways(timed(first_page)), 3 if quick else 5)
    compare(report, "ten at once, to the last one's end", "ms", all_ways(timed(ten_at_once)), 1 if quick else 3)
    compare(report, "private memory, idle, 512 MiB", "MiB", all_ways(private_memory), 1)
    report.finish()
