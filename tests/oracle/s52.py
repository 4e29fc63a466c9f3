"""S52: a mutex is locked again by its owner, and unlocked by another task."""
import asyncio

import trio

from oracle import outcome


async def on_asyncio():
    lock, said = asyncio.Lock(), []
    await lock.acquire()
    again = await outcome(asyncio.wait_for(lock.acquire(), 0.01))

    async def stranger():
        try:
            lock.release()
            said.append("stranger-unlocks")
        except RuntimeError:
            said.append("stranger-refused")

    await asyncio.create_task(stranger())
    return ("waits-for-itself" if again == "timed-out" else "refused") + "+" + said[0]


async def on_trio():
    lock, said = trio.Lock(), []
    await lock.acquire()

    async def again():
        with trio.fail_after(0.01):
            await lock.acquire()

    ended = await outcome(again())

    async def stranger():
        try:
            lock.release()
            said.append("stranger-unlocks")
        except RuntimeError:
            said.append("stranger-refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stranger)
    return ("waits-for-itself" if ended == "timed-out" else "refused") + "+" + said[0]
