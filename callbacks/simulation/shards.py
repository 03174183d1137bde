"""A simulated city in several processes: each has its own citizens, cases, lines and database in memory."""

from __future__ import annotations

import gc
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import structlog

from callbacks.database import make_engine, make_sessions
from callbacks.privacy import new_privacy
from callbacks.schema import upgrade
from callbacks.service.core import Context, Subscriber
from callbacks.settings import OfficeSettings, PolicySettings
from callbacks.simulation.closings import Plan
from callbacks.simulation.report import Figures, ledger_lines, read_figures
from callbacks.simulation.run import TICK, Simulation
from callbacks.simulation.texts import Parsed
from callbacks.simulation.world import World
from callbacks.units import import_units

UNITS = Path(__file__).parent.parent / "samples" / "units.csv"


@dataclass(frozen=True)
class City:
    """What every shard is given; it travels to another process. `scores` makes the score ledger."""

    plan: Plan
    policy: PolicySettings
    office: OfficeSettings
    read: Callable[[str], Parsed]
    scores: Callable[[], Subscriber]
    units: Path = UNITS

    def shard(self, number: int, shards: int) -> City:
        return replace(self, plan=replace(self.plan, shard=number, shards=shards))


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    figures: Figures
    ledger: list[str]


def simulate(city: City, shards: int) -> Outcome:
    """Runs the city to its end; the same city and shards give the same outcome."""
    parts = [city.shard(number, shards) for number in range(shards)]
    figures, ledger = Figures(), []
    for part in _run_all(parts):
        figures.add(part.figures)
        ledger += part.ledger
    return Outcome(figures, sorted(ledger))


def _run_all(parts: Sequence[City]) -> list[Outcome]:
    if len(parts) == 1:
        return [run_shard(parts[0])]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(parts), mp_context=context) as pool:
        return list(pool.map(run_shard, parts))


def run_shard(city: City) -> Outcome:
    """One shard, in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.set_threshold(20_000)  # rows come and go by the million; hardly any refer to one another
    simulation = make_simulation(city)
    simulation.run()
    figures = Figures(
        lines=simulation.voice.lines,
        peak=simulation.voice.peak,
        busy_seconds=simulation.voice.busy_seconds,
    )
    timezone = city.policy.windows.timezone
    with simulation.ctx.sessions() as session:
        figures.add(read_figures(session, timezone))
        return Outcome(figures, ledger_lines(session))


def make_simulation(city: City) -> Simulation:
    """The real service on a database in memory whose clock is the virtual one."""
    world = World(city.plan.start)
    engine = make_engine("sqlite://", clock=lambda: world.now)
    upgrade(engine)
    # The virtual workers renew their leases at each look, not every few seconds.
    policy = city.policy.model_copy(update={"lease": max(city.policy.lease, timedelta(seconds=10 * TICK))})
    ctx = Context(make_sessions(engine), policy, city.office, new_privacy(), (city.scores(),))
    _, faults = import_units(ctx, city.units, world.now)
    assert not faults, faults
    return Simulation(ctx, world, city.plan, city.read)


__all__ = ["City", "Outcome", "make_simulation", "run_shard", "simulate"]
