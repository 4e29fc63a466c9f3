"""S12: the outer scope is closed while the inner is open."""
import asyncio

import trio


async def on_asyncio():
    outer, inner = asyncio.TaskGroup(), asyncio.TaskGroup()
    await outer.__aenter__()
    await inner.__aenter__()
    try:
        await outer.__aexit__(None, None, None)
    except RuntimeError:
        return "refused"
    await inner.__aexit__(None, None, None)
    return "allowed"


async def on_trio():
    said = []

    async def misnests():
        outer, inner = trio.CancelScope(), trio.CancelScope()
        outer.__enter__()
        inner.__enter__()
        try:
            outer.__exit__(None, None, None)
        except RuntimeError:
            said.append("refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(misnests)
    return said[0] if said else "allowed"
