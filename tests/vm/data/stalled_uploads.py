# Begins COUNT uploads to URL at once, sends of each what is taken, and ends when nothing has
# been for two seconds.
import selectors
import socket
import sys
import urllib.parse

url = urllib.parse.urlsplit(sys.argv[1])
chooser = selectors.DefaultSelector()
for _ in range(int(sys.argv[2])):
    client = socket.create_connection((url.hostname, url.port))
    client.sendall(f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
    client.setblocking(False)
    chooser.register(client, selectors.EVENT_WRITE)

block = bytes(65536)
sent = 0
while ready := chooser.select(2):
    for key, _ in ready:
        sent += key.fileobj.send(block)
print(sent)
