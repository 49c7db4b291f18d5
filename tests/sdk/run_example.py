#!/usr/bin/env python3
"""run_example.py PROGRAM [ARGUMENT...]: starts an example of examples/cpp, asks of its gateway what the
example promises, and sees it end when Enter is pressed."""

import http.client
import os
import re
import subprocess
import sys

LIMIT = 120  # seconds, for what takes one on an idle machine


def ask(authority, path, method="GET", headers=None):
    connection = http.client.HTTPConnection(authority, timeout=LIMIT)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    return response, response.read()


def expect(actual, wanted, what):
    if actual != wanted:
        sys.exit(f"{what}: {actual!r}, not {wanted!r}")


def quick_start(authority):
    response, body = ask(authority, "/hostname")
    expect((response.status, body), (200, b"gondolin\n"), "a file of the guest")


def allow_by_path(authority):
    expect(ask(authority, "/public/")[1], b"hello\n", "the public page")
    expect(ask(authority, "/key")[0].status, 403, "a file outside")
    expect(ask(authority, "/public/../key")[0].status, 403, "a file outside, by way of the public page")
    expect(ask(authority, "/%70ublic/")[0].status, 403, "an encoded path")
    response, body = ask(authority, "/reports/")
    expect((response.status, body), (401, b"a token, please\n"), "a report without the token")
    headers = {"Authorization": "Bearer open-sesame"}
    expect(ask(authority, "/reports/", headers=headers)[1], b"figures\n", "a report")


def strip_prefix(authority):
    response, _ = ask(authority, "/app")
    expect(response.status, 302, "the first page")
    expect(response.getheader("Location"), "/app/home", "where it redirects to")
    expect(response.headers.get_all("Set-Cookie"),
           ["session=1; Path=/app/; HttpOnly", "theme=dark; path=/app/home"], "the cookies")
    expect(ask(authority, "/app/home")[1], b"home\n", "the page behind the redirection")


def cors(authority):
    origin = {"Origin": "http://localhost:5173"}
    response, _ = ask(authority, "/", headers=origin)
    expect(response.getheader("Access-Control-Allow-Origin"), origin["Origin"], "the origin allowed")
    response, _ = ask(authority, "/", headers={"Origin": "http://evil.example"})
    expect(response.getheader("Access-Control-Allow-Origin"), None, "another origin")
    response, body = ask(authority, "/", "OPTIONS", {**origin, "Access-Control-Request-Method": "PUT"})
    expect((response.status, body), (204, b""), "the browser's question")
    expect(response.getheader("Access-Control-Allow-Methods"), "GET, POST, PUT, DELETE", "its answer")


def rewrite_html(authority):
    response, body = ask(authority, "/")
    expect(body, b"<html><body><p><b>This page comes from a sandbox.</b></p><p>Hello.</p></body></html>\n",
           "the page")
    expect(response.getheader("Content-Length"), str(len(body)), "its length")
    expect(len(ask(authority, "/large.bin")[1]), 5_000_000, "a file larger than what is buffered")


def vite(authority):
    page = ask(authority, "/")[1]
    expect(b"/@vite/client" in page and b"/main.js" in page, True, "the page has Vite's client and the project's module")
    module = ask(authority, "/main.js")[1]
    expect(b"createHotContext" in module and b"/greeting.js" in module, True, "Vite has compiled the module")
    expect(b"Hello from the program around the sandbox" in ask(authority, "/greeting.js")[1], True,
           "the module that the example writes")


def main():
    program = sys.argv[1]
    example = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        authority = None
        for line in example.stdout:
            if found := re.search(r"http://([0-9.]+:[0-9]+)", line):
                authority = found.group(1)
                break
        if not authority:
            sys.exit(f"it ended with status {example.wait()} before its gateway was open")
        globals()[os.path.basename(program)](authority)
        example.communicate("\n", timeout=LIMIT)
        expect(example.returncode, 0, "its exit status")
    finally:
        example.kill()
        example.wait()


main()
