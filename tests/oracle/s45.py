"""S45: the first of several has ended: asyncio.wait. (Trio has none.)"""
import asyncio

from oracle import FOREVER, pause


async def on_asyncio():
    async def wins():
        return 21

    loser = asyncio.create_task(asyncio.sleep(FOREVER))
    first = asyncio.create_task(wins())
    await asyncio.wait([loser, first], return_when=asyncio.FIRST_COMPLETED)
    await pause(asyncio)
    said = "losers-ended" if loser.done() else "losers-run"
    loser.cancel()
    return said
