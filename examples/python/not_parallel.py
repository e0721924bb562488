"""The third warning: concurrent is not parallel. Two computations take as long as two."""

import asyncio
import time


def compute():
    total = 0
    for number in range(4_000_000):
        total += number
    return total


async def task(name):
    print(f"{name} starting")
    compute()
    print(f"{name} done")


async def one_after_the_other():
    await task("Task 1")
    await task("Task 2")


async def gathered():
    await asyncio.gather(task("Task A"), task("Task B"))


def measure(main):
    start = time.perf_counter()
    asyncio.run(main())
    return time.perf_counter() - start


one = measure(one_after_the_other)
both = measure(gathered)
as_long = "yes" if 0.7 < both / one < 1.4 else "no"
print(f"gathered, as long as one after the other: {as_long}")
