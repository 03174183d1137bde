"""`[voice.toll]`: how much may be called, whatever the policy says; against faults and fraud."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from callbacks.settings import LocalTime, Section

__all__ = ["NO_LIMITS", "NightSettings", "PriceSettings", "TollSettings"]


class NightSettings(Section):
    """From `start` to `end`, local time; over midnight where the end is earlier."""

    start: LocalTime = time(21, 30)
    end: LocalTime = time(8)

    @model_validator(mode="after")
    def _leaves_a_day(self) -> NightSettings:
        if self.start == self.end:
            raise ValueError(f'start and end are both {self.start}; without a night: night = "off"')
        return self


class PriceSettings(Section):
    """What a minute costs to some numbers. The longest prefix holds, of those a trunk's own before all's."""

    trunk: str | None = Field(None, max_length=40, description="one of voice.trunks; none is each")
    prefix: str = Field("", pattern=r"^\d{0,15}$", description="of the number in national form, e.g. 0371")
    per_minute: Decimal = Field(ge=0, max_digits=9, decimal_places=4)


class TollSettings(Section):
    """Limits of what is called out, over all processes; 0 is none. Nobody who calls 110 meets them."""

    night: NightSettings | Literal["off"] = Field(
        NightSettings(),
        description='when no citizen is called, whatever the windows say; "off": no such time',
    )
    calls_per_number_per_day: int = Field(4, ge=0, description="to one number, by machine and people")
    calls_per_hour: int = Field(0, ge=0, description="to all citizens")
    seconds_per_day: int = Field(0, ge=0, description="of talk with all citizens")
    spend_per_day: Decimal = Field(
        Decimal(0), ge=0, decimal_places=4, description="by price_per_minute and prices"
    )
    price_per_minute: Decimal = Field(Decimal(0), ge=0, max_digits=9, decimal_places=4)
    prices: tuple[PriceSettings, ...] = Field((), description="[[voice.toll.prices]], where one differs")
    billing_increment: int = Field(60, ge=1, le=3600, description="seconds that are billed as begun: 60, 6")

    @model_validator(mode="after")
    def _has_a_price(self) -> TollSettings:
        if self.spend_per_day and not self.price_per_minute and not any(p.per_minute for p in self.prices):
            raise ValueError("spend_per_day needs price_per_minute, or prices")
        return self


NO_LIMITS = TollSettings(night="off", calls_per_number_per_day=0)
