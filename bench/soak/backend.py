"""What the soak talks to, inside the guest; standard library only. On 127.0.0.1:8000:

/size/N   GET: N bytes of a known pattern       /hash    POST: SHA-256 of the body
/events   server-sent events without an end     /echo    a WebSocket that echoes
/routes   POST: the body becomes the listeners file, by rename or in place in turn
/mounted/N  POST: the body becomes the file N of the mounted directory; GET: what is in it
/state    memory in KiB and open descriptors of the guest's own daemons, as JSON
"""

import base64
import hashlib
import http.server
import json
import os
import re
import struct
from pathlib import Path

PATTERN = bytes(range(251)) * 1024
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LISTENERS = "/etc/gondolin/listeners"
DAEMONS = ("sandboxd", "sandboxfs", "sandboxingress", "sandboxmounts")


def daemons():
    """Those that init started: some have children of the same name."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            status = (process / "status").read_text()
            if name in DAEMONS and re.search(r"^PPid:\s+1$", status, re.M):
                memory = re.search(r"VmRSS:\s+(\d+)", status)
                found[name] = {"rss_kib": int(memory.group(1)),
                               "descriptors": len(os.listdir(process / "fd"))}
        except FileNotFoundError:
            pass
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    edits = 0

    def do_GET(self):
        if self.path.startswith("/size/"):
            self.send_pattern(int(self.path.split("/")[2]))
        elif self.path == "/events":
            self.send_events()
        elif self.path == "/echo":
            self.echo()
        elif self.path == "/state":
            self.send_text(json.dumps(daemons()))
        elif self.path.startswith("/mounted/"):
            self.send_content(Path(self.path).read_bytes())
        else:
            self.send_text(self.path)

    def do_POST(self):
        digest, kept = hashlib.sha256(), b""
        for data in self.body():
            digest.update(data)
            if self.path.startswith(("/routes", "/mounted/")):
                kept += data
        if self.path == "/routes":
            self.write_routes(kept)
        elif self.path.startswith("/mounted/"):
            Path(self.path).write_bytes(kept)
        self.send_text(digest.hexdigest())

    def body(self):
        """The body as it comes, chunked or not."""
        if self.headers.get("Transfer-Encoding"):
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers["Content-Length"])
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                raise ConnectionResetError
            left -= len(data)
            yield data

    def write_routes(self, text):
        Handler.edits += 1
        path = LISTENERS + ".new" if Handler.edits % 2 else LISTENERS
        Path(path).write_bytes(text)
        if path != LISTENERS:
            os.rename(path, LISTENERS)

    def send_text(self, text):
        self.send_content(text.encode())

    def send_content(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_pattern(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            self.wfile.write(PATTERN[:size])
            size -= min(size, len(PATTERN))

    def send_events(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        number = 0
        while True:
            self.wfile.write(b"data: %d\n\n" % number)
            number += 1

    def echo(self):
        self.close_connection = True
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.end_headers()
        while head := self.rfile.read(2):
            length = head[1] & 0x7F
            if length == 126:
                length, = struct.unpack(">H", self.rfile.read(2))
            mask, data = self.rfile.read(4), self.rfile.read(length)
            key = mask * (length // 4 + 1)
            plain = int.from_bytes(data, "big") ^ int.from_bytes(key[:length], "big")
            size = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length)
            self.wfile.write(head[:1] + size + plain.to_bytes(length, "big"))
            if head[0] & 0x0F == 8:
                return

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_):
        """A client that went away is part of the game."""


Path(LISTENERS).write_text("/ :8000\n/aside :8000\n")
Server(("127.0.0.1", 8000), Handler).serve_forever()
