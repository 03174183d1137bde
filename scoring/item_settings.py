"""What a city sets for its dissatisfaction items (domain.md §6). Days are working days."""

from __future__ import annotations

from pydantic import Field, model_validator

from callbacks.settings import Section


class ItemSettings(Section):
    """The clock of each state, and what a guard counts."""

    verify_days: int = Field(1, ge=1, le=60, description="核实, by a person's call")
    explain_days: int = Field(3, ge=1, le=60, description="解释说明")
    sign_days: int = Field(1, ge=1, le=60, description="签收; then the unit is urged")
    default_sign_days: int = Field(2, ge=1, le=60, description="after so many it's signed by default")
    appeal_within_days: int = Field(2, ge=1, le=60, description="申诉, from 交办")
    appeal_days: int = Field(3, ge=1, le=60, description="复核 of an appeal; the unit's clock stands still")
    rework_days: int = Field(5, ge=1, le=60, description="整改 of an ordinary case")
    complex_days: int = Field(15, ge=1, le=120, description="整改 of a complex case")
    extension_days: int = Field(5, ge=1, le=60, description="延期, once an item")
    urge_before_days: int = Field(1, ge=1, le=30, description="催办, so long before the rework's end")
    check_days: int = Field(1, ge=1, le=60, description="审核 of the evidence")
    escalated_days: int = Field(5, ge=1, le=60, description="提级督办")
    tries: int = Field(3, ge=1, le=20, description="calls to verify before it's assigned unverified")
    reworks: int = Field(2, ge=1, le=10, description="after so many it's a hard case, not escalated again")
    review_months: int = Field(1, ge=1, le=12, description="how often a hard case is reviewed")

    @model_validator(mode="after")
    def _in_order(self) -> ItemSettings:
        if self.default_sign_days <= self.sign_days:
            raise ValueError("default_sign_days must be more than sign_days: the unit is urged in between")
        if self.complex_days < self.rework_days:
            raise ValueError("complex_days mustn't be less than rework_days")
        if self.urge_before_days > self.rework_days:
            raise ValueError("urge_before_days mustn't be more than rework_days")
        return self
