"""S02: two children fail, the second because of the first."""
import asyncio

import trio

from oracle import FOREVER, contains


class Late(Exception):
    pass


async def fails(library):
    await library.sleep(0)
    raise OSError


async def fails_when_cut(library, cancelled):
    try:
        await library.sleep(FOREVER)
    except cancelled:
        raise Late


async def on_asyncio():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_when_cut(asyncio, asyncio.CancelledError))
            group.create_task(fails(asyncio))
    except BaseException as error:
        return verdict(error)


async def on_trio():
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails_when_cut, trio, trio.Cancelled)
            nursery.start_soon(fails, trio)
    except BaseException as error:
        return verdict(error)


def verdict(error):
    first = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    both = contains(error, OSError) and contains(error, Late)
    return ("earlier" if isinstance(first, OSError) else "later") + "+" + (
        "both-listed" if both else "not-listed")
