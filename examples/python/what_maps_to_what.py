"""The asyncio column of the table in chapter 12: a function for each row."""

import asyncio
import threading
import time


HOUR = 3_600_000


async def after(delay_ms, output=None):
    await asyncio.sleep(delay_ms / 1000)
    return output


def run_the_program():
    async def program():
        return 42

    print(f"run the program: {asyncio.run(program())}")


async def start_a_task():
    async def task():
        print("start a task: it runs when its turn comes")

    started = asyncio.create_task(task())
    print("start a task: it is queued")
    await started


async def wait_for_all_of_these():
    outputs = await asyncio.gather(after(20, 1), after(10, 2))
    print(f"wait for all of these: {tuple(outputs)}")


async def wait_for_the_first():
    slow = asyncio.create_task(after(HOUR, "the slow one"))
    fast = asyncio.create_task(after(10, "the fast one"))
    done, _ = await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
    slow.cancel()
    print(f"wait for the first: {done.pop().result()}")


async def take_outcomes_as_they_come():
    tasks = [after(delay, delay) for delay in [60, 20, 40]]
    outcomes = [await outcome for outcome in asyncio.as_completed(tasks)]
    print(f"take outcomes as they come: {outcomes}")


async def a_group_of_tasks():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(after(1, number)) for number in [1, 2, 3]]
    print(f"a group of tasks: {sum(task.result() for task in tasks)}")


async def sleep():
    start = time.perf_counter()
    await asyncio.sleep(0.01)
    assert time.perf_counter() - start > 0.009
    print("sleep: not less than asked for")


async def set_a_time_limit():
    try:
        await asyncio.wait_for(after(HOUR), 0.01)
    except TimeoutError:
        print("set a time limit: the time was up")


async def let_others_go_first():
    order = ["I"]

    async def other():
        order.append("another")

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    order.append("I again")
    await task
    print(f"let others go first: {', '.join(order)}")


async def call_what_blocks():
    there = await asyncio.to_thread(threading.get_ident)
    assert there != threading.get_ident()
    print("call what blocks: on another thread")


async def stop_a_task():
    state = "alive"

    async def waits():
        nonlocal state
        try:
            await after(HOUR)
        finally:
            state = "dropped"

    task = asyncio.create_task(waits())
    await after(10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    print(f"stop a task: its future is {state}")


async def notice_a_panic():
    async def fails():
        raise RuntimeError("on purpose")

    task = asyncio.create_task(fails())
    noticed = False
    try:
        await task
    except RuntimeError:
        noticed = True
    print(f"notice a panic: {str(noticed).lower()}")


references = set()


async def let_a_task_run_on_alone():
    state = "at its start"

    async def task():
        nonlocal state
        await after(10)
        state = "at its end"

    references.add(asyncio.create_task(task()))  # keep a reference to it
    looks = iter(range(1000))
    while state != "at its end" and next(looks, None) is not None:
        await after(1)
    print(f"let a task run on alone: {state}")


async def pass_values_on():
    queue = asyncio.Queue(1)

    async def sends():
        for number in [1, 2, 3]:
            await queue.put(number)

    async def receives():
        return [await queue.get() for _ in range(3)]

    _, numbers = await asyncio.gather(sends(), receives())
    print(f"pass values on: {numbers}")


async def lock():
    number = 0
    guard = asyncio.Lock()

    async def add():
        nonlocal number
        async with guard:
            old = number
            await after(1)
            number = old + 1

    await asyncio.gather(add(), add())
    print(f"lock: {number}")


async def main():
    await start_a_task()
    await wait_for_all_of_these()
    await wait_for_the_first()
    await take_outcomes_as_they_come()
    await a_group_of_tasks()
    await sleep()
    await set_a_time_limit()
    await let_others_go_first()
    await call_what_blocks()
    await stop_a_task()
    await notice_a_panic()
    await let_a_task_run_on_alone()
    await pass_values_on()
    await lock()


run_the_program()
asyncio.run(main())
print("test without waiting: -")
