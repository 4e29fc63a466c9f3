"""S49: in which order waiters get the permits."""
import asyncio

import trio

from oracle import pause


def verdict(order):
    return "first-come" if order == [0, 1, 2] else "any-order"


async def on_asyncio():
    semaphore, order = asyncio.Semaphore(0), []

    async def acquires(number):
        await semaphore.acquire()
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(acquires(number))
            await pause(asyncio)
        for _ in range(3):
            semaphore.release()
    return verdict(order)


async def on_trio():
    semaphore, order = trio.Semaphore(0), []

    async def acquires(number):
        await semaphore.acquire()
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(acquires, number)
            await pause(trio)
        for _ in range(3):
            semaphore.release()
            await pause(trio)
    return verdict(order)
