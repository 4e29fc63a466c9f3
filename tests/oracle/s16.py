"""S16: whom a cancel reaches: descendants, a scope that is opened later, a sibling."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


class Waiting:
    cut = 0

    async def wait(self, library, cancelled):
        try:
            await library.sleep(FOREVER)
        except cancelled:
            self.cut += 1
            raise


def verdict(below, later, beside):
    return "+".join(["all-below" if below.cut == 2 else "not-all",
                     "later-too" if later == "cancelled" else "later-not",
                     "sibling-too" if beside.cut else "sibling-not"])


async def on_asyncio():
    below, beside, said = Waiting(), Waiting(), []

    async def with_child():
        async with asyncio.TaskGroup() as group:
            group.create_task(below.wait(asyncio, asyncio.CancelledError))
            await below.wait(asyncio, asyncio.CancelledError)

    async def top():
        await outcome(with_child())

        async def later():
            async with asyncio.timeout(None):
                await asyncio.sleep(0)

        said.append(await outcome(later()))

    sibling = asyncio.create_task(beside.wait(asyncio, asyncio.CancelledError))
    task = asyncio.create_task(top())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    result = verdict(below, said[0], beside)
    sibling.cancel()
    return result


async def on_trio():
    below, beside, said = Waiting(), Waiting(), []

    async def with_child():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(below.wait, trio, trio.Cancelled)
            await below.wait(trio, trio.Cancelled)

    async with trio.open_nursery() as outside:
        outside.start_soon(beside.wait, trio, trio.Cancelled)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(with_child)
                await pause(trio)
                scope.cancel()
            with trio.CancelScope():
                said.append(await outcome(trio.sleep(0)))
        result = verdict(below, said[0] if said else "cancelled", beside)
        outside.cancel_scope.cancel()
    return result
