"""A VM of `gondolin exec --listen` that suites drive, and the network card it can be given.

The card is QEMU's user network (slirp) with ports of the host forwarded to the guest: what
is compared with our gateway, in the very same guest. It comes in by a wrapper around QEMU
that GONDOLIN_QEMU names, and its driver from the guest kernel's own Debian package: such
a guest has Debian's kernel, for ours has no driver of a card.
"""

import http.client
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

from measure import ALL_CORES, BUILD, Process, come_first, free_port

GONDOLIN = BUILD / "bin" / "gondolin"
AGENT = Path(__file__).with_name("guest_agent.py")
GUEST_ADDRESS = "10.0.2.15"  # what slirp forwards to
STOCK = "bench-stock"
DRIVER = ["failover", "net_failover", "virtio_net"]  # in the order to load them


class Card:
    """Forwards a free port of the host to each of the guest's `ports`."""

    def __init__(self, ports):
        self.ports = {port: free_port() for port in ports}
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{outer}-{GUEST_ADDRESS}:{inner}"
                           for inner, outer in self.ports.items())
        self.qemu = BUILD / "bench" / "qemu-with-card"
        self.qemu.write_text(f'#!/bin/sh\nexec {shutil.which("qemu-system-x86_64")} "$@" '
                             f"-netdev user,id=card{forwards} -device virtio-net-device,netdev=card\n")
        self.qemu.chmod(0o755)

    @staticmethod
    def driver(kernel):
        """The driver's module files, from the Debian package of that kernel release."""
        folder = BUILD / "bench" / "kernel" / kernel
        found = {file.stem.replace("-", "_"): file for file in folder.rglob("*.ko")}
        if not found:
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "download", f"linux-image-{kernel}"], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
            package = next(folder.glob("*.deb"))
            subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
            found = {file.stem.replace("-", "_"): file for file in folder.rglob("*.ko")}
        return {name: found[name] for name in DRIVER}


class GuestVm(Process):
    def __init__(self, files, card=None):
        environment = dict(os.environ)
        words = ["--no-template"] if card else []  # templates know nothing of the card
        if card:
            subprocess.run([GONDOLIN, "image", "build", "--kernel", "stock", "--tag", STOCK],
                           check=True, stdout=subprocess.DEVNULL)
            words += ["--image", STOCK]
            environment |= {"GONDOLIN_QEMU": str(card.qemu), "GONDOLIN_CONFINE": "off"}
            files = {**files, **{f"{name}.ko": file for name, file in card.driver(self.kernel()).items()}}
        super().__init__([GONDOLIN, "exec", *words, "--listen", "127.0.0.1:0", "--",
                          "python3", "-c", AGENT.read_text()], core=ALL_CORES, env=environment,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, file in files.items():
                tar.add(file, arcname=name)
        self.child.stdin.write(b"%d\n" % archive.tell() + archive.getvalue())
        self.call("now")
        if card:
            for name in DRIVER:
                self.call("load_module", f"{name}.ko")
            self.call("ask", "ip", "address", "add", f"{GUEST_ADDRESS}/24", "dev", "eth0")
            self.call("ask", "ip", "link", "set", "eth0", "up")
        self.gateway = self.gateway_port()
        come_first(self.pids())

    @staticmethod
    def kernel():
        image = subprocess.run([GONDOLIN, "image", "inspect", STOCK], check=True, capture_output=True)
        return json.loads(image.stdout)["base"]["kernel_release"]

    def gateway_port(self):
        said = Path(self.log.name).read_text()
        return int(said.split("Ingress enabled: ")[1].split()[0].rsplit(":", 1)[1])

    def call(self, name, *words):
        """Has the guest's agent do it; what it returns."""
        self.child.stdin.write(json.dumps([name, *words]).encode() + b"\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            raise SystemExit(f"the guest ended: see {self.log.name}")
        return json.loads(answer)

    def route(self, table):
        """Writes the table, which routes "/", and waits until it does."""
        self.call("write", "/etc/gondolin/listeners", table)
        end = time.monotonic() + 10
        while self.status_of("/") == 404:
            if time.monotonic() > end:
                raise SystemExit("the gateway does not route by the table that was written")
            time.sleep(0.001)

    def status_of(self, path):
        client = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=10)
        try:
            client.request("GET", path)
            return client.getresponse().status
        finally:
            client.close()
