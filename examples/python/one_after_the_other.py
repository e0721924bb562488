"""The first warning: async code that awaits one thing after another is as slow as before."""

import asyncio
import time


async def task_async(name, delay):
    print(f"{name} starting")
    await asyncio.sleep(delay)
    print(f"{name} done")


async def one_after_the_other():
    await task_async("Task A", 2)
    await task_async("Task B", 1)


start = time.perf_counter()
asyncio.run(one_after_the_other())
print(f"Total: {time.perf_counter() - start:.2f} s")
