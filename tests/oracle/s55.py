"""S55: an event is set and cleared at once. (Trio's events are not cleared.)"""
import asyncio

from oracle import pause


async def on_asyncio():
    event, woken = asyncio.Event(), []

    async def waits(number):
        await event.wait()
        woken.append(number)

    tasks = [asyncio.create_task(waits(number)) for number in range(3)]
    await pause(asyncio)
    event.set()
    event.clear()
    await pause(asyncio)
    for task in tasks:
        task.cancel()
    return "all-woken" if len(woken) == 3 else "some-left"
