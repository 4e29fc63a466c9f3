"""S42: one of several that are waited for together fails: asyncio.gather, Trio's nursery."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


class Others:
    ended = 0

    async def wait(self, library):
        try:
            await library.sleep(FOREVER)
        finally:
            with trio.CancelScope(shield=True) if library is trio else Plain():
                await pause(library)
            self.ended += 1

    def verdict(self, end):
        return end + "+" + ("others-ended" if self.ended == 2 else "others-go-on")


class Plain:
    def __enter__(self):
        pass

    def __exit__(self, *details):
        pass


async def fails(library):
    await library.sleep(0)
    raise OSError


async def on_asyncio():
    others = Others()
    end = await outcome(asyncio.gather(others.wait(asyncio), fails(asyncio), others.wait(asyncio)))
    return others.verdict(end)


async def on_trio():
    others = Others()

    async def together():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others.wait, trio)
            nursery.start_soon(fails, trio)
            nursery.start_soon(others.wait, trio)

    end = await outcome(together())
    return others.verdict(end)
