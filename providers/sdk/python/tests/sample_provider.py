"""A provider that the tests run as a child process. Its contract has an operation for each test."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trellis_provider import (
    Binding,
    Call,
    Contract,
    Histogram,
    Listening,
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

ASKED = ("Echo", "Typed", "Nothing", "State", "About", "Meet", "Hang", "Block", "Fail", "Relay")
TEST = Contract(
    "test:sample",
    [
        *(Operation(name, f"{name}.") for name in (*ASKED, "Log")),
        Operation("Moved", "M.", "to_actor"),
    ],
    aliases=["old:sample"],
)


@dataclass
class Shape:
    shape_name: str
    height: float


@dataclass
class Relay:
    size: int = 1
    timeout: float | None = None


def read(values: Values) -> tuple[float, int]:
    limit = values.integer("LIMIT")
    if limit == 13:
        raise WrongValue("LIMIT", "LIMIT must not be 13", "take 12")
    return values.duration("TTL"), limit


class Sample_(Provider):
    name = "sample"
    version = "1.2.3"
    doc = "For tests." + "." * int(os.environ.get("DOC_BYTES", "0"))
    contracts = [TEST]
    settings = [
        Setting("TTL", "How long.", "duration", default="5s"),
        Setting("LIMIT", "How many.", {"integer": {"min": 1, "max": 99}}, default="7"),
        Setting("FILE", "Where.", {"path": [":memory:"]}, scope="provider", exclusive=True),
        Setting("CITY", "Which one.", plain=True),
    ]

    def check(self, wanted: Wanted) -> Sequence[Problem]:
        return wanted.problems(read)

    async def create(self, values: Values) -> None:
        read(values)
        self.ill: str | None = None
        self.state: dict[str, Any] = {"created": values, "unbound": []}
        self.meeting = asyncio.Barrier(100)

    async def bind(self, binding: Binding) -> None:
        read(binding.values)

    async def unbind(self, binding: Binding) -> None:
        self.state["unbound"].append(binding.id)

    async def health(self) -> str | None:
        if self.ill == "raise":
            raise RuntimeError("no pulse")
        return self.ill

    def addresses(self) -> Sequence[Listening]:
        return [Listening(7, "127.0.0.1:80", "http://127.0.0.1:80/")]

    def samples(self) -> Sequence[Sample]:
        return [
            Sample("things", "Things", {"counter": 7}, labels=[("kind", "a")]),
            Sample("level", "Level", {"gauge": -3}, unit="bytes"),
            Sample("time", "Time", {"histogram": Histogram([(0.5, 1), (None, 2)], 9)}),
        ]

    async def close(self) -> None:
        print("close")

    @handles(TEST, "Echo")
    async def echo(self, request: bytes, call: Call) -> bytes:
        return request

    @handles(TEST, "Typed")
    async def typed(self, request: Shape, call: Call) -> Shape:
        return request

    @handles(TEST, "Nothing")
    async def nothing(self, request: None, call: Call) -> None:
        return request

    @handles(TEST, "State")
    async def tell_state(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        self.ill = request.get("ill")
        return self.state

    @handles(TEST, "About")
    async def about(self, request: None, call: Call) -> dict[str, Any]:
        binding = call.binding
        return {
            "binding": [binding.actor, binding.actor_name, binding.name, binding.payload_bytes_max],
            "values": binding.values,
            "left": call.deadline - asyncio.get_running_loop().time(),
            "trace": call.trace,
            "token": os.environ.get("TRELLIS_PROVIDER_TOKEN"),
        }

    @handles(TEST, "Meet")
    async def meet(self, request: None, call: Call) -> None:
        await self.meeting.wait()

    @handles(TEST, "Hang")
    async def hang(self, request: bool, call: Call) -> None:
        print("hangs")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("cancelled")
            if request:
                raise

    @handles(TEST, "Block")
    async def block(self, request: None, call: Call) -> None:
        print("blocks")
        await asyncio.to_thread(threading.Event().wait)

    @handles(TEST, "Fail")
    async def fail(self, request: str, call: Call) -> Any:
        match request:
            case "code":
                raise ProviderError("E_QUOTA", "too\nmuch")
            case "raise":
                raise LookupError("first line\nsecond line")
            case "exit":
                raise SystemExit(3)
            case "surrogate":
                raise ProviderError("E_RANGE", "\ud800" + "x" * (20 << 20))
            case "cancelled":
                raise asyncio.CancelledError
            case "unencodable":
                return {"what": self}
            case "huge":
                return bytes(18 << 20)

    @handles(TEST, "Relay")
    async def relay(self, request: Relay, call: Call) -> bytes:
        message = b"x" * request.size
        options: Any = {"timeout": request.timeout, "trace": call.trace}
        try:
            return await self.host.invoke(call.binding, "Moved", message, bytes, **options)
        except ProviderError as error:
            print(error.code)
            raise

    @handles(TEST, "Log")
    async def log(self, request: None, call: Call) -> None:
        logging.debug("a debug line")
        logging.info("an info line")
        logging.warning("two\nlines")
        thread = threading.Thread(target=logging.error, args=("from a thread \ud800",))
        thread.start()
        thread.join()


if __name__ == "__main__":
    run(Sample_(), log_level=logging.DEBUG)
