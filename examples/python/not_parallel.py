"""The third warning: concurrent is not parallel. Two computations take as long as two."""

import asyncio
import threading
import time


def count_primes(name, start):
    begin = time.perf_counter() - start
    primes = 0
    for n in range(2, 30_000):
        if all(n % d for d in range(2, int(n**0.5) + 1)):
            primes += 1
    end = time.perf_counter() - start
    thread = threading.current_thread().name
    print(f"  {name}: {primes} primes, from {begin:.2f} s to {end:.2f} s on thread {thread}")


async def count_primes_async(name, start):
    count_primes(name, start)


async def gathered(start):
    await asyncio.gather(count_primes_async("A", start), count_primes_async("B", start))


print("two calls:")
start = time.perf_counter()
count_primes("A", start)
count_primes("B", start)
print(f"  total {time.perf_counter() - start:.2f} s")

print("concurrent, on one thread: no faster:")
start = time.perf_counter()
asyncio.run(gathered(start))
print(f"  total {time.perf_counter() - start:.2f} s")
