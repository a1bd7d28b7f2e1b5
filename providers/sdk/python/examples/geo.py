#!/usr/bin/env python3
"""A provider of a contract of its own, `demo:geo`: where places are."""

from dataclasses import dataclass

from trellis_provider import (
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

GEO = Contract("demo:geo", [Operation("Locate", "Where a place is.", idempotent=True)])
BUILT_IN = "Berlin=52.52,13.405;Lima=-12.0464,-77.0428;Oslo=59.9139,10.7522;"


@dataclass
class Locate:
    name: str


@dataclass
class Place:
    name: str
    latitude: float
    longitude: float


def places(values: Values) -> dict[str, Place]:
    """The places that are built in, and those of the values."""
    found = {}
    for entry in filter(None, (BUILT_IN + values.get("PLACES", "")).split(";")):
        name, _, at = entry.partition("=")
        latitude, _, longitude = at.partition(",")
        try:
            place = Place(name.strip(), degrees(latitude, 90), degrees(longitude, 180))
        except ValueError:
            raise WrongValue(
                "PLACES",
                "PLACES has an entry that is no place",
                "write `NAME=LATITUDE,LONGITUDE`, and `;` between two of them",
            ) from None
        found[place.name] = place
    return found


def degrees(text: str, most: int) -> float:
    # `float` takes `1_0` and the digits of every script; the other examples of `geo` do not.
    number = float(text)
    if "_" in text or not text.isascii() or not abs(number) <= most:
        raise ValueError(text)
    return number


class Geo(Provider):
    name = "geo"
    version = "0.1.0"
    doc = "Knows where a few places are."
    contracts = [GEO]
    settings = [
        Setting("PLACES", "More places: `NAME=LATITUDE,LONGITUDE;...`.", scope="provider"),
    ]

    def check(self, wanted: Wanted) -> list[Problem]:
        return wanted.problems(places)

    async def create(self, values: Values) -> None:
        self.places = places(values)
        self.lookups = 0

    @handles(GEO, "Locate")
    async def locate(self, request: Locate, call: Call) -> Place:
        self.lookups += 1
        if request.name not in self.places:
            known = ", ".join(sorted(self.places))
            text = f"no place `{request.name}` is known; known are: {known}"
            raise ProviderError("E_NOT_FOUND", text)
        return self.places[request.name]

    def samples(self) -> list[Sample]:
        return [Sample("geo_lookups", "Places that were asked for", {"counter": self.lookups})]


if __name__ == "__main__":
    run(Geo())
