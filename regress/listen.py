"""Print what a player receives: listen.py ws://host:port/ws?token=TOKEN"""
import asyncio
import sys

import websockets


async def listen(url):
    async with websockets.connect(url) as ws:
        print("connected", flush=True)
        try:
            async for message in ws:
                print("received", message, flush=True)
        except websockets.ConnectionClosed:
            pass
        print("closed:", ws.close_code, ws.close_reason, flush=True)


if len(sys.argv) != 2:
    sys.exit(__doc__)
try:
    asyncio.run(listen(sys.argv[1]))
except KeyboardInterrupt:
    pass
except (OSError, websockets.WebSocketException) as error:
    sys.exit("listen.py: %s" % error)
