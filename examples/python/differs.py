"""Five things that asyncio does in another way than Rust. The counterpart is differs.rs."""

import asyncio


async def say(what):
    print("  " + what)


async def equal_deadlines():
    loop = asyncio.get_running_loop()
    order = []
    when = loop.time() + 0.01
    for number in range(6):
        loop.call_at(when, order.append, number)
    await asyncio.sleep(0.05)
    print(f"  {order}")


async def made_together():
    loop = asyncio.get_running_loop()
    start = loop.time()
    first, second = asyncio.sleep(0.2), asyncio.sleep(0.1)
    await first
    await second
    print(f"  {loop.time() - start:.2f} s")


async def gather_or_join():
    spawned = asyncio.create_task(say("spawned before"))
    await asyncio.gather(say("first side"), say("second side"))
    await spawned


async def inner():
    try:
        await asyncio.sleep(0.2)
        print("  the inner task was done")
    except asyncio.CancelledError:
        print("  the inner task was cancelled")
        raise


async def cancel_the_waiting():
    inner_task = asyncio.create_task(inner())

    async def outer():
        await inner_task

    outer_task = asyncio.create_task(outer())
    await asyncio.sleep(0.01)
    outer_task.cancel()
    await asyncio.sleep(0.3)


async def stubborn():
    try:
        await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        print("  cancelled, and I go on")
    await asyncio.sleep(0.2)
    print("  I am done")


async def cancel_the_stubborn():
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.5)


print("six timers for one instant:")
asyncio.run(equal_deadlines())
print("sleeps of 0.2 s and 0.1 s are made, and then awaited in turn:")
asyncio.run(made_together())
print("a spawned task, and two that are joined:")
asyncio.run(gather_or_join())
print("a task is cancelled that awaits another:")
asyncio.run(cancel_the_waiting())
print("a task is cancelled that does not want to be:")
asyncio.run(cancel_the_stubborn())
