"""Two tasks at once on one thread: 2 s and 1 s take 2 s."""

import asyncio
import time


async def task_async(name, delay):
    print(f"{name} starting")
    await asyncio.sleep(delay)
    print(f"{name} done")


async def main():
    await asyncio.gather(task_async("Task A", 2), task_async("Task B", 1))


start = time.perf_counter()
asyncio.run(main())
print(f"Total: {time.perf_counter() - start:.2f} s")
