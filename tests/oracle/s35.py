"""S35: clean-up with a time limit of its own, after a cancel."""
import asyncio

import trio

from oracle import FOREVER, outcome


async def on_asyncio():
    said = []

    async def cleans_up(limit, rest):
        async with asyncio.timeout(limit):
            await asyncio.sleep(rest)

    async def task():
        asyncio.current_task().cancel()
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            said.append(await outcome(cleans_up(1000, 0.001)))
            said.append(await outcome(cleans_up(0.001, FOREVER)))
            raise

    await asyncio.wait([asyncio.create_task(task())])
    return "+".join(said)


async def on_trio():
    said = []

    async def cleans_up(limit, rest):
        with trio.fail_after(limit) as scope:
            scope.shield = True
            await trio.sleep(rest)

    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep(FOREVER)
        except trio.Cancelled:
            said.append(await outcome(cleans_up(1000, 0.001)))
            said.append(await outcome(cleans_up(0.001, FOREVER)))
            raise
    return "+".join(said)
