"""Capability providers for a Trellis host, in Python.

A provider is a program that a host starts and talks to over a Unix socket: a subclass of
`Provider`, given to `run`. The type of a handler's request decides what the handler is given: a
dataclass is checked field by field, where ``user_name`` in Python is ``userName`` in the message;
``dict[str, Any]`` is the decoded message, ``bytes`` the payload as it came, and ``None`` nothing.
It returns one of the same, or raises `ProviderError`; any other exception is answered with
``E_PROVIDER``.

Each call is a task of its own, so a handler must not block the event loop; ``asyncio.to_thread``
takes work that does. A call that the host cancels raises ``asyncio.CancelledError`` in its handler.
All times are seconds. What a provider logs with `logging` goes to the host's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import io
import itertools
import logging
import os
import re
import signal
import sys
import threading
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn, TypeVar

import msgpack

_PROTOCOL = 1
_FRAME_BYTES_MAX = (17 << 20) + (64 << 10)
_HELLO_BYTES_MAX = 1 << 20
# Unread bytes above which a log is dropped: it must not fill the memory.
_LOG_BACKLOG_MAX = 1 << 20
_LOG_TEXT_MAX = 64 << 10
_ERROR_TEXT_MAX = 1 << 10
# Time to end when the host is gone or the process is terminated.
_ORPHAN_GRACE = 2.0
# Part of the time to end in which calls may finish; `close` and the last bytes have the rest.
_CALLS_SHARE = 0.8

_Fields = dict[str, object]
_Request = Callable[..., Awaitable[_Fields]]
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Awaitable[object]])

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class ProviderError(Exception):
    """A failure that the other side is told with this code, such as ``E_NOT_FOUND``."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(eq=False)
class WrongValue(Exception):
    """A value of the manifest that cannot be used: ``E_CONFIG``.

    The message names the key and does not repeat the text, which may be a secret.
    """

    key: str
    message: str
    help: str | None = None
    """What to do, when the message alone does not say."""

    def __str__(self) -> str:
        return f"{self.message}; {self.help}" if self.help else self.message


# What a provider says about itself


@dataclass(frozen=True)
class Operation:
    """One request of a contract."""

    name: str
    doc: str
    direction: Literal["to_provider", "to_actor"] = "to_provider"
    idempotent: bool = False
    """Asking twice is like asking once: the host may repeat a request that got no answer."""


@dataclass(frozen=True)
class Contract:
    """What an actor may ask of a provider, and a provider of an actor."""

    id: str
    operations: Sequence[Operation]
    aliases: Sequence[str] = ()


@dataclass(frozen=True)
class Setting:
    """One value of the manifest. The host checks its form before the provider is given it.

    Beside the plain kinds there are ``{"integer": {"min": 0, "max": 9}}``, ``{"choice": [WORD]}``
    and ``{"path": [WORD]}``, whose words are no paths (``:memory:``).
    """

    key: str
    doc: str
    kind: Literal["text", "boolean", "duration", "size"] | Mapping[str, object] = "text"
    scope: Literal["provider", "binding", "both"] = "both"
    default: str | None = None
    exclusive: bool = False
    """Only one instance may hold what the value names, such as a file."""
    plain: bool = False
    """Its value is no secret although it is any text: whoever looks at the host may see it."""


