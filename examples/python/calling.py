"""Calling a coroutine function runs none of its body. Python warns, Rust too."""


async def task_async(name):
    print(f"{name} starting")


print("before the call")
coroutine = task_async("Task A")
print("after the call", flush=True)
del coroutine
print("after the drop")
