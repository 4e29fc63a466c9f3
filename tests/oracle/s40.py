"""S40: a future is fulfilled twice. (Trio has none.)"""
import asyncio


async def on_asyncio():
    future = asyncio.get_running_loop().create_future()
    future.set_result(4)
    try:
        future.set_result(5)
    except asyncio.InvalidStateError:
        return "refused"
    return "taken"
