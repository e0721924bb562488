"""Runs programs of tasks on asyncio, under virtual time, and prints what they say.

A line of the input is one program, in JSON: a list of tasks, each a list of steps. A line of the
output is what that program said. `tests/asyncio_agrees.rs` makes the programs, runs them on
watchglass too, and compares.
"""

import asyncio
import json
import sys
import warnings

# A task that is cancelled before it has begun: here that is meant.
warnings.filterwarnings("ignore", message="coroutine .* was never awaited")


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, with a clock that stands still while anything is ready.

    Time is a whole number of nanoseconds. When nothing is ready, the loop asks its selector to wait
    for the next timer. This one does not wait: it moves the clock.
    """

    def __init__(self):
        super().__init__()
        self.now = 0
        # A timer is due when its time is less than now plus this.
        self._clock_resolution = 1
        self._selector = self

    def time(self):
        return self.now

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("nothing can ever happen again")
        if timeout > 0:
            self.now = self._scheduled[0].when()
        return []

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


class Program:
    def __init__(self, loop, tasks):
        self.loop = loop
        self.tasks = tasks
        self.handles = {}
        self.said = []
        self.over = False

    def say(self, who, what):
        if not self.over:
            self.said.append(f"{self.loop.time()} {who} {what}")

    async def run(self, who):
        finished = False
        try:
            for number, (step, value) in enumerate(self.tasks[who]):
                self.say(who, f"{number} {step} {value}")
                if step == "yield":
                    await asyncio.sleep(0)
                elif step == "sleep":
                    await asyncio.sleep(value)
                elif step == "spawn":
                    self.handles[value] = self.loop.create_task(self.run(value))
                elif step == "abort":
                    if value in self.handles:
                        self.handles[value].cancel()
                elif step == "join":
                    await self.join(who, value)
            finished = True
        finally:
            self.say(who, "done" if finished else "dropped")

    async def join(self, who, whom):
        handle = self.handles.pop(whom, None)
        if handle is None:
            self.say(who, "no handle")
            return
        try:
            await handle
            self.say(who, f"{whom} was done")
        except asyncio.CancelledError:
            self.say(who, f"{whom} was cancelled")


def run(tasks):
    loop = VirtualTimeLoop()
    program = Program(loop, tasks)

    async def main():
        await program.run(0)
        program.over = True

    loop.run_until_complete(main())
    # What is left is dropped. Python would complain about it.
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()
    return program.said


for line in sys.stdin:
    print("|".join(run(json.loads(line))))
