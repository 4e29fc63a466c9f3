"""S15: the second wait after a cancel."""
import asyncio

import trio

from oracle import FOREVER, outcome


async def on_asyncio():
    said = []

    async def task():
        asyncio.current_task().cancel()
        said.append(await outcome(asyncio.sleep(0)))
        said.append(await outcome(asyncio.sleep(0)))

    await asyncio.wait([asyncio.create_task(task())])
    return verdict(said)


async def on_trio():
    with trio.CancelScope() as scope:
        scope.cancel()
        said = [await outcome(trio.sleep(FOREVER)), await outcome(trio.sleep(FOREVER))]
    return verdict(said)


def verdict(said):
    return "every-wait" if said == ["cancelled", "cancelled"] else "one-wait"
