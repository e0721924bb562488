"""The second warning: a call that blocks, inside async code, blocks the whole loop."""

import asyncio
import time


async def blocks(name, delay):
    print(f"{name} starting")
    time.sleep(delay)
    print(f"{name} done")


async def awaits(name, delay):
    print(f"{name} starting")
    await asyncio.to_thread(time.sleep, delay)
    print(f"{name} done")


async def wants_10_ms(start):
    await asyncio.sleep(0.01)
    print(f"Task C done: wanted 0.01 s, got {time.perf_counter() - start:.2f} s")


async def run(task):
    start = time.perf_counter()
    c = asyncio.create_task(wants_10_ms(start))
    a = asyncio.create_task(task("Task A", 2))
    b = asyncio.create_task(task("Task B", 1))
    await asyncio.gather(c, a, b)
    print(f"Total: {time.perf_counter() - start:.2f} s")


print("time.sleep in async code:")
asyncio.run(run(blocks))
print("\ntime.sleep in asyncio.to_thread:")
asyncio.run(run(awaits))
