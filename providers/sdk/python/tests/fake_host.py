"""The host's side of the protocol, for tests: a Unix socket and a child process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import msgpack

SDK = Path(__file__).resolve().parent.parent
SAMPLE = SDK / "tests" / "sample_provider.py"
GEO = SDK / "examples" / "geo.py"
# Longest wait for anything, so that a failed test ends.
PATIENCE = 10

Frame = dict[str, Any]


def framed(message: object) -> bytes:
    body: bytes = msgpack.packb(message)
    return len(body).to_bytes(4, "big") + body


class FakeHost:
    """Starts a provider and speaks with it. To be used with ``async with``."""

    def __init__(self, program: Path = SAMPLE, invokes_max: int = 8, **environment: str) -> None:
        self.program = program
        self.invokes_max = invokes_max
        self.environment = {**os.environ, "PYTHONPATH": str(SDK), "PYTHONWARNINGS": "always"}
        self.environment |= {"TRELLIS_PROVIDER_TOKEN": "secret", **environment}
        # It would hide that printed lines wait in a buffer.
        self.environment.pop("PYTHONUNBUFFERED", None)
        self.logs: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.invokes: asyncio.Queue[Frame] = asyncio.Queue()
        self.answers: dict[int, asyncio.Future[Frame]] = {}
        self.unexpected: list[Frame] = []
        self.ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory()
        path = f"{self.folder.name}/s"
        came: asyncio.Queue[Any] = asyncio.Queue()
        self.server = await asyncio.start_unix_server(lambda *it: came.put_nowait(it), path)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self.program),
            env={**self.environment, "TRELLIS_PROVIDER_SOCKET": path},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.reader, self.writer = await asyncio.wait_for(came.get(), PATIENCE)
        self.frames = self.read()
        self.hello: Frame = await anext(self.frames)
        self.reading = asyncio.create_task(self.sort())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reading.cancel()
        self.writer.close()
        self.server.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()
        self.folder.cleanup()

    async def read(self) -> Any:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await self.reader.readexactly(4), "big")
                yield msgpack.unpackb(await self.reader.readexactly(length))

    async def sort(self) -> None:
        async for frame in self.frames:
            if frame["t"] == "log":
                self.logs.put_nowait((frame["level"], frame["message"]))
            elif frame["t"] in ("invoke", "cancel"):
                self.invokes.put_nowait(frame)
            elif frame["id"] in self.answers:
                self.answers.pop(frame["id"]).set_result(frame)
            else:
                self.unexpected.append(frame)

    def send(self, *frames: Frame) -> None:
        self.writer.write(b"".join(map(framed, frames)))

    def ask(self, **frame: Any) -> tuple[int, asyncio.Future[Frame]]:
        id = next(self.ids)
        answer = self.answers[id] = asyncio.get_running_loop().create_future()
        self.send({"unknownKey": [1], **frame, "id": id})
        return id, answer

    async def answer(self, **frame: Any) -> Frame:
        answer = await asyncio.wait_for(self.ask(**frame)[1], PATIENCE)
        del answer["id"]
        return answer

    async def create(self, **values: str) -> Frame:
        return await self.answer(t="create", values=values, invokesMax=self.invokes_max)

    async def bind(self, id: int = 7, contract: str = "test:sample", **values: str) -> Frame:
        binding = {"id": id, "actor": "MACTOR", "actorName": "counter", "contract": contract}
        binding |= {"name": "default", "payloadBytesMax": 1 << 20, "values": values}
        return await self.answer(t="bind", binding=binding)

    async def ready(self) -> None:
        assert await self.create() == {"t": "ready"}
        assert await self.bind() == {"t": "result"}

    def start(
        self, operation: str, message: object = None, **more: Any
    ) -> tuple[int, asyncio.Future[Frame]]:
        payload = b"" if message is None else msgpack.packb(message)
        frame = {"binding": 7, "payload": payload, "deadlineMs": 5000, "trace": None, **more}
        return self.ask(t="call", operation=operation, **frame)

    async def call(self, operation: str, message: object = None, **more: Any) -> Any:
        """What a call is answered with; of an error, its code and its message."""
        answer = await asyncio.wait_for(self.start(operation, message, **more)[1], PATIENCE)
        if "error" in answer:
            return answer["error"]["code"], answer["error"]["message"]
        return msgpack.unpackb(answer["payload"]) if answer["payload"] else None

    async def invoked(self) -> Frame:
        return await asyncio.wait_for(self.invokes.get(), PATIENCE)

    async def logged(self) -> tuple[str, str]:
        return await asyncio.wait_for(self.logs.get(), PATIENCE)

    async def printed(self, line: str) -> None:
        """Waits until the process has printed this line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while (read := await self.process.stdout.readline()).strip() != line.encode():
                assert read, f"it ended before it printed {line}"

    async def end(self) -> tuple[int | None, str, str]:
        """The exit code of the process, and what it still printed."""
        out, err = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        return self.process.returncode, out.decode(), err.decode()
