# Talks to websocket_echo.py with the `websockets` library: text, binary of many
# sizes, both directions at once, and an orderly close. Prints "ok".
import asyncio
import os
import sys

import websockets


async def main(url):
    async with websockets.connect(url, max_size=None) as socket:
        await socket.send("héllo")
        assert await socket.recv() == "héllo"
        messages = [os.urandom(size) for size in (0, 1, 125, 126, 65535, 65536, 300000)]

        async def send_all():
            for message in messages:
                await socket.send(message)

        sender = asyncio.create_task(send_all())
        for message in messages:
            assert await socket.recv() == message
        await sender
    assert socket.close_code == 1000, socket.close_code
    print("ok")


asyncio.run(main(sys.argv[1]))