class Values(dict[str, str]):
    """Values of the manifest, by their keys.

    The typed getters raise `WrongValue` when the value is missing or has another form. Ask with
    ``in`` first when a value is optional and has no default.
    """

    def __repr__(self) -> str:
        # The texts may be secrets.
        return f"Values({', '.join(self)})"

    def text(self, key: str) -> str:
        """The text under `key`."""
        return self._read(key, "given", str)

    def integer(self, key: str) -> int:
        """A whole number from 0."""
        return self._number(key, "a whole number", {"": 1})

    def boolean(self, key: str) -> bool:
        """``true`` or ``false``."""
        return self._read(key, "`true` or `false`", {"true": True, "false": False}.get)

    def duration(self, key: str) -> float:
        """A span of time such as ``500ms``, ``5s`` or ``1m``, in seconds."""
        units = {"ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000}
        return self._number(key, "a time such as `500ms` or `5s`", units) / 1000

    def size(self, key: str) -> int:
        """A size such as ``512``, ``16KiB`` or ``64MiB``, in bytes."""
        units = {"": 1, "B": 1, "KB": 10**3, "kB": 10**3, "MB": 10**6, "GB": 10**9}
        units |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
        return self._number(key, "a size such as `64KiB` or `16MiB`", units)

    def _number(self, key: str, form: str, units: Mapping[str, int]) -> int:
        def parse(text: str) -> int | None:
            # At most 20 digits: what is longer is no u64, and slow to read.
            match = re.fullmatch(r"\s*\+?([0-9]{1,20})\s*([A-Za-z]*)\s*", text)
            if match is None or match[2] not in units:
                return None
            number = int(match[1]) * units[match[2]]
            return number if number < 2**64 else None

        return self._read(key, form, parse)

    def _read(self, key: str, form: str, parse: Callable[[str], T | None]) -> T:
        value = parse(self[key]) if key in self else None
        if value is None:
            raise WrongValue(key, f"{key} must be {form}")
        return value


@dataclass(frozen=True)
class Binding:
    """One actor's use of the provider."""

    id: int
    actor: str
    """The actor's public key."""
    actor_name: str
    """The actor's name, for logs."""
    contract: str
    name: str
    payload_bytes_max: int
    values: Values
    """The values of the binding over those of the provider, over the defaults."""


@dataclass(frozen=True)
class Call:
    """What is known of a call beside its request."""

    binding: Binding
    operation: str
    deadline: float
    """When the caller stops waiting, for ``asyncio.timeout_at``."""
    trace: str | None
    """The request the call belongs to, as the value of a ``traceparent`` header."""


@dataclass(frozen=True)
class WantedBinding:
    """A binding that a manifest wants, with its own values alone."""

    actor: str
    contract: str
    name: str
    values: Values


Reading = Callable[[Values], object]


@dataclass(frozen=True)
class Wanted:
    """All that a manifest wants of a provider."""

    values: Values
    bindings: list[WantedBinding]
    defaults: Values = dataclasses.field(default_factory=Values)
    """Those of the settings, which stand below all."""

    def problems(self, read: Reading, read_binding: Reading | None = None) -> list[Problem]:
        """Everything that the functions refuse with which `create` and `bind` read their values.

        The second may be left out when it is the same. What is wrong under the provider is not
        told again for each binding.
        """
        found = [Problem(error) for error in self._mistakes(self.values, read)]
        told = {problem.error.key for problem in found}
        below = {key: text for key, text in self.values.items() if key not in told}
        for index, binding in enumerate(self.bindings):
            for error in self._mistakes({**below, **binding.values}, read_binding or read):
                if error.key in binding.values or error.key not in told:
                    found.append(Problem(error, {"binding": index}))
        return found

    def _mistakes(self, values: Mapping[str, str], read: Reading) -> Iterator[WrongValue]:
        """Reads the values; after a mistake again without it, to find them all."""
        told: set[str] = set()
        while True:
            try:
                given = {key: text for key, text in values.items() if key not in told}
                read(Values({**self.defaults, **given}))
                return
            except WrongValue as error:
                if error.key in told:
                    return
                told.add(error.key)
                yield error


@dataclass(frozen=True)
class Problem:
    """A wrong value of the provider, or of the binding with this index in ``Wanted.bindings``."""

    error: WrongValue
    place: Literal["provider"] | Mapping[Literal["binding"], int] = "provider"


@dataclass(frozen=True)
class Listening:
    """An address at which the provider takes work from outside for a binding."""

    binding: int
    address: str
    """The IP address and port: ``127.0.0.1:8081``."""
    url: str
    """What to open to reach the actor."""


@dataclass(frozen=True)
class Histogram:
    """How often a measurement fell where, and the sum of all measurements.

    The buckets are upper bounds, each with how many fell into it alone; the last bound is None.
    """

    buckets: Sequence[tuple[float | None, int]]
    sum: float


@dataclass(frozen=True)
class Sample:
    """One measured value. Samples of one name must agree in kind, unit and help."""

    name: str
    """Without unit, ``_total`` and the host's prefix."""
    help: str
    """One sentence without a full stop."""
    value: Mapping[str, int | Histogram]
    """``{"counter": 1}``, which only ever grows, ``{"gauge": 1}`` or ``{"histogram": ...}``."""
    unit: str | None = None
    labels: Sequence[tuple[str, str]] = ()


# The provider


class Provider:
    """What an author writes: a subclass with the class variables below and its handlers.

    Every method may be left out. Nothing is called before `create` returned, except `check`.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    doc: ClassVar[str]
    """One sentence for people."""
    contracts: ClassVar[Sequence[Contract]]
    settings: ClassVar[Sequence[Setting]] = ()
    stateful: ClassVar[bool] = False
    """True when it keeps data by the actor's key."""

    host: Host
    """The way to the actors; there from `create` on."""

    async def create(self, values: Values) -> None:
        """Starts the provider. Raises `WrongValue` for a value it cannot use."""

    def check(self, wanted: Wanted) -> Sequence[Problem]:
        """Says what `create` and `bind` would refuse, without doing anything.

        See `Wanted.problems`, which is mostly all it takes.
        """
        return ()

    async def bind(self, binding: Binding) -> None:
        """An actor is bound, or its values changed: then it comes again with the same id."""

    async def unbind(self, binding: Binding) -> None:
        """The actor is no longer bound, and no call of it is under way."""

    async def health(self) -> str | None:
        """What does not work, in one sentence; None when all is well."""
        return None

    def addresses(self) -> Sequence[Listening]:
        """Where it takes work from outside."""
        return ()

    def samples(self) -> Sequence[Sample]:
        """What it measured so far."""
        return ()

    async def close(self) -> None:
        """Stop taking work from outside and let go of everything: no call is under way any more."""


def handles(contract: Contract, operation: str) -> Callable[[F], F]:
    """Makes a method ``async def (self, request, call)`` the handler of an operation."""

    def mark(function: F) -> F:
        setattr(function, _MARK, (contract.id, operation))
        return function

    return mark


_MARK = "_trellis_handles"
_Method = Callable[[Any, Call], Awaitable[object]]
_Handlers = dict[tuple[str, str], tuple[_Method, Any]]


def _handlers(provider: Provider) -> _Handlers:
    """Each handler by contract and operation, with its request. A mistake is told at once."""
    # Looked up in the class: to look at an instance would run its properties.
    functions = inspect.getmembers(type(provider), inspect.isfunction)
    marked = {mark: name for name, it in functions if (mark := getattr(it, _MARK, None))}
    handlers = {}
    for contract in provider.contracts:
        for operation in contract.operations:
            if operation.direction == "to_actor":
                continue
            if (contract.id, operation.name) not in marked:
                raise TypeError(f"`{operation.name}` of `{contract.id}` has no handler")
            method = getattr(provider, marked[contract.id, operation.name])
            for id in (contract.id, *contract.aliases):
                handlers[id, operation.name] = method, _request(method)
    return handlers


def _request(method: _Method) -> Any:
    hints = typing.get_type_hints(method)
    parameters = list(inspect.signature(method).parameters)
    is_async = inspect.iscoroutinefunction(method)
    if not is_async or len(parameters) != 2 or parameters[0] not in hints:
        form = "async def (self, request: TYPE, call: Call)"
        raise TypeError(f"{method.__qualname__} must be `{form}`")
    return hints[parameters[0]]


# Messages


class _Malformed(ValueError):
    """What came is not what it should be."""


_FORMS: dict[Any, str] = {bool: "true or false", bytes: "bytes", dict: "a map", list: "a list"}
_FORMS |= {float: "a number", int: "a whole number", str: "text"}


def _read(form: Any, value: Any) -> Any:
    """Checks a decoded message and makes a `form` of it."""
    if form in (Any, object):
        return value
    if form is Values:
        return Values(_read(dict[str, str], value))
    if dataclasses.is_dataclass(form):
        return typing.cast(Any, form)(**_arguments(form, value))
    if form in _FORMS:
        # Many encoders write 1.0 as 1. `isinstance` would take True for a number.
        if type(value) is not form and (form, type(value)) != (float, int):
            raise _Malformed(f"expected {_FORMS[form]}")
        return form(value) if form is float else value
    origin, parts = typing.get_origin(form), typing.get_args(form)
    if origin is list:
        return [_read(parts[0], item) for item in _read(list, value)]
    if origin is dict and parts[0] is str:
        return {key: _read(parts[1], item) for key, item in _read(dict, value).items()}
    if origin in (typing.Union, types.UnionType) and types.NoneType in parts and len(parts) == 2:
        [other] = set(parts) - {types.NoneType}
        return None if value is None else _read(other, value)
    raise TypeError(f"a message cannot have the type {form}")


def _arguments(form: Any, value: Any) -> dict[str, Any]:
    """Checks a decoded map; gives what a dataclass or a function is called with."""
    fields, found = _fields(form), {}
    if type(value) is list:
        # Some older guests leave the keys out; others spell them with underscores.
        value = dict(zip(fields, value, strict=False))
    for name, (key, field, default) in fields.items():
        spelled = key if key in _read(dict, value) else name
        if spelled not in value and default is not inspect.Parameter.empty:
            continue
        try:
            found[name] = _read(field, value.get(spelled))
        except _Malformed as error:
            text = error if spelled in value else "expected a value"
            raise _Malformed(f"{text} in field `{key}`") from None
    return found


@functools.cache
def _fields(form: Any) -> dict[str, tuple[str, Any, Any]]:
    """Of all that it is called with, by name: the key in a map, the type and the default."""

    def camel(name: str) -> str:
        return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)

    hints = typing.get_type_hints(form)
    parameters = inspect.signature(form).parameters.values()
    return {it.name: (camel(it.name), hints[it.name], it.default) for it in parameters}


