"""`python3 -m unittest` runs this; no host is needed."""

import unittest

from provider import GreetRequest, NewNameProvider, word_of
from trellis_provider import ProviderError, Values, WrongValue


class NewNameProviderTest(unittest.IsolatedAsyncioTestCase):
    async def test_somebody_is_greeted(self) -> None:
        provider = NewNameProvider()
        await provider.create(Values({"WORD": "Hello"}))
        greeting = await provider.greet(GreetRequest("Ada"), None)
        self.assertEqual(greeting.text, "Hello, Ada!")
        with self.assertRaises(ProviderError):
            await provider.greet(GreetRequest(""), None)

    def test_a_word_that_is_none_is_refused(self) -> None:
        with self.assertRaises(WrongValue):
            word_of(Values({"WORD": "Hello you"}))
