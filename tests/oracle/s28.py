"""S28: a deadline passes in a wait: what the wait says, what the scope says, the wait after it."""
import asyncio

import trio

from oracle import FOREVER, outcome, word


async def on_asyncio():
    said = []

    async def body():
        async with asyncio.timeout(0.001):
            try:
                await asyncio.sleep(FOREVER)
            except BaseException as error:
                said.append(word(error))
                raise

    said.append(await outcome(body()))
    said.append(await outcome(asyncio.sleep(0)))
    return "+".join(said)


async def on_trio():
    said = []

    async def body():
        with trio.fail_after(0.001):
            try:
                await trio.sleep(FOREVER)
            except BaseException as error:
                said.append(word(error))
                raise

    said.append(await outcome(body()))
    said.append(await outcome(trio.sleep(0)))
    return "+".join(said)
