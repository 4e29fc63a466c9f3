"""S32: a body that fails before its deadline, and one whose clean-up fails after it."""
import asyncio

import trio

from oracle import FOREVER, outcome


async def on_asyncio():
    async def fails_before():
        async with asyncio.timeout(1000):
            raise OSError

    async def fails_after():
        async with asyncio.timeout(0.001):
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                raise OSError

    return await outcome(fails_before()) + "+" + await outcome(fails_after())


async def on_trio():
    async def fails_before():
        with trio.fail_after(1000):
            raise OSError

    async def fails_after():
        with trio.fail_after(0.001):
            try:
                await trio.sleep(FOREVER)
            except trio.Cancelled:
                raise OSError

    return await outcome(fails_before()) + "+" + await outcome(fails_after())
