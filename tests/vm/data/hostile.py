"""A guest that turned: root inside it takes a daemon's place at the daemon's own port.

    hostile.py ATTACK DAEMON DONE_FILE

Kills DAEMON, opens its port before init has started it again, carries ATTACK out and leaves. The
bytes are made here by hand: what is sent is what the host's code must never be sent.
"""

import errno
import glob
import os
import random
import select
import signal
import struct
import sys
import time

PORTS = {"sandboxd": "org.gondolin.control", "sandboxfs": "org.gondolin.fs",
         "sandboxingress": "org.gondolin.ingress",
         "sandboxmounts": "org.gondolin.mounts"}
HELLO, OPEN, OPENED, DATA, CREDIT, FIN, RESET, MESSAGE = 1, 3, 4, 5, 6, 7, 8, 9
MORE = 1


def frame(kind, stream=0, payload=b"", flags=0, length=None):
    return struct.pack("<BBHII", kind, flags, 0, stream, len(payload) if length is None else length) + payload


def hello():
    return frame(HELLO, 0, b"gondolin" + os.urandom(16) + struct.pack("<BxxxI", 2, 65536))


def pids_of(name):
    for status in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(status) as file:
                if file.read().strip() == name:
                    yield int(status.split("/")[2])
        except OSError:
            pass


def kill(name):
    for pid in pids_of(name):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def seize(daemon):
    node = next("/dev/" + path.split("/")[-2] for path in glob.glob("/sys/class/virtio-ports/*/name")
                if open(path).read().strip() == PORTS[daemon])
    while True:
        kill(daemon)
        for _ in range(500):
            try:
                return os.open(node, os.O_RDWR | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise


class Port:
    def __init__(self, daemon):
        self.fd = seize(daemon)
        self.input = b""
        self.streams = []

    def send(self, data):
        """Writes whole pieces of at most 32 KiB, reading what comes so that nobody is held up."""
        for at in range(0, len(data), 32768):
            piece = data[at:at + 32768]
            while True:
                try:
                    os.write(self.fd, piece)
                    break
                except BlockingIOError:
                    select.select([], [self.fd], [], 1)
                self.read()

    def read(self):
        try:
            self.input += os.read(self.fd, 65536)
        except OSError:
            pass

    def await_open(self):
        """The id of the next stream that the host opens; None when it opens none for a while."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            select.select([self.fd], [], [], 0.05)
            self.read()
            while len(self.input) >= 12:
                kind, _, _, stream, length = struct.unpack("<BBHII", self.input[:12])
                if len(self.input) < 12 + length or not 1 <= kind <= 10:
                    break
                self.input = self.input[12 + length:]
                if kind == OPEN:
                    return stream
        return None


def on_a_stream(act):
    """An attack on a stream that the host has opened and that was accepted."""
    def attack(port):
        port.send(hello())
        stream = port.await_open()
        assert stream is not None, "the host opened nothing"
        port.send(frame(OPENED, stream, struct.pack("<I", 0)))
        act(port, stream)
    return attack


def garbage(port):
    port.send(hello())
    port.send(random.Random(7).randbytes(8 << 20))


def half_a_frame(port):
    port.send(hello() + frame(DATA, 1, b"x" * 100, length=32000))


def a_frame_of_four_gigabytes(port):
    port.send(hello() + frame(DATA, 1, b"", length=0xffffffff) + b"x" * 30000)


def hellos(port):
    for _ in range(100):
        port.send(b"".join(hello() for _ in range(700)))


def violations(port):
    for _ in range(5000):
        port.send(hello() + frame(FIN, 77))


def open_100000_streams(port):
    port.send(hello())
    for first in range(1, 100001, 2000):
        port.send(b"".join(frame(OPEN, stream, b"\x50\x00") for stream in range(first, first + 2000)))
        port.send(hello())


def streams_nobody_opened(port):
    port.send(hello())
    for kind, payload in ((DATA, b"x"), (CREDIT, b"\1\0\0\0"), (FIN, b""), (RESET, b"\0\0\0\0"),
                          (OPENED, b"\0\0\0\0")):
        port.send(b"".join(frame(kind, stream, payload) for stream in range(1, 2000)))
        port.send(hello())


def silence(port):
    """Accepts nothing, reads nothing."""
    port.send(hello())
    time.sleep(3)


def fuse_flood(port):
    rng = random.Random(11)
    port.send(hello())
    for _ in range(3000):
        body = rng.randbytes(rng.choice([0, 4, 40, 200, 4000]))
        length = rng.choice([40 + len(body), 0, 40, 0xffffffff, rng.randrange(1 << 20)])
        head = struct.pack("<IIQQIIII", length, rng.randrange(0, 60), rng.getrandbits(64),
                           rng.choice([0, 1, 2, 3, rng.getrandbits(64)]), 0, 0, 1, 0)
        port.send(frame(MESSAGE, 0, head + body))
        if rng.random() < 0.05:
            port.send(hello())


def fuse_without_end(port):
    port.send(hello())
    for _ in range(1000):
        port.send(frame(MESSAGE, 0, b"x" * 32000, flags=MORE))


def fill_the_directory(_):
    """Not at a port: through the mount that everybody has."""
    base = "/etc/gondolin/"
    with open(base + "listeners") as file:
        table = file.read()
    for number in range(300):
        try:
            with open(f"{base}fill-{number}", "wb", buffering=0) as file:
                while file.write(b"x" * 65536):
                    pass
        except OSError:
            pass
    for name in glob.glob(base + "fill-*"):
        os.unlink(name)
    with open(base + "other", "w") as file:
        file.write(table)
    for _ in range(2000):
        os.rename(base + "listeners", base + "moved")
        os.rename(base + "other", base + "listeners")
        os.rename(base + "moved", base + "other")


def kill_all_daemons(_):
    for _ in range(100):
        for name in PORTS:
            kill(name)
        time.sleep(0.02)


def credit_lie(port, stream):
    for amount in (1, 0xffffffff, 0):
        port.send(frame(CREDIT, stream, struct.pack("<I", amount)))


def beyond_the_window(port, stream):
    for _ in range(500):
        port.send(frame(DATA, stream, b"x" * 32000))


def opened_twice(port, stream):
    port.send(frame(OPENED, stream, struct.pack("<I", 0)) * 2)


def data_after_the_end(port, stream):
    port.send(frame(FIN, stream) + frame(DATA, stream, b"late"))


def a_message_of_four_gigabytes(port, stream):
    port.send(frame(DATA, stream, struct.pack("<IB", 0xffffffff, 4) + b"x" * 20000))


ATTACKS = {name: function for name, function in list(globals().items())
           if name in ("garbage", "half_a_frame", "a_frame_of_four_gigabytes", "hellos", "violations",
                       "open_100000_streams", "streams_nobody_opened", "silence", "fuse_flood",
                       "fuse_without_end", "fill_the_directory", "kill_all_daemons")}
ATTACKS |= {function.__name__: on_a_stream(function)
            for function in (credit_lie, beyond_the_window, opened_twice, data_after_the_end,
                             a_message_of_four_gigabytes)}


def main():
    attack, daemon, done = sys.argv[1:]
    port = None if daemon == "none" else Port(daemon)
    try:
        ATTACKS[attack](port)
        result = "carried out"
    except Exception as error:  # pylint: disable=broad-except
        result = f"failed: {error!r}"
    if port:
        os.close(port.fd)
    with open(done + ".part", "w") as file:
        file.write(result)
    os.rename(done + ".part", done)


main()
