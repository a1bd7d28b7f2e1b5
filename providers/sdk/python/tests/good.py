"""The provider that the host's own tests start, with an operation for what can go wrong in one.

Each SDK has one; they must behave alike.
"""

import asyncio
import os
import signal
from typing import Any

from trellis_provider import (
    Binding,
    Call,
    Contract,
    Operation,
    Problem,
    Provider,
    ProviderError,
    Sample,
    Setting,
    Values,
    Wanted,
    WrongValue,
    handles,
    run,
)

NAMES = "Echo Greet Sleep Cancelled Panic Fail Fill Read Hang Exit Invoke"
GOOD = Contract("test:good", [Operation(name, "Does it.") for name in NAMES.split()])


def greeting_of(values: Values) -> str:
    greeting = values.get("GREETING", "")
    if greeting == "wrong":
        raise WrongValue("GREETING", "GREETING is\nwrong", "greet")
    return greeting


class Good(Provider):
    name = "good"
    version = "1.0.0"
    doc = "For tests."
    contracts = [GOOD]
    settings = [Setting("GREETING", "A greeting.")]

    def __init__(self) -> None:
        self.greetings: dict[int, str] = {}
        self.cancelled = 0

    def check(self, wanted: Wanted) -> list[Problem]:
        return wanted.problems(greeting_of)

    async def bind(self, binding: Binding) -> None:
        if binding.values.get("GREETING") == "wrong":
            raise ProviderError("E_CONFIG", "GREETING is wrong")
        self.greetings[binding.id] = binding.values.get("GREETING", "")

    async def unbind(self, binding: Binding) -> None:
        del self.greetings[binding.id]

    @handles(GOOD, "Echo")
    async def echo(self, payload: bytes, call: Call) -> bytes:
        return payload

    @handles(GOOD, "Greet")
    async def greet(self, payload: bytes, call: Call) -> bytes:
        return self.greetings[call.binding.id].encode()

    @handles(GOOD, "Sleep")
    async def sleep(self, payload: bytes, call: Call) -> bytes:
        try:
            await asyncio.sleep(int(payload) / 1000)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return payload

    @handles(GOOD, "Cancelled")
    async def count_cancelled(self, payload: bytes, call: Call) -> bytes:
        return str(self.cancelled).encode()

    @handles(GOOD, "Panic")
    async def panic(self, payload: bytes, call: Call) -> bytes:
        raise RuntimeError("as it was asked to")

    @handles(GOOD, "Fail")
    async def fail(self, payload: bytes, call: Call) -> bytes:
        raise ProviderError("E_NOT_FOUND", payload.decode())

    @handles(GOOD, "Fill")
    async def fill(self, payload: bytes, call: Call) -> bytes:
        return b"x" * int(payload)

    @handles(GOOD, "Read")
    async def read(self, payload: bytes, call: Call) -> bytes:
        with open(payload, "rb") as file:
            return file.read()

    @handles(GOOD, "Hang")
    async def hang(self, payload: bytes, call: Call) -> bytes:
        os.kill(os.getpid(), signal.SIGSTOP)
        return await self.never()

    @handles(GOOD, "Exit")
    async def exit(self, payload: bytes, call: Call) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return await self.never()

    @handles(GOOD, "Invoke")
    async def invoke(self, payload: bytes, call: Call) -> bytes:
        return await self.host.invoke(call.binding, "Double", payload, bytes)

    async def never(self) -> Any:
        await asyncio.get_running_loop().create_future()

    async def health(self) -> str:
        return "it is a test"

    def samples(self) -> list[Sample]:
        return [Sample("greetings", "Greetings", {"gauge": len(self.greetings)})]


if __name__ == "__main__":
    run(Good())
