"""What holds in a dialogue now: its conditions, its prompts' values, what its line can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callbacks.rating import SCALES
from ivr.flow_data import Flow, Option, State, Way
from prompts.pieces import LAST_NUMBER


class Facts:
    """A call's `variables` and where its session is.

    variables: scale, in_hours, may_record, cases (month, day, category or None, round), and `can`: what the
    line or its driver does of record, transfer, queue.
    """

    def __init__(self, flow: Flow, variables: Mapping[str, Any], state: State) -> None:
        self._flow, self._variables, self._state = flow, variables, state

    def can(self, ability: str) -> bool:
        return ability in self._variables.get("can", ())

    @property
    def case(self) -> Mapping[str, Any]:
        """The present case; empty in a call that is about none."""
        cases: Sequence[Mapping[str, Any]] = self._variables.get("cases", ())
        return cases[self._state.case] if self._state.case < len(cases) else {}

    def holds(self, conditions: tuple[str, ...]) -> bool:
        return all(self.true(condition) for condition in conditions)

    def option(self, options: tuple[Option, ...]) -> str:
        """The prompt of the first whose conditions hold; the loader saw to it that there is one."""
        return next(option.prompt for option in options if self.holds(option.when))

    def way(self, ways: tuple[Way, ...], node: str) -> Way:
        """The first whose conditions hold and which isn't used up; counted as taken."""
        taken = self._state.taken
        for index, way in enumerate(ways):
            place = f"{node}.{way.to}.{index}"
            if self.holds(way.when) and (way.most is None or taken.get(place, 0) < way.most):
                if way.most is not None:
                    taken[place] = taken.get(place, 0) + 1
                return way
        raise AssertionError(f"{node}: no way on")  # the last has neither condition nor `most`

    def true(self, condition: str) -> bool:
        state = self._state
        match condition:
            case "has_cases":
                return bool(self.case)
            case "first_case":
                return state.case == 0
            case "more_cases":
                return state.case + 1 < len(self._variables.get("cases", ()))
            case "category":
                return self.case.get("category") is not None
            case "second_round":
                return int(self.case.get("round", 1)) > 1
            case "again":
                return state.asked.get(state.node, 0) > 0
            case "rated":
                return state.rating is not None
            case "dissatisfied":
                return state.rating in SCALES[self._flow.scale].dissatisfied
            case "any_dissatisfied":
                return state.earlier_dissatisfied or self.true("dissatisfied")
            case "to_verify":
                first = self.true("dissatisfied") and not self.true("second_round")
                return state.earlier_to_verify or first
            case "in_hours":
                return bool(self._variables.get("in_hours", False))
            case "may_record":
                return bool(self._variables.get("may_record", False)) and self.can("record")
            case "position_known":
                return 0 < state.position <= LAST_NUMBER
        return _set(state, condition)

    def values(self) -> tuple[tuple[str, str], ...]:
        """What prompts are joined with now."""
        case, state = self.case, self._state
        values = {}
        if case:
            values["month"], values["day"] = str(case["month"]), str(case["day"])
            values["category"] = case.get("category") or "other"
        if state.rating is not None:
            values["rating"] = f"{self._flow.scale}.{state.rating}"
        if self.true("position_known"):
            values["position"] = str(state.position)
        return tuple(sorted(values.items()))


def _set(state: State, condition: str) -> bool:
    """`name` holds where it's set to something, `name=value` where it's set to that."""
    name, equals, value = condition.partition("=")
    given = state.set.get(name, False)
    if equals:
        return (str(given).lower() if isinstance(given, bool) else str(given)) == value
    return bool(given)
