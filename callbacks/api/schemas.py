"""The forms of requests and answers, as pydantic models: they check, and the OpenAPI document shows them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# No NUL, which no database's text takes.
_TEXT = r"^[^\x00]*$"
Number = Annotated[str, Field(min_length=1, max_length=64, pattern=_TEXT, description="the case's number")]
LAST_SEQ = 2**31 - 1  # what the column takes
MOST_ROWS = 1000
MOST_OUTCOMES = 1000


def _whole(value: Any) -> Any:
    """1.0 is an integer in JSON Schema as 1 is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_AS_WHOLE = BeforeValidator(_whole)  # behind the bounds, else the document loses them


class Form(BaseModel):
    """Nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CaseBatch(Form):
    """Cases in the columns of a case file (see the schema CaseRow)."""

    cases: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=MOST_ROWS,
            description="each a CaseRow; one that isn't is refused by itself, the others are stored",
        ),
    ]


class RowResult(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    CLOSED = "closed"
    REOPENED = "reopened"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class RowFault(BaseModel):
    """What is wrong with a field of a row; `-` is the row as a whole."""

    field: str
    fault: str


class RowAnswer(BaseModel):
    """A row's outcome, by its place in the request from 1."""

    line: int
    number: str | None
    result: RowResult
    faults: list[RowFault]


class BatchAnswer(BaseModel):
    """The outcome of each row, in the request's order."""

    results: list[RowAnswer]


class SourceCountBody(Form):
    """How many cases a source sent on a day, as it counted them itself."""

    source: Annotated[str, Field(pattern=r"^[\w-]{1,80}$", description="by its name at the office")]
    day: Annotated[
        str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="a local day of the office, like 2026-11-23")
    ]
    number: Annotated[int, Field(ge=0, le=10_000_000), _AS_WHOLE]


class SourceCountAnswer(BaseModel):
    """`changed`: the day had another count before."""

    source: str
    day: str
    number: int
    result: Literal["stored", "changed", "unchanged"]


class SourceRating(Form):
    """A citizen's rating, as the platform on which the request was made has taken it."""

    case: Number
    closing_no: Annotated[int, Field(ge=1, le=999), _AS_WHOLE] | None = Field(
        default=None, description="which closing of the case; without it, the last"
    )
    rating: Annotated[int, Field(ge=1, le=5, description="on the office's scale; 1 is the best"), _AS_WHOLE]
    resolved: bool | None = Field(default=None, description="whether the matter is solved")
    comment: Annotated[str, Field(max_length=500, pattern=_TEXT)] = ""
    id: Annotated[
        str,
        Field(
            pattern=r"^[\x21-\x7e]{1,100}$",
            description="the platform's own id of the rating: sent again, it changes nothing",
        ),
    ]


class RatingAnswer(BaseModel):
    """`uncounted`: kept as a note, since another answer counts already or the closing takes none."""

    case: str
    closing_no: int
    result: Literal["rated", "changed", "same", "uncounted"]


class CodeWish(Form):
    """Whose code is asked for."""

    case: Number


class CodeAnswer(BaseModel):
    """What the platform shows to the citizen, and only to this citizen."""

    case: str
    closing_no: int
    code: str
    url: str
    expires_at: datetime


class OutcomeQuery(BaseModel):
    """From where, and how many."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=0, le=LAST_SEQ, description="`next` of the answer before")] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_OUTCOMES)] = 100


class OutcomeRow(BaseModel):
    """Something that came of a case."""

    seq: int
    case: str
    kind: str
    at: datetime
    payload: dict[str, Any]


class OutcomePage(BaseModel):
    """In the order of `seq`; `next` is the `after` of the next request, whether anything was found or not."""

    outcomes: list[OutcomeRow]
    next: int


class ProblemError(BaseModel):
    """A field by its path and what is wrong with it."""

    field: str
    fault: str


class ProblemBody(BaseModel):
    """RFC 9457; `code` is the word for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemError] | None = None
