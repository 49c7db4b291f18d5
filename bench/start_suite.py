"""Suite `start`: from a command to its end in a new VM, from a template and booted.

The floor is QEMU alone: the same program, machine and kernel, which is told to start an
init that does not exist and so ends itself at the moment it would run one.
"""

import os
import subprocess
import time
from pathlib import Path
from statistics import median

import chart
from measure import BUILD, Process
from report import Report

GONDOLIN = BUILD / "bin" / "gondolin"
TEMPLATE, COLD, FLOOR = "template", "cold boot", "bare QEMU"
FLAGS = {TEMPLATE: [], COLD: ["--no-template"]}
SERVE = ("echo '/ :8000' > /etc/gondolin/listeners; cd /srv; "
         "exec python -m http.server 8000 --bind 127.0.0.1")
NO_INIT = " rdinit=/none root=/dev/none"


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


def exec_true(start):
    succeed([GONDOLIN, "exec", *FLAGS[start], "--", "true"])


def ten_at_once(start):
    running = [quiet([GONDOLIN, "exec", *FLAGS[start], "--", "true"]) for _ in range(10)]
    if any([vm.wait() for vm in running]):
        raise SystemExit("one of ten VMs failed")


def first_page(start):
    """A VM with its gateway, until python in it has answered 200."""
    vm = subprocess.Popen([GONDOLIN, "exec", *FLAGS[start], "--listen", "--", "sh", "-c", SERVE],
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


class IdleVm:
    """A VM in which nothing happens, and the QEMU process under it."""

    def __init__(self, start):
        self.process = Process([GONDOLIN, "exec", *FLAGS[start], "--memory", "512", "--",
                                "sh", "-c", "echo ready; exec sleep 1000"], core="0,1",
                               stdout=subprocess.PIPE)
        if self.process.child.stdout.readline() != b"ready\n":
            raise SystemExit(f"the VM did not start: see {self.process.log.name}")
        self.qemu = next(pid for pid in self.process.pids() if self.arguments(pid)[0].find("qemu") >= 0)

    @staticmethod
    def arguments(pid):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]

    def private_mib(self):
        lines = Path(f"/proc/{self.qemu}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

    def bare_command(self):
        """Its QEMU's machine and kernel, without devices and without an init."""
        words = self.arguments(self.qemu)
        value = {option: words[words.index(option) + 1]
                 for option in ("-machine", "-cpu", "-m", "-smp", "-kernel", "-initrd", "-append")}
        value["-machine"] = ",".join(value["-machine"].split(",")[:2])
        value["-append"] += NO_INIT
        return [words[0], "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                *(word for pair in value.items() for word in pair)]


def idle_vms():
    """Private memory of an idle VM of either kind, and the command that is the floor."""
    private, bare = {}, []
    for start in FLAGS:
        vm = IdleVm(start)
        try:
            private[start] = vm.private_mib()
            bare = vm.bare_command()
        finally:
            vm.process.stop()
    return private, bare


def compare(report, case, actions, rounds):
    """`actions` maps names to what is timed; a name without one shows as 0."""
    times = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            times[name].append(milliseconds(action))
    report.case(case, "ms", {name: {"rate": median(times.get(name, [0]))} for name in report.names})


def both(measured):
    return {start: lambda start=start: measured(start) for start in FLAGS}


def run(quick):
    exec_true(TEMPLATE)  # the image and its template exist from here on
    rounds = 3 if quick else 10
    report = Report("start", [TEMPLATE, COLD, FLOOR], quick, chart.LITTLE)
    private, bare = idle_vms()
    compare(report, "exec -- true", {**both(exec_true), FLOOR: lambda: quiet(bare).wait()}, rounds)
    compare(report, "exec --listen, to the first 200", both(first_page), rounds)
    compare(report, "ten at once, to the last one's end", both(ten_at_once), 1 if quick else 3)
    report.case("private memory, idle, 512 MiB", "MiB",
                {name: {"rate": private.get(name, 0)} for name in report.names})
    report.finish()
