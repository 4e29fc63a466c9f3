"""S31: the deadlines of two nested scopes have passed when the body waits: which one reports?"""
import asyncio
import time

import trio

from oracle import FOREVER, outcome

real_clock = True


async def on_asyncio():
    said = []

    async def inner():
        async with asyncio.timeout(0.001):
            time.sleep(0.004)
            await asyncio.sleep(FOREVER)

    async def outer():
        async with asyncio.timeout(0.002):
            said.append(await passes_on(inner()))

    return verdict(said, await outcome(outer()))


async def on_trio():
    said = []

    async def inner():
        with trio.fail_after(0.001):
            time.sleep(0.004)
            await trio.sleep(FOREVER)

    async def outer():
        with trio.fail_after(0.002):
            said.append(await passes_on(inner()))

    return verdict(said, await outcome(outer()))


async def passes_on(inner):
    try:
        await inner
    except (TimeoutError, trio.TooSlowError):
        return "timed-out"


def verdict(said, end):
    if said == ["timed-out"]:
        return "inner"
    return "outer" if end == "timed-out" else "neither"
