# The backend of the ingress tests: one port, a path for each thing to be tried.
#   /size/N     N bytes of a known pattern       /hash   POST: SHA-256 of the body
#   /events     three server-sent events, each a second after the last was asked for
#   /slow       an answer after half a second
import hashlib
import http.server
import socket
import sys
import threading
import time

PATTERN = bytes(range(251)) * 1024


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/size/"):
            self.send_pattern(int(self.path.split("/")[2]))
        elif self.path == "/events":
            self.send_events()
        else:
            if self.path == "/slow":
                time.sleep(0.5)
            self.send_text(self.path)

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                return
            digest.update(data)
            left -= len(data)
        self.send_text(digest.hexdigest())

    def send_text(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_pattern(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            self.wfile.write(PATTERN[:size])
            size -= min(size, len(PATTERN))

    def send_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(1)
        self.close_connection = True

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

    def server_bind(self):
        if ":" in sys.argv[1]:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
