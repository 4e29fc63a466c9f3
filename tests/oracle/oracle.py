"""What the scenarios of this folder share: words for what happened.

Each file sNN.py plays the scenario of statement NN of docs/semantics.md with asyncio and with Trio,
and returns a word, or several joined with "+", made from what happened. The C test of the same
statement (tests/semantics) says a word too, and tests/oracle/run compares them. A file without
on_trio (or on_asyncio) is about something that Trio (or asyncio) does not have.
"""
import asyncio

import trio

FOREVER = 1e9


def word(error):
    """The word for how something ended: None is a value."""
    if error is None:
        return "value"
    if contains(error, OSError, besides=TimeoutError):
        return "failure"
    if contains(error, (TimeoutError, trio.TooSlowError)):
        return "timed-out"
    if contains(error, (asyncio.CancelledError, trio.Cancelled)):
        return "cancelled"
    return "error"


def contains(error, kind, besides=()):
    if isinstance(error, BaseExceptionGroup):
        return any(contains(each, kind, besides) for each in error.exceptions)
    return isinstance(error, kind) and not isinstance(error, besides)


async def outcome(awaitable):
    """Awaits, and gives the word for how that ended. Takes a cancellation, so use it last."""
    try:
        await awaitable
    except BaseException as error:
        return word(error)
    return "value"


def outcome_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return word(error)
    return "value"


async def trio_sleep(seconds=FOREVER):
    await trio.sleep(seconds)


async def pause(library, rounds=20):
    """Lets the other tasks run for a while."""
    for _ in range(rounds):
        await library.sleep(0)
