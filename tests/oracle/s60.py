"""S60: the runtime is run inside a task of it."""
import asyncio

import trio


async def nothing():
    pass


async def on_asyncio():
    coroutine = nothing()
    try:
        asyncio.run(coroutine)
    except RuntimeError:
        coroutine.close()
        return "refused"
    return "nested-child"


async def on_trio():
    try:
        trio.run(nothing)
    except RuntimeError:
        return "refused"
    return "nested-child"