def _unpack(packed: bytes) -> object:
    """Bytes behind the message are ignored, as the host ignores them: some guests add a NUL."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(packed))
    unpacker.feed(packed)
    try:
        return unpacker.unpack()
    except msgpack.OutOfData:
        raise _Malformed("expected more bytes: the message ends early") from None
    except Exception as error:
        raise _Malformed("expected a MessagePack value") from error


def _decode(payload: bytes, form: type[T]) -> T:
    try:
        if form is bytes or form is types.NoneType:
            return typing.cast(T, payload if form is bytes else None)
        return typing.cast(T, _read(form, _unpack(payload)))
    except (ValueError, RecursionError) as error:
        raise ProviderError("E_MESSAGE", f"the message cannot be decoded: {error}") from error


def _encode(message: object) -> bytes:
    """Writes a payload: bytes as they are, nothing for None, all else as MessagePack."""
    if message is None or isinstance(message, bytes):
        return message or b""
    return typing.cast(bytes, msgpack.packb(message, default=_record))


def _record(message: object) -> _Fields:
    """A dataclass as the map that it is in a message."""
    if not dataclasses.is_dataclass(message) or isinstance(message, type):
        raise TypeError(f"a message cannot contain {type(message).__qualname__}")
    record = {}
    for name, (key, form, _) in _fields(type(message)).items():
        value = getattr(message, name)
        # Python takes an int for a float; not every reader of the message does.
        is_float = type(value) is int and form in (float, float | None)
        record[key] = float(value) if is_float else value
    return record


# Frames


def _frame(fields: _Fields, bytes_max: int = _FRAME_BYTES_MAX) -> bytes:
    # An error or a log must not fail itself, by text that cannot be encoded.
    body = msgpack.packb(fields, default=_record, unicode_errors="replace")
    if len(body) > bytes_max:
        text = f"a message of {len(body)} bytes does not fit into a frame of at most {bytes_max}"
        raise ProviderError("E_TOO_LARGE", text)
    return len(body).to_bytes(4, "big") + typing.cast(bytes, body)


def _failure(id: int, code: str, text: str) -> bytes:
    error = ProviderError(code, " ".join(text.split())[:_ERROR_TEXT_MAX])
    return _frame({"t": "result", "id": id, "error": error})


class _Connection:
    """Frames over a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._logs_dropped = 0

    async def frames(self) -> AsyncIterator[object]:
        """What comes, until the other side closes the stream after a whole frame."""
        while first := await self._reader.read(1):
            try:
                length = int.from_bytes(first + await self._reader.readexactly(3), "big")
                if length > _FRAME_BYTES_MAX:
                    text = f"a frame of {length} bytes; at most {_FRAME_BYTES_MAX} may come"
                    raise _Malformed(text)
                # Its buffer grows with what comes, not with what was promised.
                body = await self._reader.readexactly(length)
            except asyncio.IncompleteReadError:
                raise _Malformed("the stream ended within a frame") from None
            yield _unpack(body)

    async def send(self, frame: bytes) -> None:
        """Sends a frame once the other side has read enough of those before.

        A frame is written whole or, when this is cancelled, not at all.
        """
        async with self._turn:
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
            self.post(frame)

    def post(self, frame: bytes) -> None:
        """Sends a small frame without waiting. Does nothing when the connection is gone."""
        if not self.is_gone():
            self._writer.write(frame)

    def log(self, level: str, text: str) -> None:
        """Sends a text for the host's log, unless too much is unread already."""
        if self._writer.transport.get_write_buffer_size() > _LOG_BACKLOG_MAX:
            self._logs_dropped += 1
            return
        if self._logs_dropped:
            lost = f"{self._logs_dropped} log messages before it were dropped: they were not read"
            text = f"{text}\n{lost}"
            self._logs_dropped = 0
        self.post(_frame({"t": "log", "level": level, "message": text}))

    def is_gone(self) -> bool:
        return self._writer.is_closing()

    def leave(self) -> None:
        """Takes nothing more; what was taken is still written."""
        self._writer.close()

    async def close(self) -> None:
        """Takes nothing more, and waits until everything is written."""
        self.leave()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class _LogHandler(logging.Handler):
    """Sends what is logged to the host, from any thread."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__()
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        levels = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"))
        level = next((name for least, name in levels if record.levelno >= least), "debug")
        try:
            text = self.format(record)[:_LOG_TEXT_MAX]
            if threading.get_ident() == self._thread:
                self._connection.log(level, text)
            else:
                self._loop.call_soon_threadsafe(self._connection.log, level, text)
        except Exception:
            self.handleError(record)


class Host:
    """The host, as a provider's way to actors."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._permits = asyncio.Semaphore(0)
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bytes]] = {}

    async def invoke(
        self,
        binding: Binding,
        operation: str,
        request: object,
        reply: type[T],
        *,
        timeout: float | None = None,
        trace: str | None = None,
    ) -> T:
        """Calls the actor behind a binding; gives its answer as a `reply`.

        Waits while as many calls are unanswered as the host allows. Without `timeout` the actor's
        own limit holds. Raises `ProviderError` when the call fails.
        """
        frame: _Fields = {"t": "invoke", "binding": binding.id, "operation": operation}
        frame |= {"payload": _encode(request), "trace": trace}
        try:
            async with asyncio.timeout(timeout) as patience, self._permits:
                if (until := patience.when()) is not None:
                    left = until - asyncio.get_running_loop().time()
                    # Zero would mean that nobody waits at all.
                    frame["deadlineMs"] = max(1, int(left * 1000))
                answer = await self._ask(frame)
        except TimeoutError:
            raise ProviderError("E_TIMEOUT", f"no answer within {timeout} s") from None
        return _decode(answer, reply)

    async def _ask(self, frame: _Fields) -> bytes:
        id = next(self._ids)
        packed = _frame({**frame, "id": id})
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[id] = answer
        try:
            if self._connection.is_gone():
                self._leave()
            await self._connection.send(packed)
            return await answer
        finally:
            # It is cancelled only when it is awaited, and so after it was sent.
            if answer.cancelled():
                self._connection.post(_frame({"t": "cancel", "id": id}))
            del self._answers[id]

    def _answer(self, id: int, payload: bytes, error: ProviderError | None) -> None:
        waiting = self._answers.get(id)
        if waiting is None or waiting.done():
            return  # Nobody waits for it any more.
        if error is None:
            waiting.set_result(payload)
        else:
            waiting.set_exception(error)

    def _leave(self) -> None:
        for id in self._answers:
            self._answer(id, b"", ProviderError("E_STOPPING", "the host is gone"))


