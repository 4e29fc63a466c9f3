"""S34: a deadline is moved earlier, later, and taken away, while the body waits."""
import asyncio
import math

import trio

from oracle import FOREVER, outcome, pause


async def on_asyncio():
    async def waits(first, new, rest):
        limit = asyncio.timeout(first)

        async def body():
            async with limit:
                await asyncio.sleep(rest)

        task = asyncio.create_task(outcome(body()))
        await pause(asyncio, 3)
        limit.reschedule(new if new is None else asyncio.get_running_loop().time() + new)
        return await task

    said = [await waits(1000, 0.001, FOREVER), await waits(1, 1000, 1.1),
            await waits(1, None, 1.1)]
    return "+".join(said)


async def on_trio():
    async def waits(first, new, rest):
        said = []

        async def body():
            with trio.fail_after(first) as limit:
                limits.append(limit)
                await trio.sleep(rest)

        async def keeps():
            said.append(await outcome(body()))

        limits = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeps)
            await pause(trio, 3)
            limits[0].deadline = trio.current_time() + new
        return said[0]

    said = [await waits(1000, 0.001, FOREVER), await waits(0.01, 1000, 0.03),
            await waits(0.01, math.inf, 0.03)]
    return "+".join(said)
