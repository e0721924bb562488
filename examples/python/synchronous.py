"""One task after the other: 2 s and 1 s take 3 s."""

import time


def task_sync(name, delay):
    print(f"{name} starting")
    time.sleep(delay)
    print(f"{name} done")


start = time.perf_counter()
task_sync("Task 1", 2)
task_sync("Task 2", 1)
print(f"Total: {time.perf_counter() - start:.2f} s")
