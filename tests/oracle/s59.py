"""S59: a job for a thread is cancelled before it starts, and one while it runs."""
import asyncio
import concurrent.futures
import threading

import trio

from oracle import pause

real_clock = True


class Jobs:
    def __init__(self):
        self.running, self.may_end = threading.Event(), threading.Event()
        self.second_ran = self.ended = False

    def first(self):
        self.running.set()
        self.may_end.wait()
        self.ended = True

    def second(self):
        self.second_ran = True

    def verdict(self, waited_for):
        return "+".join(["starts" if self.second_ran else "never-starts",
                         "waited-for" if waited_for else "left-running"])


async def on_asyncio():
    jobs, loop = Jobs(), asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        async def runs(job):
            await loop.run_in_executor(pool, job)

        first = asyncio.create_task(runs(jobs.first))
        while not jobs.running.is_set():
            await asyncio.sleep(0.001)
        second = asyncio.create_task(runs(jobs.second))
        await pause(asyncio)
        second.cancel()
        await asyncio.wait([second])
        first.cancel()
        await pause(asyncio)
        waited_for = not first.done()
        jobs.may_end.set()
        await asyncio.wait([first])
    return jobs.verdict(waited_for)


async def on_trio():
    jobs, one, scopes, done = Jobs(), trio.CapacityLimiter(1), {}, []

    async def runs(number, job):
        with trio.CancelScope() as scopes[number]:
            await trio.to_thread.run_sync(job, limiter=one)
        done.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(runs, 1, jobs.first)
        while not jobs.running.is_set():
            await trio.sleep(0.001)
        nursery.start_soon(runs, 2, jobs.second)
        await pause(trio)
        scopes[2].cancel()
        scopes[1].cancel()
        await pause(trio)
        waited_for = 1 not in done
        jobs.may_end.set()
    return jobs.verdict(waited_for)
