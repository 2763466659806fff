"""The catalog: airports of the package `airportsdata`, and what is asked about each."""

from __future__ import annotations

from typing import Final, Literal, TypedDict

from pydantic import BaseModel, Field

MODEL: Final = "claude-haiku-5-5"
MAX_TOKENS: Final = 400


class Enriched(BaseModel):
    """What the demo wants to know about an airport."""

    description: str = Field(description="One sentence for a traveller who lands there.", min_length=10, max_length=400)
    category: Literal["hub", "regional", "island", "mountain", "bush", "business"]


class Airport(TypedDict):
    """What of an airport its request says; the catalog has more."""

    iata: str
    name: str
    city: str
    subd: str
    """Its state or province."""
    country: str
    elevation: float
    """Feet."""
    tz: str


def airports(rows: int) -> list[Airport]:
    """So many airports, spread evenly over the alphabet of IATA codes; the same ones every time."""
    import airportsdata

    known = airportsdata.load("IATA")
    codes = sorted(known)
    step = max(len(codes) / rows, 1.0)
    return [known[codes[int(i * step)]] for i in range(min(rows, len(codes)))]


def params(airport: Airport) -> dict[str, object]:
    """The request for one airport, as `client.messages.create` takes it."""
    place = ", ".join(filter(None, (airport["city"], airport["subd"], airport["country"])))
    return {
        "model": MODEL,
        "max_tokens": MAX_TOKENS,
        # this model thinks unless told otherwise, and a sentence needs none
        "thinking": {"type": "disabled"},
        "system": "You describe airports for travellers. Be concrete, never promotional.",
        "messages": [
            {
                "role": "user",
                "content": f"{airport['name']} ({airport['iata']}), {place}. Elevation {airport['elevation']:.0f} ft,"
                f" time zone {airport['tz']}.",
            }
        ],
    }
