"""The second warning: a blocking call inside async code blocks the whole loop."""

import asyncio
import time


async def blocking(name, delay):
    print(f"{name} starting")
    time.sleep(delay)
    print(f"{name} done")


async def in_a_thread(name, delay):
    print(f"{name} starting")
    await asyncio.to_thread(time.sleep, delay)
    print(f"{name} done")


async def short(start):
    await asyncio.sleep(0.01)
    print(f"a sleep of 0.01 s ended after {time.perf_counter() - start:.2f} s")


async def run(task):
    start = time.perf_counter()
    await asyncio.gather(short(start), task("Task A", 2), task("Task B", 1))
    print(f"total {time.perf_counter() - start:.2f} s")


print("time.sleep:")
asyncio.run(run(blocking))
print("time.sleep in a thread of its own:")
asyncio.run(run(in_a_thread))
