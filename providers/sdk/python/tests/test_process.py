"""A provider as a process: every frame, and every way to end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import unittest
from typing import Any

from tests.fake_host import GEO, SAMPLE, SDK, FakeHost, Frame, framed


class ProcessCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        # Debug mode, which `unittest` turns on, takes more time than the tests.
        asyncio.get_running_loop().set_debug(False)


class Frames(ProcessCase):
    async def test_hello_describes_the_provider(self) -> None:
        async with FakeHost() as host:
            hello = host.hello
        descriptor = hello.pop("descriptor")
        said = {"t": "hello", "token": "secret", "protocol": 1, "checks": True}
        self.assertEqual(hello, said)
        [contract] = descriptor.pop("contracts")
        operations = contract.pop("operations")
        self.assertEqual(contract, {"id": "test:sample", "aliases": ["old:sample"]})
        echo = {"name": "Echo", "direction": "to_provider", "doc": "Echo.", "idempotent": False}
        moved = {"name": "Moved", "direction": "to_actor", "doc": "M.", "idempotent": False}
        self.assertEqual([operations[0], operations[-1]], [echo, moved])
        ttl, limit, file, city = descriptor.pop("settings")
        expected: Frame = {"key": "TTL", "scope": "both", "kind": "duration", "default": "5s"}
        self.assertEqual(ttl, {**expected, "doc": "How long.", "exclusive": False, "plain": False})
        self.assertEqual(limit["kind"], {"integer": {"min": 1, "max": 99}})
        self.assertEqual((file["scope"], file["exclusive"]), ("provider", True))
        self.assertEqual((city["kind"], city["plain"]), ("text", True))
        expected = {"name": "sample", "version": "1.2.3", "doc": "For tests.", "stateful": False}
        self.assertEqual(descriptor, expected)

    async def test_create_bind_unbind_and_defaults(self) -> None:
        async with FakeHost() as host:
            self.assertEqual((await host.bind())["error"]["code"], "E_STOPPING")
            error = {"code": "E_CONFIG", "message": "LIMIT must not be 13; take 12"}
            self.assertEqual(await host.create(LIMIT="13"), {"t": "result", "error": error})
            self.assertEqual(await host.create(LIMIT="3"), {"t": "ready"})
            self.assertEqual((await host.create())["error"]["code"], "E_INTERNAL")
            self.assertEqual(await host.bind(MODE="slow"), {"t": "result"})
            about = await host.call("About", trace="00-1-2-01", deadlineMs=3000)
            self.assertTrue(2 < about.pop("left") <= 3)
            expected = {
                "binding": ["MACTOR", "counter", "default", 1 << 20],
                "values": {"TTL": "5s", "LIMIT": "7", "MODE": "slow"},
                "trace": "00-1-2-01",
                "token": None,
            }
            self.assertEqual(about, expected)
            # The same binding again replaces, unless it is refused.
            self.assertEqual(await host.bind(LIMIT="8"), {"t": "result"})
            self.assertEqual((await host.bind(LIMIT="13"))["error"], error)
            self.assertEqual((await host.call("About"))["values"]["LIMIT"], "8")
            self.assertEqual(await host.answer(t="unbind", binding=7), {"t": "result"})
            self.assertEqual(await host.answer(t="unbind", binding=99), {"t": "result"})
            self.assertEqual((await host.call("Echo"))[0], "E_NOT_FOUND")
            await host.bind(contract="old:sample")
            state = {"created": {"TTL": "5s", "LIMIT": "3"}, "unbound": [7]}
            self.assertEqual(await host.call("State", {}), state)

    async def test_check(self) -> None:
        binding = {"actor": "a", "contract": "test:sample", "name": "n", "values": {"TTL": "soon"}}
        wanted = {"values": {"LIMIT": "13"}, "bindings": [binding], "hostAddresses": []}
        unlucky = {"key": "LIMIT", "message": "LIMIT must not be 13", "help": "take 12"}
        late = {"key": "TTL", "message": "TTL must be a time such as `500ms` or `5s`", "help": None}
        problems = [{"place": "provider", "error": unlucky}]
        problems.append({"place": {"binding": 0}, "error": late})
        async with FakeHost() as host:
            answer = await host.answer(t="check", wanted=wanted)
            self.assertEqual(answer, {"t": "result", "problems": problems})

    async def test_requests_are_what_the_handler_says(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            answer = await host.call("Typed", {"shapeName": "s", "height": 2})
            self.assertEqual(answer, {"shapeName": "s", "height": 2.0})
            text = "the message cannot be decoded: expected text in field `shapeName`"
            self.assertEqual(await host.call("Typed", {"shapeName": 1}), ("E_MESSAGE", text))
            self.assertIsNone(await host.call("Nothing", 1))
            self.assertEqual(await host.call("Echo", [1, {"a": b"\0"}]), [1, {"a": b"\0"}])
            for operation in ("Moved", "Nope", ""):
                expected = "E_NOT_FOUND", f"test:sample has no operation `{operation}`"
                self.assertEqual(await host.call(operation), expected)

    async def test_a_handler_that_fails_ends_nothing(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            self.assertEqual(await host.call("Fail", "code"), ("E_QUOTA", "too much"))
            text = "LookupError: first line second line"
            self.assertEqual(await host.call("Fail", "raise"), ("E_PROVIDER", text))
            level, text = await host.logged()
            self.assertEqual((level, text.splitlines()[0]), ("error", "`Fail` failed"))
            self.assertIn("LookupError: first line\nsecond line", text)
            self.assertEqual(await host.call("Fail", "exit"), ("E_PROVIDER", "SystemExit: 3"))
            expected = "E_PROVIDER", "CancelledError"
            self.assertEqual(await host.call("Fail", "cancelled"), expected)
            self.assertEqual((await host.call("Fail", "unencodable"))[0], "E_PROVIDER")
            self.assertEqual((await host.call("Fail", "huge"))[0], "E_TOO_LARGE")
            code, text = await host.call("Fail", "surrogate")
            self.assertEqual((code, len(text)), ("E_RANGE", 1024))
            self.assertEqual(await host.call("Echo", "still there"), "still there")

    async def test_health(self) -> None:
        histogram = {"buckets": [[0.5, 1], [None, 2]], "sum": 9.0}
        samples: list[Frame] = [
            {"name": "things", "help": "Things", "labels": [["kind", "a"]], "unit": None},
            {"name": "level", "help": "Level", "labels": [], "unit": "bytes"},
            {"name": "time", "help": "Time", "labels": [], "unit": None},
        ]
        values = ({"counter": 7}, {"gauge": -3}, {"histogram": histogram})
        samples = [{**sample, "value": it} for sample, it in zip(samples, values, strict=True)]
        address = {"binding": 7, "address": "127.0.0.1:80", "url": "http://127.0.0.1:80/"}
        healthy = {"t": "healthy", "degraded": None, "addresses": [address], "samples": samples}
        async with FakeHost() as host:
            self.assertEqual((await host.answer(t="health"))["error"]["code"], "E_STOPPING")
            await host.ready()
            self.assertEqual(await host.answer(t="health"), healthy)
            await host.call("State", {"ill": "the store is down"})
            self.assertEqual((await host.answer(t="health"))["degraded"], "the store is down")
            await host.call("State", {"ill": "raise"})
            error = {"code": "E_PROVIDER", "message": "RuntimeError: no pulse"}
            self.assertEqual((await host.answer(t="health"))["error"], error)

    async def test_log(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            await host.call("Log")
            expected = [("debug", "a debug line"), ("info", "an info line"), ("warn", "two\nlines")]
            expected.append(("error", "from a thread ?"))
            self.assertEqual([await host.logged() for _ in expected], expected)


class ManyAtOnce(ProcessCase):
    async def test_calls_run_side_by_side(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            calls = [host.call("Meet") for _ in range(100)]
            self.assertEqual(await asyncio.gather(*calls), [None] * 100)

    async def test_large_messages_both_ways_at_once(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            message = b"x" * (2 << 20)
            answers = await asyncio.gather(*(host.call("Echo", message) for _ in range(24)))
            self.assertEqual(answers, [message] * 24)
            largest = b"x" * (17 << 20)
            self.assertEqual(await host.call("Echo", largest), largest)

    async def test_cancel(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            for raises in (True, False):
                id, _ = host.start("Hang", raises)
                await host.printed("hangs")
                host.answers.pop(id)
                host.send({"t": "cancel", "id": id})
                await host.printed("cancelled")
            # Cancelled before it began: it never does.
            id = next(host.ids)
            call = {"t": "call", "id": id, "binding": 7, "operation": "Hang", "trace": None}
            call |= {"payload": b"\xc3", "deadlineMs": 5000}
            host.send(call, {"t": "cancel", "id": id}, {"t": "cancel", "id": 4711})
            self.assertEqual(await host.call("Echo", 1), 1)
            host.send({"t": "shutdown", "deadlineMs": 5000})
            self.assertEqual(await host.end(), (0, "close\n", ""))
            self.assertEqual((host.unexpected, host.logs.qsize()), ([], 0))


class Invokes(ProcessCase):
    def answer(self, host: FakeHost, invoke: Frame, **more: Any) -> None:
        host.send({"t": "invoked", "id": invoke["id"], **more})

    async def test_an_actor_answers(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            _, answer = host.start("Relay", {"size": 3, "timeout": 4.0}, trace="00-1-2-01")
            invoke = await host.invoked()
            self.assertTrue(3000 < invoke.pop("deadlineMs") <= 4000)
            expected = {"t": "invoke", "id": 1, "binding": 7, "operation": "Moved"}
            self.assertEqual(invoke, {**expected, "payload": b"xxx", "trace": "00-1-2-01"})
            self.answer(host, invoke, payload=b"yes")
            self.assertEqual((await answer)["payload"], b"yes")

            _, answer = host.start("Relay", {})
            invoke = await host.invoked()
            self.assertEqual((invoke["id"], invoke["trace"]), (2, None))
            self.assertNotIn("deadlineMs", invoke)
            self.answer(host, invoke, error={"code": "E_GUEST", "message": "no"})
            self.assertEqual((await answer)["error"], {"code": "E_GUEST", "message": "no"})
            self.answer(host, invoke, payload=b"late")

            _, answer = host.start("Relay", {})
            self.answer(host, await host.invoked())
            self.assertEqual((await answer)["payload"], b"")
            self.assertEqual((await host.call("Relay", {"size": 18 << 20}))[0], "E_TOO_LARGE")

    async def test_no_more_than_the_bound_are_unanswered(self) -> None:
        async with FakeHost(invokes_max=3) as host:
            await host.ready()
            calls = [host.start("Relay", {})[1] for _ in range(10)]
            unanswered = [await host.invoked() for _ in range(3)]
            for invoke in unanswered:
                # It comes after whatever else was to be sent by now.
                self.assertEqual(await host.call("Echo", 1), 1)
                self.assertTrue(host.invokes.empty())
                self.answer(host, invoke)
                if len(unanswered) < 10:
                    unanswered.append(await host.invoked())
            await asyncio.gather(*calls)

    async def test_who_does_not_wait_any_more_says_so(self) -> None:
        async with FakeHost(invokes_max=1) as host:
            await host.ready()
            id, _ = host.start("Relay", {})
            invoke = await host.invoked()
            # This one waits for its turn: nothing was sent that would have to be cancelled.
            waiting, _ = host.start("Relay", {})
            host.send({"t": "cancel", "id": waiting}, {"t": "cancel", "id": id})
            self.assertEqual(await host.invoked(), {"t": "cancel", "id": invoke["id"]})
            self.assertEqual((await host.call("Relay", {"timeout": 0.1}))[0], "E_TIMEOUT")
            invoke = await host.invoked()
            self.assertEqual(await host.invoked(), {"t": "cancel", "id": invoke["id"]})
            self.assertTrue(host.invokes.empty())

    async def test_a_host_that_is_gone_answers_nothing(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            host.start("Relay", {})
            await host.invoked()
            host.writer.close()
            self.assertEqual(await host.end(), (0, "E_STOPPING\nclose\n", ""))


class Ends(ProcessCase):
    async def shut_down_with_a_call(self, host: FakeHost) -> None:
        """The call finishes with an answer that comes after the word to end."""
        await host.ready()
        _, answer = host.start("Relay", {})
        invoke = await host.invoked()
        host.send({"t": "shutdown", "deadlineMs": 5000})
        self.assertEqual((await host.call("Echo", 1))[0], "E_STOPPING")
        host.send({"t": "invoked", "id": invoke["id"], "payload": b"yes"})
        self.assertEqual((await answer)["payload"], b"yes")
        self.assertEqual(await host.end(), (0, "close\n", ""))

    async def test_shutdown_lets_work_finish(self) -> None:
        async with FakeHost() as host:
            await self.shut_down_with_a_call(host)

    async def test_shutdown_cuts_what_takes_too_long(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            _, answer = host.start("Hang", True)
            await host.printed("hangs")
            host.send({"t": "shutdown", "deadlineMs": 500})
            self.assertEqual((await answer)["error"]["code"], "E_PROVIDER")
            self.assertEqual(await host.end(), (0, "cancelled\nclose\n", ""))

    async def test_shutdown_does_not_wait_for_a_blocked_thread(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            host.start("Block")
            await host.printed("blocks")
            host.send({"t": "shutdown", "deadlineMs": 500})
            self.assertEqual(await host.end(), (1, "close\n", ""))

    async def test_the_end_of_the_stream(self) -> None:
        async with FakeHost() as host:
            host.writer.close()
            self.assertEqual(await host.end(), (0, "", ""))

    async def test_terminated(self) -> None:
        async with FakeHost() as host:
            await host.ready()
            host.process.send_signal(signal.SIGTERM)
            self.assertEqual(await host.end(), (0, "close\n", ""))

    async def test_malformed_input_ends_the_connection(self) -> None:
        health = framed({"t": "health", "id": 9})
        create = {"t": "create", "id": 1, "values": {"A": 1}, "invokesMax": 1}
        malformed = {
            b"\xff\xff\xff\xff": "a frame of 4294967295 bytes; at most 17891328 may come",
            (17891329).to_bytes(4, "big"): "a frame of 17891329 bytes; at most 17891328 may come",
            b"\0\0\0\1\xc1": "expected a MessagePack value",
            b"\0\0\0\3\x81\xa1t": "the message ends early",
            b"\0\0\0\5\xdd\xff\xff\xff\xff": "expected a MessagePack value",
            b"\0\0": "the stream ended within a frame",
            b"\0\0\0\5\x81": "the stream ended within a frame",
            framed([1]): "no map with a known `t`",
            framed({"t": ["create"]}): "no map with a known `t`",
            framed({"t": "cancel"}): "in a frame `cancel`, expected a value in field `id`",
            framed({"t": "cancel", "id": True}): "expected a whole number in field `id`",
            framed(create): "in a frame `create`, expected text in field `values`",
            framed({"t": "health"}): "a frame `health` without an id of its own",
            health + health: "a frame `health` without an id of its own",
        }

        async def refused(sent: bytes, text: str) -> None:
            async with FakeHost() as host:
                host.writer.write(sent)
                host.writer.write_eof()
                code, _, err = await host.end()
                self.assertEqual((code, err.count("\n")), (1, 1), err)
                self.assertTrue(err.startswith("error: the connection to the host: "), err)
                self.assertIn(text, err)

        await asyncio.gather(*(refused(sent, text) for sent, text in malformed.items()))

    def test_without_a_host(self) -> None:
        def run(**variables: str) -> tuple[int, str]:
            environment = {**os.environ, "PYTHONPATH": str(SDK), **variables}
            command = [sys.executable, str(SAMPLE)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            return done.returncode, done.stderr

        advice = (
            "error: `sample` is a provider, which a Trellis host starts; name this program under "
            "`providers` in a manifest: `- process: PATH`\n"
        )
        self.assertEqual(run(TRELLIS_PROVIDER_TOKEN="t"), (2, advice))
        nowhere = "/nowhere/socket"
        self.assertEqual(run(TRELLIS_PROVIDER_SOCKET=nowhere), (2, advice))
        code, err = run(TRELLIS_PROVIDER_SOCKET=nowhere, TRELLIS_PROVIDER_TOKEN="t")
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        huge = str(1 << 20)
        code, err = run(TRELLIS_PROVIDER_SOCKET=nowhere, TRELLIS_PROVIDER_TOKEN="t", DOC_BYTES=huge)
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        self.assertIn("does not fit into a frame of at most 1048576", err)


class Geo(ProcessCase):
    async def test_places(self) -> None:
        async with FakeHost(GEO) as host:
            self.assertEqual(await host.create(PLACES="Rome = 41.9, 1e1;;=1,2"), {"t": "ready"})
            await host.bind(contract="demo:geo")
            lima = {"name": "Lima", "latitude": -12.0464, "longitude": -77.0428}
            self.assertEqual(await host.call("Locate", {"name": "Lima"}), lima)
            rome = {"name": "Rome", "latitude": 41.9, "longitude": 10.0}
            self.assertEqual(await host.call("Locate", {"name": "Rome"}), rome)
            text = "no place `Bonn` is known; known are: , Berlin, Lima, Oslo, Rome"
            self.assertEqual(await host.call("Locate", {"name": "Bonn"}), ("E_NOT_FOUND", text))
            text = "the message cannot be decoded: expected a value in field `name`"
            self.assertEqual(await host.call("Locate", {}), ("E_MESSAGE", text))
            [sample] = (await host.answer(t="health"))["samples"]
            self.assertEqual((sample["name"], sample["value"]), ("geo_lookups", {"counter": 3}))

    async def test_wrong_places(self) -> None:
        message = "PLACES has an entry that is no place"
        help = "write `NAME=LATITUDE,LONGITUDE`, and `;` between two of them"
        problem = {"key": "PLACES", "message": message, "help": help}
        async with FakeHost(GEO) as host:
            for text in ("Rome", "Rome=1", "Rome=1,2,3", "Rome=x,2", "Rome=1_0,2", "Rome=٣,2", " "):
                wanted = {"values": {"PLACES": text}, "bindings": []}
                answer = await host.answer(t="check", wanted=wanted)
                self.assertEqual(answer["problems"], [{"place": "provider", "error": problem}])
            error = (await host.create(PLACES="Rome"))["error"]
            self.assertEqual(error, {"code": "E_CONFIG", "message": f"{message}; {help}"})


if __name__ == "__main__":
    unittest.main()
