"""Messages for scripts/http-differential: seeds, good and bad, and mutations of them.

Mutations know HTTP's structure: they cut at lines and separators, and insert what
attacks are made of. The same generator state gives the same corpus.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Message:
    kind: str  # "Q" request, "S" response, "H" response to HEAD
    bytes: bytes


def request(line=b"GET / HTTP/1.1", fields=(b"Host: a",), body=b""):
    return b"\r\n".join([line, *fields, b"", b""]) + body


def response(line=b"HTTP/1.1 200 OK", fields=(), body=b""):
    return b"\r\n".join([line, *fields, b"", b""]) + body


CHUNKED = b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"

REQUESTS = [
    request(),
    request(body=b"GET /next HTTP/1.1\r\nHost: b\r\n\r\n"),
    request(b"GET /a/b;c?d=e&f=%20 HTTP/1.1", [b"Host: localhost:8080", b"Accept: */*", b"X:"]),
    request(b"GET / HTTP/1.0", []),
    request(b"GET / HTTP/1.0", [b"Connection: keep-alive", b"Host: a"]),
    request(b"HEAD /x HTTP/1.1", [b"Host: a", b"Connection: close"]),
    request(b"OPTIONS * HTTP/1.1"),
    request(b"GET http://b:81/x?y HTTP/1.1"),
    request(b"CONNECT b:443 HTTP/1.1"),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Content-Length: 5"], b"hello"),
    request(b"PUT / HTTP/1.1", [b"Host: a", b"Content-Length: 5"], b"helloGET / HTTP/1.1\r\n"),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Content-Length: 0"]),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Transfer-Encoding: chunked"], CHUNKED),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Transfer-Encoding: chunked"],
            b"5;a=b;c=\"d\"\r\nhello\r\n0\r\nX-Trailer: t\r\n\r\nGET /"),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 5"],
            CHUNKED),
    request(b"POST / HTTP/1.0", [b"Transfer-Encoding: chunked"], CHUNKED),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Content-Length: 5", b"Content-Length: 5"], b"hello"),
    request(b"POST / HTTP/1.1", [b"Host: a", b"Expect: 100-continue", b"Content-Length: 2"], b"hi"),
    request(b"GET / HTTP/1.1", [b"Host: a", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings",
                                b"HTTP2-Settings: AAMAAABk"]),
    request(b"GET /ws HTTP/1.1", [b"Host: a", b"Upgrade: websocket", b"Connection: Upgrade",
                                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                                  b"Sec-WebSocket-Version: 13"]),
    request(fields=[b"Host: a", b"X-Latin: \xe9\xff", b"Cookie: a=b; c=d", b"cookie: e"]),
    request(fields=[b"Host: a", b"X: a", b" folded"]),
    request(b"GET / HTTP/2.0"),
    b"\r\n" + request(),
    b"GET /\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]

RESPONSES = [
    response(),
    response(body=b"until close"),
    response(fields=[b"Content-Length: 5"], body=b"hello"),
    response(fields=[b"Content-Length: 0", b"Set-Cookie: a=b", b"Set-Cookie: c=d"]),
    response(fields=[b"Content-Length: 5"], body=b"helloHTTP/1.1 200 OK\r\n"),
    response(fields=[b"Transfer-Encoding: chunked"], body=CHUNKED),
    response(fields=[b"Transfer-Encoding: chunked", b"Trailer: X"],
             body=b"A\r\n0123456789\r\n0;last\r\nX: y\r\n\r\n"),
    response(fields=[b"Transfer-Encoding: chunked", b"Content-Length: 5"], body=CHUNKED),
    response(fields=[b"Transfer-Encoding: gzip, chunked"], body=CHUNKED),
    response(fields=[b"Content-Length: 5", b"Content-Length: 6"], body=b"hello!"),
    response(fields=[b"Content-Length: 5, 5"], body=b"hello"),
    response(fields=[b"Content-Length : 5"], body=b"hello"),
    response(b"HTTP/1.0 200 OK", [b"Server: SimpleHTTP/0.6 Python/3.11.2"], b"old"),
    response(b"HTTP/1.0 200 OK", [b"Connection: keep-alive", b"Content-Length: 2"], b"ok"),
    response(b"HTTP/1.1 204 No Content", [b"Date: Mon, 23 Nov 2026 21:00:00 GMT"]),
    response(b"HTTP/1.1 304 Not Modified", [b"ETag: \"a\"", b"Content-Length: 5"]),
    response(b"HTTP/1.1 100 Continue") + response(fields=[b"Content-Length: 2"], body=b"ok"),
    response(b"HTTP/1.1 103 Early Hints", [b"Link: </a.css>; rel=preload"]),
    response(b"HTTP/1.1 200 ", [b"Content-Length: 2"], b"ok"),
    response(b"HTTP/1.1 404", [b"Content-Length: 2"], b"no"),
    response(b"HTTP/1.1 500 Err\xe9ur", [b"X-Latin: \xe9\xff", b"Content-Length: 1"], b"!"),
    response(fields=[b"X: a", b"\tfolded", b"Content-Length: 0"]),
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"SSH-2.0-OpenSSH_9.2\r\n",
]

# What mutations insert: bytes that end or join things, and fields that frame.
PIECES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b"\t", b" ", b"  ", b"\x0b", b"\x0c", b"\x7f", b"\x80",
    b"\xff", b":", b",", b";", b"=", b"\"", b"\\", b"/", b"//", b"?", b"#", b"%", b"@", b"[::1]", b"*",
    b"+", b"-", b"0", b"1", b"5", b"0x", b"a", b"_", b"(", b"{", b"|", b"~", b"\xc3\xa9", b"chunked",
    b"identity", b"gzip", b", ", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"http://b", b"close",
    b"keep-alive", b"Host: b\r\n", b"Content-Length: 5\r\n", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"X : y\r\n", b" folded\r\n", b"Expect: 100-continue\r\n", b"18446744073709551616",
    b"ffffffffffffffffff", b"0\r\n\r\n", b"5\r\nhello\r\n",
]
SEPARATORS = b"\r\n :,;=/?"


def cut(random, data):
    """A place in `data`, mostly beside something that separates."""
    places = [i for i, byte in enumerate(data) if byte in SEPARATORS]
    if places and random.random() < 0.7:
        return random.choice(places) + random.randrange(2)
    return random.randrange(len(data) + 1)


def mutate(random, data, others):
    at, end = sorted((cut(random, data), cut(random, data)))
    match random.randrange(8):
        case 0 | 1 | 2:
            return data[:at] + random.choice(PIECES) + data[at:]
        case 3:
            return data[:at] + data[at + 1 + random.randrange(2):]
        case 4:
            return data[:at] + random.choice(PIECES) + data[at + 1:]
        case 5:
            return data[:at] + data[end:]
        case 6:
            lines = data.split(b"\r\n")
            i, k = random.randrange(len(lines)), random.randrange(len(lines))
            if random.random() < 0.5:
                lines[i], lines[k] = lines[k], lines[i]
            else:
                lines.insert(i, lines[k])
            return b"\r\n".join(lines)
        case _:
            other = random.choice(others)
            return data[:at] + other[cut(random, other):]


def corpus(random, count):
    """`count` messages: every seed as it is, then mutations of one to three steps."""
    kinds = [("Q", REQUESTS), ("S", RESPONSES), ("H", RESPONSES)]
    messages = [Message(kind, seed) for kind, seeds in kinds for seed in seeds]
    while len(messages) < count:
        kind, seeds = random.choices(kinds, weights=(5, 4, 1))[0]
        data = random.choice(seeds)
        for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
            data = mutate(random, data, seeds)
        messages.append(Message(kind, data))
    return messages
