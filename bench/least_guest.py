"""The least guest that can run a program, on QEMU alone, and a template of it: the floor of
`exec -- true`. Its machine, kernel and image are those of a VM of ours; its init is
floor/main.cpp, which starts `true` for each byte that it gets.
"""

import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import bare_qemu
from measure import BUILD

MAGIC, NAME_END = "070701", b"\0"  # cpio(5), its "new ASCII" format
EXECUTABLE, TRAILER = 0o100755, "TRAILER!!!"


def entry(name, mode, content):
    padded = lambda data: data + bytes(-len(data) % 4)
    sizes = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = MAGIC + "".join(f"{size:08x}" for size in sizes) + name
    return padded(head.encode() + NAME_END) + padded(content)


class LeastGuest:
    def __init__(self, template, folder):
        """`template` is that of a VM of ours; files of this one's go to `folder`."""
        self.folder = Path(folder)
        self.initramfs, self.state = self.folder / "initramfs", self.folder / "state"
        program = (BUILD / "bench" / "bench-floor").read_bytes()
        self.initramfs.write_bytes(entry("init", EXECUTABLE, program) + entry(TRAILER, 0, b""))
        self.words, self.files = template.words, template.files
        self.take()

    def command(self, port, qmp, share, *further):
        size = self.words[self.words.index("-m") + 1]
        memory = f"memory-backend-file,id=memory,mem-path={self.folder / 'memory'},size={size},share={share}"
        return [*bare_qemu.command(self.words, object=memory, serial="null",
                                   kernel=self.files[9], initrd=self.initramfs),
                "-machine", "memory-backend=memory",
                "-drive", f"if=none,id=root,format=raw,readonly=on,file={self.files[11]},file.locking=off",
                "-device", "virtio-blk-device,drive=root",
                "-device", "virtio-serial-device,max_ports=2",
                "-chardev", f"socket,id=port,fd={port}", "-device", "virtserialport,chardev=port",
                "-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control", *further]

    @contextmanager
    def started(self, share, *further, inherited=()):
        """The host's ends of its port and of QMP."""
        (port, theirs), (qmp, their_qmp) = socket.socketpair(), socket.socketpair()
        passed = theirs.fileno(), their_qmp.fileno()
        with port, qmp, subprocess.Popen(self.command(*passed, share, *further), pass_fds=(*passed, *inherited),
                                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as qemu:
            theirs.close()
            their_qmp.close()
            try:
                yield port, qmp
            finally:
                qemu.kill()

    def take(self):
        with self.started("on") as (port, qmp):
            self.expect_end(port)
            bare_qemu.migrate(qmp, "migrate", f"exec:cat >{self.state}")

    def restore(self):
        """Milliseconds from QEMU's start until a program in it has ended."""
        with self.state.open("rb") as file:
            state = file.fileno()
            begun = time.monotonic()
            with self.started("off", *bare_qemu.FROM_TEMPLATE, inherited=(state,)) as (port, qmp):
                port.sendall(b"x")
                bare_qemu.migrate(qmp, "migrate-incoming", f"fd:{state}")
                self.expect_end(port)
                return (time.monotonic() - begun) * 1000

    @staticmethod
    def expect_end(port):
        if not port.recv(1):
            raise SystemExit("the least guest ended before its program")
