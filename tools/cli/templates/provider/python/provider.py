#!/usr/bin/env python3
"""A provider of the contract `demo:new_name`, which `contract.wit` describes."""

from dataclasses import dataclass

from trellis_provider import (
    Call,
    Contract,
    Operation,
    Problem,
    Provider,
    ProviderError,
    Setting,
    Values,
    Wanted,
    WrongValue,
    handles,
    run,
)

CONTRACT = Contract("demo:new_name", [Operation("Greet", "Greets somebody.")])


@dataclass
class GreetRequest:
    name: str


@dataclass
class Greeting:
    text: str


def word_of(values: Values) -> str:
    """Reads the values: called by `check` before anything runs, and by `create`."""
    word = values["WORD"]
    if not word.isalpha():
        raise WrongValue("WORD", "WORD must be one word of letters")
    return word


class NewNameProvider(Provider):
    name = "new-name"
    version = "0.1.0"
    doc = "Greets."
    contracts = [CONTRACT]
    settings = [Setting("WORD", "The first word.", scope="provider", default="Hello")]

    def check(self, wanted: Wanted) -> list[Problem]:
        return wanted.problems(word_of)

    async def create(self, values: Values) -> None:
        self.word = word_of(values)

    @handles(CONTRACT, "Greet")
    async def greet(self, request: GreetRequest, call: Call | None) -> Greeting:
        if not request.name:
            raise ProviderError("E_NOT_FOUND", "nobody has an empty name")
        return Greeting(f"{self.word}, {request.name}!")


if __name__ == "__main__":
    run(NewNameProvider())
