"""S11: a failure in the outer scope, and one in the inner scope that is handled between them."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


async def fails(library):
    await library.sleep(0)
    raise OSError


async def on_asyncio():
    order = []

    async def inner(child):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child)
        finally:
            order.append("inner")

    async def outer():
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(asyncio))
            await inner(asyncio.sleep(FOREVER))

    await outcome(outer())
    order.append("outer")
    async with asyncio.TaskGroup() as group:
        beside = group.create_task(asyncio.sleep(FOREVER))
        await outcome(inner(fails(asyncio)))
        await pause(asyncio)
        alone = not beside.done()
        beside.cancel()
    return verdict(order, alone)


async def on_trio():
    order = []

    async def inner(child, *arguments):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child, *arguments)
        finally:
            order.append("inner")

    async def outer():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails, trio)
            await inner(trio.sleep, FOREVER)

    await outcome(outer())
    order.append("outer")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, FOREVER)
        await outcome(inner(fails, trio))
        await pause(trio)
        alone = not nursery.cancel_scope.cancel_called and len(nursery.child_tasks) == 1
        nursery.cancel_scope.cancel()
    return verdict(order, alone)


def verdict(order, alone):
    first = "inner-first" if order[:2] == ["inner", "outer"] else "outer-first"
    return first + "+" + ("outer-alone" if alone else "outer-cancelled")
