"""S53: a wait for a condition is cancelled while another holds the mutex."""
import asyncio

import trio

from oracle import outcome, pause


async def on_asyncio():
    condition, said = asyncio.Condition(), []

    async def waits():
        async with condition:
            said.append(await outcome(condition.wait()))
            said.append("held" if condition.locked() else "free")

    task = asyncio.create_task(waits())
    await pause(asyncio)
    await condition.acquire()
    task.cancel()
    await pause(asyncio)
    condition.release()
    await asyncio.wait([task])
    return "+".join(said)


async def on_trio():
    condition, said = trio.Condition(), []

    async def waits(scope):
        with scope:
            await condition.acquire()
            said.append(await outcome(condition.wait()))
            mine = condition.statistics().lock_statistics.owner
            said.append("held" if mine is trio.lowlevel.current_task() else "free")
            condition.release()

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits, scope)
        await pause(trio)
        await condition.acquire()
        scope.cancel()
        await pause(trio)
        condition.release()
    return "+".join(said)
