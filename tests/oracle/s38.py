"""S38: several wait for one future. (Trio has none.)"""
import asyncio

from oracle import pause


async def on_asyncio():
    future = asyncio.get_running_loop().create_future()

    async def looks():
        return await future

    lookers = [asyncio.create_task(looks()) for _ in range(7)]
    await pause(asyncio)
    future.set_result(33)
    results = [await looker for looker in lookers]
    return "same" if results == [33] * 7 and await future == 33 else "differ"
