"""What needs no process: values, messages, and mistakes of an author that are told at the start."""

from __future__ import annotations

import asyncio
import unittest
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import msgpack

from tests.fake_host import SDK
from tests.sample_provider import read
from trellis_provider import (
    Call,
    Contract,
    Operation,
    Provider,
    ProviderError,
    Values,
    Wanted,
    WantedBinding,
    WrongValue,
    _Connection,
    _decode,
    _encode,
    _handlers,
    handles,
)


class TypedValues(unittest.TestCase):
    def test_what_people_write_is_read(self) -> None:
        values = Values({"T": "a", "N": "18446744073709551615", "B": "true"})
        self.assertEqual((values.text("T"), values.integer("N")), ("a", 2**64 - 1))
        self.assertIs(values.boolean("B"), True)
        for text, seconds in {"500ms": 0.5, "5": 5, "5s": 5, "2 m": 120, "1h": 3600}.items():
            self.assertEqual(Values({"D": text}).duration("D"), seconds)
        for text, size in {"512": 512, "1B": 1, "16 kB": 16_000, "64MiB": 64 << 20}.items():
            self.assertEqual(Values({"S": text}).size("S"), size)

    def test_anything_else_is_refused(self) -> None:
        for text in ("", "s", "0x", "-1", "1.5s", "9" * 20 + "h", "٣", "1_0", "True"):
            values = Values({"KEY": text})
            for getter in (values.integer, values.boolean, values.duration, values.size):
                with self.assertRaisesRegex(WrongValue, "^KEY must be "):
                    getter("KEY")
        with self.assertRaisesRegex(WrongValue, "^KEY must be given$"):
            Values().text("KEY")
        self.assertEqual(repr(Values({"PASSWORD": "secret"})), "Values(PASSWORD)")


class WantedValues(unittest.TestCase):
    def places(self, values: dict[str, str], *bindings: dict[str, str], **more: Any) -> list[Any]:
        bound = [WantedBinding("a", "test:sample", "n", Values(own)) for own in bindings]
        wanted = Wanted(Values(values), bound, Values({"TTL": "5s", "LIMIT": "7"}))
        return [(it.place, it.error.key) for it in wanted.problems(read, **more)]

    def test_every_mistake_is_told_once_and_where_it_stands(self) -> None:
        self.assertEqual(self.places({}, {}, {"LIMIT": "8"}), [])
        wrong = {"TTL": "soon", "LIMIT": "13"}
        found = self.places(wrong, {}, {"LIMIT": "13"}, {"LIMIT": "2", "TTL": "1m"})
        self.assertCountEqual(
            found, [("provider", "TTL"), ("provider", "LIMIT"), ({"binding": 1}, "LIMIT")]
        )

    def test_what_is_missing_is_told_once(self) -> None:
        wanted = Wanted(Values(), [WantedBinding("a", "test:sample", "n", Values())])
        problems = wanted.problems(lambda values: values.text("URL"))
        self.assertEqual([(it.place, it.error.key) for it in problems], [("provider", "URL")])

    def test_bindings_can_have_values_of_their_own(self) -> None:
        def read_binding(values: Values) -> None:
            values.integer("PORT")

        found = self.places({}, {"PORT": "80"}, {}, read_binding=read_binding)
        self.assertEqual(found, [({"binding": 1}, "PORT")])


@dataclass
class Point:
    x: float
    y_axis: float | None = 2


@dataclass
class Tree:
    children: list[Tree] = field(default_factory=list)
    places: dict[str, Point] = field(default_factory=dict)
    top: Point | None = None


class Messages(unittest.TestCase):
    def test_what_is_written_is_read(self) -> None:
        tree = Tree([Tree(), Tree([Tree()])], {"a": Point(1, 2)}, Point(0.5, None))
        self.assertEqual(_decode(_encode(tree), Tree), tree)
        packed = _encode(Point(1))
        # Floats stay floats; keys are in camelCase. A NUL behind the message is no harm.
        self.assertEqual(packed, msgpack.packb({"x": 1.0, "yAxis": 2.0}))
        self.assertEqual(_decode(packed + b"\0", Point), Point(1.0, 2.0))
        self.assertEqual(_decode(_encode([1, 3, 5]), Point), Point(1.0, 3.0))
        self.assertIs(type(_decode(_encode({"x": 1}), Point).x), float)
        self.assertEqual(_decode(_encode({"x": 1, "y_axis": 3, "z": 0}), Point), Point(1.0, 3.0))

    def test_anything_else_is_refused(self) -> None:
        wrong: list[tuple[bytes, str]] = [
            (b"", "expected more bytes: the message ends early"),
            (b"\x81\xa1x", "expected more bytes: the message ends early"),
            (b"\x81\xa1x\xa1\xff", "expected a MessagePack value"),
            (_encode(1), "expected a map"),
            (b"\x81\xa8children\x91" * 500 + b"\x80", "maximum recursion depth exceeded"),
            (_encode({"children": {}}), "expected a list in field `children`"),
            (_encode({"places": {"a": {}}}), "expected a value in field `x` in field `places`"),
            (_encode({"top": {"x": True}}), "expected a number in field `x` in field `top`"),
        ]
        for payload, text in wrong:
            with self.assertRaises(ProviderError) as raised:
                _decode(payload, Tree)
            expected = f"E_MESSAGE: the message cannot be decoded: {text}"
            self.assertTrue(str(raised.exception).startswith(expected), raised.exception)


class Log(unittest.TestCase):
    def test_it_is_dropped_while_nobody_reads(self) -> None:
        writer = mock.Mock()
        writer.is_closing.return_value = False
        connection = _Connection(mock.Mock(), writer)
        for size in (0, 2 << 20, 2 << 20, 0):
            writer.transport.get_write_buffer_size.return_value = size
            connection.log("info", f"at {size}")
        texts = [msgpack.unpackb(sent.args[0][4:])["message"] for sent in writer.write.mock_calls]
        dropped = "at 0\n2 log messages before it were dropped: they were not read"
        self.assertEqual(texts, ["at 0", dropped])


PING = Contract("a:b", [Operation("Ping", "P.")])


class Authors(unittest.TestCase):
    def test_the_example_of_the_readme_works(self) -> None:
        code = (SDK / "README.md").read_text().split("```")[1].removeprefix("python")
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(code, "example", "exec", dont_inherit=True), names)
        shout, request = _handlers(names["Echo"]())["demo:echo", "Shout"]
        answer: Any = shout(_decode(_encode({"text": "a"}), request), mock.Mock())
        self.assertEqual(asyncio.run(answer), names["Text"]("A"))

    def test_mistakes_are_told_at_the_start(self) -> None:
        class Missing(Provider):
            contracts = [PING]

        class Untyped(Missing):
            @handles(PING, "Ping")
            async def ping(self, request, call):  # type: ignore[no-untyped-def]
                pass

        class Blocking(Missing):
            @handles(PING, "Ping")  # type: ignore[type-var]
            def ping(self, request: None, call: Call) -> None:
                pass

        mistakes = [
            (Missing, "`Ping` of `a:b` has no handler"),
            (Untyped, "Untyped.ping must be `async def"),
            (Blocking, "Blocking.ping must be `async def"),
        ]
        for provider, text in mistakes:
            with self.assertRaisesRegex(TypeError, text):
                _handlers(provider())


if __name__ == "__main__":
    unittest.main()