def run(provider: Provider, *, log_level: int = logging.INFO) -> NoReturn:
    """Serves a host until it says so or is gone: the whole ``main`` of a provider.

    What is logged from `log_level` on goes to the host's log, as do standard output and standard
    error.
    """
    handlers = _handlers(provider)
    # Taken out: they are not for the processes that a provider starts.
    socket = os.environ.pop("TRELLIS_PROVIDER_SOCKET", None)
    token = os.environ.pop("TRELLIS_PROVIDER_TOKEN", None)
    if not socket or not token:
        _complain(
            f"`{provider.name}` is a provider, which a Trellis host starts; name this program "
            "under `providers` in a manifest: `- process: PATH`"
        )
        sys.exit(2)
    logging.getLogger().setLevel(log_level)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What is printed belongs into the host's log now, not when the process ends.
        sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(asyncio.run(_serve(provider, handlers, socket, token)))
    except (OSError, ProviderError) as error:
        _complain(f"the connection to the host: {error}")
        sys.exit(1)


def _complain(text: str) -> None:
    print(f"error: {text}", file=sys.stderr, flush=True)


async def _serve(provider: Provider, handlers: _Handlers, socket: str, token: str) -> int:
    about = ("name", "version", "doc", "contracts", "settings", "stateful")
    hello: dict[str, object] = {"t": "hello", "token": token, "protocol": _PROTOCOL}
    hello["descriptor"] = {key: getattr(provider, key) for key in about}
    hello["checks"] = type(provider).check is not Provider.check
    packed = _frame(hello, _HELLO_BYTES_MAX)
    connection = _Connection(*await asyncio.open_unix_connection(socket))
    await connection.send(packed)
    logging.getLogger().addHandler(_LogHandler(connection))
    return await _Session(provider, handlers, connection).serve()


