"""The clients of the soak: each an endless mix of one kind of use, every answer checked."""

import hashlib
import http.client
import json
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from pathlib import Path

PATTERN = bytes(range(251)) * 8000
ROUTES = "/ :8000\n/aside :8000  # kept by edit {0}\n/edit-{0} :8000\n"


class Failure(Exception):
    """An answer that is not what it must be."""


def expect(seen, wanted, what):
    if seen != wanted:
        raise Failure(f"{what}: {seen!r} instead of {wanted!r}")


class Client(threading.Thread):
    """Calls turn() until told to stop; counts what went well and what did not."""

    name = "?"
    PAUSE = 0.0

    def __init__(self, port, directory, seed):
        super().__init__(daemon=True)
        self.port = port
        self.directory = Path(directory)  # of the host, which the guest has at /mounted
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.done = Counter()
        self.failures = []

    def run(self):
        while not self.stopping.is_set():
            try:
                self.turn()
                self.done[self.name] += 1
            except (Failure, OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f"{self.name}: {type(error).__name__}: {error}")
                self.reset()
            self.stopping.wait(self.PAUSE)
        self.reset()

    def turn(self):
        raise NotImplementedError

    def reset(self):
        """Forgets a connection that is kept between turns."""

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, connection, method, path, body=None, chunked=False):
        headers = {"Host": f"127.0.0.1:{self.port}"}
        connection.request(method, path, body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        content = answer.read()
        expect(answer.status, 200, f"{method} {path}")
        return content


class Getter(Client):
    """Bodies of many sizes over a connection that is kept for a while."""

    name = "GET"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.kept = None

    def turn(self):
        if self.kept is None:
            self.kept = self.connect()
        size = self.random.choice((0, 1, 100, 4096, 65536, 300_000, 2_000_000))
        if self.ask(self.kept, "GET", f"/aside/size/{size}") != PATTERN[:size]:
            raise Failure(f"{size} bytes came back changed")
        if self.random.random() < 0.1:
            self.reset()

    def reset(self):
        if self.kept is not None:
            self.kept.close()
            self.kept = None


class Uploader(Client):
    """Bodies up, with their length and chunked, whose digest comes back."""

    name = "upload"

    def turn(self):
        data = os.urandom(self.random.choice((1, 5000, 100_000, 1_000_000)))
        pieces = (data[at:at + 30_000] for at in range(0, len(data), 30_000))
        chunked = self.random.random() < 0.5
        connection = self.connect()
        try:
            digest = self.ask(connection, "POST", "/hash", pieces if chunked else data, chunked)
        finally:
            connection.close()
        expect(digest.decode(), hashlib.sha256(data).hexdigest(), "digest")


class Listener(Client):
    """Server-sent events in order, left in the middle."""

    name = "events"
    PAUSE = 0.1

    def turn(self):
        connection = self.connect()
        try:
            connection.request("GET", "/events")
            answer = connection.getresponse()
            expect(answer.status, 200, "GET /events")
            for number in range(self.random.randrange(1, 300)):
                expect(answer.readline(), b"data: %d\n" % number, "event")
                expect(answer.readline(), b"\n", "event's end")
        finally:
            connection.close()


class WebSocket(Client):
    """Messages echoed over one tunnel."""

    name = "websocket"
    PAUSE = 0.05

    def turn(self):
        with socket.create_connection(("127.0.0.1", self.port), 60) as tunnel:
            stream = tunnel.makefile("rwb")
            stream.write(b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\n"
                         b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         b"Sec-WebSocket-Key: c29hayBzb2FrIHNvYWsuLg==\r\n\r\n" % self.port)
            stream.flush()
            expect(stream.readline().split()[1:2], [b"101"], "upgrade")
            while stream.readline().strip():
                pass
            for _ in range(self.random.randrange(1, 30)):
                self.echo(stream, os.urandom(self.random.choice((0, 5, 125, 126, 20_000))))
            if self.random.random() < 0.5:  # else it just goes away
                stream.write(b"\x88\x80\0\0\0\0")
                stream.flush()
                expect(stream.read(2), b"\x88\x00", "closing handshake")

    def echo(self, stream, data):
        size = struct.pack(">B", 0x80 | len(data)) if len(data) < 126 \
            else struct.pack(">BH", 0xFE, len(data))
        stream.write(b"\x82" + size + b"\0\0\0\0" + data)
        stream.flush()
        head = stream.read(2)
        length, = struct.unpack(">H", stream.read(2)) if head[1] == 126 else (head[1],)
        if stream.read(length) != data:
            raise Failure(f"a message of {len(data)} bytes came back changed")


class Aborter(Client):
    """Clients that vanish: in the request's head, its body, the response's; FIN or RST."""

    name = "abort"
    PAUSE = 0.05

    def turn(self):
        host = b"Host: 127.0.0.1:%d\r\n" % self.port
        request = self.random.choice((
            b"GET /size/8000000 HTTP/1.1\r\n" + host + b"\r\n",
            b"POST /hash HTTP/1.1\r\n" + host + b"Content-Length: 1000000\r\n\r\n" + b"x" * 50_000,
            b"POST /hash HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n7\r\nabc",
            b"GET /events HTTP/1.1\r\n" + host + b"\r\n",
            b"GET / HTTP/1.1\r\nHos",
        ))
        with socket.create_connection(("127.0.0.1", self.port), 60) as victim:
            victim.sendall(request)
            if request.startswith(b"GET /") and request.endswith(b"\r\n\r\n"):
                victim.recv(self.random.choice((1, 1000, 200_000)))
            if self.random.random() < 0.5:
                victim.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Editor(Client):
    """The listeners file rewritten in the guest; the new route must be in force at once."""

    name = "edit"
    PAUSE = 0.2
    number = 0

    def turn(self):
        self.number += 1
        connection = self.connect()
        try:
            self.ask(connection, "POST", "/routes", ROUTES.format(self.number))
            path = f"/edit-{self.number}"
            end = time.monotonic() + 10
            while self.ask(connection, "GET", path + "/x") != b"/x":
                if time.monotonic() > end:
                    raise Failure("an edit was not in force after ten seconds")
        finally:
            connection.close()


class Mounter(Client):
    """Files of a mounted directory: written in the guest and read on the host, and back."""

    name = "mount"
    PAUSE = 0.05
    number = 0

    def turn(self):
        self.number += 1
        path = self.directory / f"{id(self)}-{self.number}"
        data = os.urandom(self.random.choice((0, 1, 5000, 200_000)))
        connection = self.connect()
        try:
            self.ask(connection, "POST", f"/mounted/{path.name}", data)
            expect(path.read_bytes() == data, True, "the guest's file on the host is the same")
            other = path.with_suffix(".host")
            other.write_bytes(data[::-1])
            seen = self.ask(connection, "GET", f"/mounted/{other.name}")
            expect(seen == data[::-1], True, "the host's file in the guest is the same")
            other.unlink()
        finally:
            connection.close()
            path.unlink(missing_ok=True)


class Guest(Client):
    """Not load: asks the guest for the state of its daemons, which it returns."""

    name = "state"

    def state(self):
        connection = self.connect()
        try:
            return json.loads(self.ask(connection, "GET", "/state"))
        finally:
            connection.close()


MIX = (Getter, Getter, Uploader, Listener, WebSocket, Aborter, Aborter, Editor, Mounter)
