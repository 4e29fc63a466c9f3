"""S18: a body that is cancelled, and ends without a wait."""
import asyncio

import trio


async def on_asyncio():
    async def body():
        asyncio.current_task().cancel()
        return 17

    task = asyncio.create_task(body())
    await asyncio.wait([task])
    return "cancelled" if task.cancelled() else "value"


async def on_trio():
    async def body():
        with trio.CancelScope() as scope:
            scope.cancel()
        return "cancelled" if scope.cancelled_caught else "value"

    return await body()
