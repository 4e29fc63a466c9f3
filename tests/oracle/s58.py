"""S58: two tasks read one socket."""
import asyncio
import socket

import trio

from oracle import outcome, pause

real_clock = True


async def on_asyncio():
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    first = asyncio.create_task(reader.read(1))
    await pause(asyncio)
    second = await outcome(reader.read(1))
    first.cancel()
    writer.close()
    theirs.close()
    return "second-refused" if second == "error" else "second-waits"


async def on_trio():
    ours, theirs = socket.socketpair()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    said = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some, 1)
        await pause(trio)
        try:
            await stream.receive_some(1)
        except trio.BusyResourceError:
            said.append("second-refused")
        nursery.cancel_scope.cancel()
    ours.close()
    theirs.close()
    return said[0] if said else "second-waits"
