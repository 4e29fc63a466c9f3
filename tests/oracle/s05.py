"""S05: a spawn into a scope that is closing, and into one that is closed."""
import asyncio

import trio

from oracle import outcome_of


async def nothing():
    pass


async def on_asyncio():
    ran = []

    async def sibling():
        ran.append(True)

    async def spawns(group):
        await asyncio.sleep(0)
        group.create_task(sibling())

    async with asyncio.TaskGroup() as group:
        group.create_task(spawns(group))
    coroutine = nothing()
    late = outcome_of(group.create_task, coroutine)
    coroutine.close()
    return verdict(ran, late)


async def on_trio():
    ran = []

    async def sibling():
        ran.append(True)

    async def spawns(nursery):
        await trio.sleep(0)
        nursery.start_soon(sibling)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(spawns, nursery)
    return verdict(ran, outcome_of(nursery.start_soon, nothing))


def verdict(ran, late):
    return ("taken" if ran else "refused") + "+" + ("taken" if late == "value" else "refused")
