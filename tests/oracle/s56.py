"""S56: the senders have closed; the receiver has closed. (asyncio's queues close from 3.13 on.)"""
import trio


async def on_trio():
    sender, receiver = trio.open_memory_channel(2)
    sender.send_nowait(1)
    sender.send_nowait(2)
    sender.close()
    got = [item async for item in receiver]

    sender, receiver = trio.open_memory_channel(1)
    receiver.close()
    try:
        await sender.send(3)
        broken = "taken"
    except trio.BrokenResourceError:
        broken = "refused"
    return ("drained" if got == [1, 2] else "lost") + "+" + broken
