"""S24: a waiter is cancelled while it waits for its child, which takes its time to end."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause

ended = False


async def ends_slowly(library, cancelled):
    global ended
    try:
        await library.sleep(FOREVER)
    except cancelled:
        with trio.CancelScope(shield=True) if library is trio else NoScope():
            await pause(library)
        ended = True
        raise


class NoScope:
    def __enter__(self):
        pass

    def __exit__(self, *details):
        pass


def verdict(said):
    return said[0] + "+" + ("child-ended" if said[1] else "child-goes-on")


async def on_asyncio():
    global ended
    ended, said = False, []

    async def waiter():
        child = asyncio.create_task(ends_slowly(asyncio, asyncio.CancelledError))
        said.append(await outcome(child))
        said.append(ended)

    task = asyncio.create_task(waiter())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    return verdict(said)


async def on_trio():
    global ended
    ended, said = False, []

    async def waiter():
        async def body():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ends_slowly, trio, trio.Cancelled)

        said.append(await outcome(body()))
        said.append(ended)

    async with trio.open_nursery() as outside:
        outside.start_soon(waiter)
        await pause(trio)
        outside.cancel_scope.cancel()
    return verdict(said)