class _Session:
    """One connection to a host, and the provider that serves it."""

    def __init__(self, provider: Provider, handlers: _Handlers, connection: _Connection) -> None:
        self._provider = provider
        self._handlers = handlers
        self._connection = connection
        self._host = Host(connection)
        settings = provider.settings
        self._defaults = Values({it.key: it.default for it in settings if it.default is not None})
        self._created = False
        self._bindings: dict[int, Binding] = {}
        # What runs, and of that, what the host still waits for.
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaited: dict[int, asyncio.Task[None]] = {}
        self._ending = asyncio.Event()
        self._exit_code = 0

    async def serve(self) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end, _ORPHAN_GRACE)
        # Reads on while the work ends: a call that finishes may wait for the answer to an invoke.
        reading = asyncio.create_task(self._listen())
        await self._ending.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._created:
            try:
                await self._provider.close()
            except Exception:
                _log.exception("`close` failed")
        reading.cancel()
        await self._connection.close()
        return self._exit_code

    async def _listen(self) -> None:
        try:
            async for frame in self._connection.frames():
                self._take(frame)
        except ConnectionError:
            pass  # The host is gone without a goodbye.
        except _Malformed as error:
            _complain(f"the connection to the host: {error}")
            self._exit_code = 1
        self._end(_ORPHAN_GRACE)
        self._host._leave()
        self._connection.leave()

    def _end(self, grace: float) -> None:
        """Ends the process within `grace`. May be said again, with less time."""
        self._ending.set()
        asyncio.get_running_loop().call_later(grace * _CALLS_SHARE, self._cut)
        # A handler that blocks the event loop or a thread must not keep the process.
        watchdog = threading.Timer(min(grace, threading.TIMEOUT_MAX), os._exit, [1])
        watchdog.daemon = True
        watchdog.start()

    def _cut(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _take(self, frame: object) -> None:
        """Calls the method `on_KIND`, whose arguments are what the frame contains.

        One that is ``async`` gives what the host is answered.
        """
        kind = frame.get("t") if isinstance(frame, dict) else None
        method = getattr(self, f"on_{kind}", None)
        if not isinstance(frame, dict) or method is None:
            raise _Malformed("a frame that is no map with a known `t`")
        try:
            arguments = _arguments(method, frame)
        except _Malformed as error:
            raise _Malformed(f"in a frame `{kind}`, {error}") from None
        if not inspect.iscoroutinefunction(method):
            method(**arguments)
            return
        id = frame.get("id")
        if type(id) is not int or id in self._awaited:
            raise _Malformed(f"a frame `{kind}` without an id of its own")
        task = asyncio.create_task(self._answer(id, method, arguments))
        self._awaited[id] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, id: int, method: _Request, arguments: dict[str, Any]) -> None:
        """Does what the host asks and sends the answer. An exception is an answer too."""
        try:
            if self._ending.is_set():
                raise ProviderError("E_STOPPING", "the provider is ending")
            if not self._created and method not in (self.on_create, self.on_check):
                raise ProviderError("E_STOPPING", "the provider was not made yet")
            answer = _frame({"t": "result", "id": id, **await method(**arguments)})
        except ProviderError as error:
            answer = _failure(id, error.code, error.message)
        except WrongValue as error:
            answer = _failure(id, "E_CONFIG", str(error))
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if id not in self._awaited:
                return  # The host has cancelled it.
            _log.exception("`%s` failed", arguments.get("operation", method.__name__[3:]))
            text = f"{type(error).__name__}: {error}".removesuffix(": ")
            answer = _failure(id, "E_PROVIDER", text)
        if self._awaited.pop(id, None) is not None:
            await self._connection.send(answer)

    async def on_create(self, values: Values, invokes_max: int) -> _Fields:
        if self._created:
            raise ProviderError("E_INTERNAL", "the provider was made already")
        self._host._permits = asyncio.Semaphore(invokes_max)
        self._provider.host = self._host
        await self._provider.create(Values({**self._defaults, **values}))
        self._created = True
        return {"t": "ready"}

    async def on_check(self, wanted: Wanted) -> _Fields:
        wanted = dataclasses.replace(wanted, defaults=self._defaults)
        return {"problems": self._provider.check(wanted)}

    async def on_bind(self, binding: Binding) -> _Fields:
        binding = dataclasses.replace(binding, values=Values({**self._defaults, **binding.values}))
        await self._provider.bind(binding)
        self._bindings[binding.id] = binding
        return {}

    async def on_unbind(self, binding: int) -> _Fields:
        if (bound := self._bindings.pop(binding, None)) is not None:
            await self._provider.unbind(bound)
        return {}

    async def on_call(
        self, binding: int, operation: str, payload: bytes, deadline_ms: int, trace: str | None
    ) -> _Fields:
        deadline = asyncio.get_running_loop().time() + deadline_ms / 1000
        bound = self._bindings.get(binding)
        if bound is None:
            raise ProviderError("E_NOT_FOUND", f"no binding {binding} is known")
        if (bound.contract, operation) not in self._handlers:
            text = f"{bound.contract} has no operation `{operation}`"
            raise ProviderError("E_NOT_FOUND", text)
        handler, request = self._handlers[bound.contract, operation]
        call = Call(bound, operation, deadline, trace)
        return {"payload": _encode(await handler(_decode(payload, request), call))}

    async def on_health(self) -> _Fields:
        return {
            "t": "healthy",
            "degraded": await self._provider.health(),
            "addresses": self._provider.addresses(),
            "samples": self._provider.samples(),
        }

    def on_cancel(self, id: int) -> None:
        if (task := self._awaited.pop(id, None)) is not None:
            task.cancel()

    def on_invoked(self, id: int, payload: bytes = b"", error: ProviderError | None = None) -> None:
        self._host._answer(id, payload, error)

    def on_shutdown(self, deadline_ms: int) -> None:
        self._end(deadline_ms / 1000)
