"""S03: the body fails while the children run."""
import asyncio

import trio

from oracle import FOREVER, outcome


class Children:
    cut = 0

    async def wait(self, library, cancelled):
        try:
            await library.sleep(FOREVER)
        except cancelled:
            self.cut += 1
            raise

    def verdict(self, end):
        return ("children-cancelled" if self.cut == 3 else "children-left") + "+" + end


async def on_asyncio():
    children = Children()

    async def body():
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(children.wait(asyncio, asyncio.CancelledError))
            await asyncio.sleep(0)
            raise OSError

    return children.verdict(await outcome(body()))


async def on_trio():
    children = Children()

    async def body():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(children.wait, trio, trio.Cancelled)
            await trio.sleep(0)
            raise OSError

    return children.verdict(await outcome(body()))
