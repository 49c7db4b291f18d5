"""QEMU alone, as the floor of what a start can cost: the command of a VM that runs, again.

Descriptors are numbered as src/vm/qemu_command.hpp has them.
"""

import fcntl
import json
import os
import socket
import subprocess
import time
from pathlib import Path

SOCKETS = {3: "qmp", 4: "console", 5: "control", 6: "fs", 7: "ingress", 8: "mounts"}
FILES = (9, 10, 11, 12, 13)  # kernel, initramfs, root, memory, state
FROM_TEMPLATE = ("-incoming", "defer")
NO_INIT = " rdinit=/none root=/dev/none"  # ends itself at the moment it would run one
RENEW = bytes([10]) + bytes(11)  # makes sandboxd say that it is there
SAFE = 100  # above the descriptors that the child gets


def arguments(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


def command(words, **options):
    """The machine of `words` without any device, and with `options` of it added or replaced."""
    value = {option: words[words.index(f"-{option}") + 1]
             for option in ("machine", "cpu", "m", "smp", "append")}
    value["machine"] = ",".join(value["machine"].split(",")[:2])
    return [words[0], "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            *(word for name, text in {**value, **options}.items() for word in (f"-{name}", str(text)))]


def boot_command(words, files):
    """The machine and the kernel, told to start an init that does not exist."""
    append = words[words.index("-append") + 1] + NO_INIT
    return command(words, kernel=files[9], initrd=files[10], append=append)


def migrate(qmp, command, uri):
    """The state without the memory, there or from there."""
    capabilities = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]
    with qmp.makefile("rw") as lines:
        for name, values in (("qmp_capabilities", {}),
                             ("migrate-set-capabilities", {"capabilities": capabilities}),
                             (command, {"uri": uri})):
            print(json.dumps({"execute": name, "arguments": values}), file=lines, flush=True)
        for line in lines:
            event = json.loads(line)
            if event.get("event") == "MIGRATION" and event["data"]["status"] == "completed":
                return
    raise SystemExit(f"{command} came to nothing: QEMU ended")


class Template:
    """What a VM that was started from a template was started with."""

    def __init__(self, pid, store):
        self.words = arguments(pid)
        self.files = {number: os.path.realpath(f"/proc/{pid}/fd/{number}") for number in FILES[:3]}
        memory = next(path for path in Path(store).glob("*/memory") if self.is_mapped(pid, path))
        self.files[12], self.files[13] = str(memory), str(memory.with_name("state"))

    @staticmethod
    def is_mapped(pid, path):
        return f":{path.stat().st_ino} " in Template.maps(pid)

    @staticmethod
    def maps(pid):
        """The inodes that a process has mapped, each as ":N "."""
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
        return " ".join(f":{line.split()[4]} " for line in lines)

    def restore(self):
        """Starts it once more; milliseconds until the guest runs, and until the first byte of
        a process in it."""
        ours, theirs = {}, {}
        for number in SOCKETS:
            ours[number], theirs[number] = socket.socketpair()
        held = {number: fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, SAFE) for number, end in theirs.items()}
        for number, path in self.files.items():
            opened = os.open(path, os.O_RDWR if number == 12 else os.O_RDONLY)
            held[number] = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, SAFE)
            os.close(opened)

        def place():
            for number, descriptor in held.items():
                os.dup2(descriptor, number)

        ours[5].sendall(RENEW)
        begun = time.monotonic()
        with subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              close_fds=False, preexec_fn=place) as qemu:
            try:
                migrate(ours[3], "migrate-incoming", "fd:13")
                running = time.monotonic()
                ours[5].recv(1)
                spoke = time.monotonic()
            finally:
                qemu.kill()
                for end in (*ours.values(), *theirs.values()):
                    end.close()
                for descriptor in held.values():
                    os.close(descriptor)
        return (running - begun) * 1000, (spoke - begun) * 1000
