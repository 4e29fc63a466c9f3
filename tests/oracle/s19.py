"""S19: a cancelled caller asks for a permit that is free."""
import asyncio

import trio


async def on_asyncio():
    taken = []

    async def task():
        semaphore = asyncio.Semaphore(1)
        asyncio.current_task().cancel()
        await semaphore.acquire()
        taken.append(True)

    await asyncio.wait([asyncio.create_task(task())])
    return "taken" if taken else "refused"


async def on_trio():
    taken = []
    semaphore = trio.Semaphore(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await semaphore.acquire()
        taken.append(True)
    return "taken" if taken or semaphore.value == 0 else "refused"
