"""S41: the order of gathered results. (Trio gathers none.)"""
import asyncio


async def on_asyncio():
    turn = [2, 3, 0, 1]
    events = [asyncio.Event() for _ in range(5)]

    async def ends_in_turn(number):
        await events[turn[number]].wait()
        events[turn[number] + 1].set()
        return 10 + number

    events[0].set()
    results = await asyncio.gather(*(ends_in_turn(i) for i in range(4)))
    return "argument-order" if results == [10, 11, 12, 13] else "other-order"
