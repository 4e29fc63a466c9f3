"""S54: of three who wait for a condition the first is cancelled beside a notify."""
import asyncio

import trio

from oracle import outcome, pause


async def on_asyncio():
    return "+".join([await with_asyncio(False), await with_asyncio(True)])


async def with_asyncio(notify_first):
    condition, said = asyncio.Condition(), {}

    async def waits(number):
        async with condition:
            said[number] = await outcome(condition.wait())

    tasks = [asyncio.create_task(waits(number)) for number in range(3)]
    await pause(asyncio)
    await condition.acquire()
    if notify_first:
        condition.notify()
    tasks[0].cancel()
    if not notify_first:
        await pause(asyncio)
        condition.notify()
    condition.release()
    await pause(asyncio)
    for task in tasks:
        task.cancel()
    return verdict(dict(said))


async def on_trio():
    return "+".join([await with_trio(False), await with_trio(True)])


async def with_trio(notify_first):
    condition, said, scopes = trio.Condition(), {}, {}

    async def waits(number):
        with trio.CancelScope() as scopes[number]:
            async with condition:
                said[number] = await outcome(condition.wait())

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(waits, number)
            await pause(trio)
        await condition.acquire()
        if notify_first:
            condition.notify()
        scopes[0].cancel()
        if not notify_first:
            await pause(trio)
            condition.notify()
        condition.release()
        await pause(trio)
        result = verdict(dict(said))
        nursery.cancel_scope.cancel()
    return result


def verdict(said):
    return "not-lost" if list(said.values()).count("value") == 1 else "lost"
