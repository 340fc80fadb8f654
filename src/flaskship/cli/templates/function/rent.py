"""What a flat costs a month, by a table of prices. Put your model in its place."""

import json
from pathlib import Path
from typing import Annotated, Literal

from flaskship import Meta, endpoint


class Rent:
    def __init__(self) -> None:  # once, before the first request: load the model here
        self.prices = json.loads(Path("prices.json").read_text())  # euros a square metre

    @endpoint
    def rent(
        self,
        area: Annotated[float, Meta(gt=0, le=1000, description="Living space in square metres", examples=[62.5])],
        district: Literal["centre", "north", "south"] = "centre",
        balcony: bool = False,
    ) -> float:
        """The rent of a flat, in euros a month."""
        return round(area * self.prices[district] + (35 if balcony else 0), 2)
