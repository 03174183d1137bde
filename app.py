"""The composition root: settings, the wiring of the packages, and the command line (`huifang = app:main`)."""

from __future__ import annotations

import gc
import hashlib
import hmac
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click
import structlog
from pydantic import Field, IPvAnyNetwork, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy import Engine

import callbacks
from callbacks.agent_settings import AgentSettings, agent_faults, agents_are_in
from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.intake_settings import IntakeSettings
from callbacks.outcomes import OutcomeFeed
from callbacks.privacy import KeyFileError, Privacy, load_or_create
from callbacks.rating import SCALES
from callbacks.reminder_settings import ReminderSettings
from callbacks.schema import upgrade
from callbacks.service.core import Context
from callbacks.service.policy_versions import (
    LOOK_SECONDS,
    PolicyUnreadable,
    newest_policy,
    refresh_policy,
    watching_policy,
)
from callbacks.settings import DatabaseSettings, OfficeSettings, PolicySettings, Section
from callbacks.stopping import Stop, stop_on_signals
from callbacks.target_settings import TargetName, TargetSettings, trunk_faults
from callbacks.vocabulary import Role
from callbacks.webhook_settings import Webhooks
from callbacks.windows import calendar_ends
from ivr.collector import spare_the_voice
from ivr.hosts import is_loopback
from ivr.inbound.settings import InboundSettings, target_faults
from ivr.settings import CitySettings, VoiceSettings
from prompts.place import PromptPlace
from scoring.item_settings import ItemSettings
from scoring.ledger import ScoreLedger
from scoring.settings import ScoringSettings
from sms.settings import SmscSettings, SmsSettings

if TYPE_CHECKING:
    from ivr.announcement_folder import AnnouncementFolder
    from ivr.flow_shelf import FolderShelf
    from ivr.put_through import People
    from ivr.speech import SpokenPrompts
    from ivr.twilio_targets import Numbers
    from sms.inbound import Inbox

ENV_PREFIX = "HUIFANG_"
_LONGEST_REQUEST = 16 * 2**20  # the desk's forms with files and the API refuse less, each with a reason
_OUTCOMES = 200  # numbered in one transaction
_LINKS = 500  # lines of the audit, in one transaction
_LINK_SECONDS = 3.0
_DAILY = 86_400.0
_BEFORE_THE_CALENDARS_END = timedelta(days=60)
_GAP_TURNS = 10  # the clock looks for a proof more often than for gaps, which reads more
ROLES = ("web", "clock", "voice", "inbound", "sms")
EXAMPLE_OFFICE = OfficeSettings(
    name="示例市110联动办",
    area_code="0379",
    signature="示例市110联动",
    sender_code="106380110",
    caller_number="037963110110",
)
DEMO_PRESET = Path(callbacks.__file__).parent / "demo.toml"
T = TypeVar("T")
log = structlog.get_logger(__name__)


class WebSettings(Section):
    """The desk's address. Put a TLS proxy before it where others than this machine may reach it."""

    host: str = "127.0.0.1"
    port: int = Field(8110, ge=0, le=65535)
    threads: int = Field(8, ge=1, le=64)
    public_url: str = Field("", max_length=200, description="where citizens reach the page of their code")
    metrics_from: tuple[IPvAnyNetwork, ...] = Field(
        (ip_network("127.0.0.0/8"), ip_network("::1/128")),
        description="the networks that may read /metrics; [] is nobody",
    )
    trusted_proxy: str = Field(
        "", max_length=45, description="the proxy's address, whose X-Forwarded-For names who asks"
    )

    @property
    def citizens_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"


class ServeSettings(Section):
    """How the roles are run."""

    drain_seconds: float = Field(20.0, ge=0.1, description="how long a role may finish after SIGTERM")
    clock_seconds: float = Field(1.0, ge=0.1, description="how often the clock looks for what is due")
    assess_seconds: float = Field(60.0, ge=1.0, description="how often the month's scores are computed")
    watch_seconds: float = Field(
        60.0, ge=0.1, description="how often the clock looks for a nightly proof to take and gaps at intake"
    )
    remind_seconds: float = Field(5.0, ge=0.1, description="how often the next cases' clocks are looked at")
    poll_seconds: float = Field(0.5, ge=0.05, description="how often a worker asks for work")


class Settings(BaseSettings):
    """All of a city's settings: from `--config FILE.toml`, and over it from `HUIFANG_SECTION__KEY`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )
    file: ClassVar[Path | None] = None

    office: OfficeSettings
    database: DatabaseSettings = DatabaseSettings()
    policy: PolicySettings = PolicySettings()
    voice: VoiceSettings = VoiceSettings()
    inbound: InboundSettings = InboundSettings()
    targets: dict[TargetName, TargetSettings] = Field({}, description="telephones of our own, by name")
    agents: AgentSettings = AgentSettings()
    sms: SmsSettings = SmsSettings()
    reminders: ReminderSettings = ReminderSettings()
    intake: IntakeSettings = IntakeSettings()
    scoring: ScoringSettings = ScoringSettings()
    dissatisfaction: ItemSettings = ItemSettings()
    webhooks: Webhooks = ()
    web: WebSettings = WebSettings()
    serve: ServeSettings = ServeSettings()
    city: CitySettings = CitySettings()
    smsc: SmscSettings = SmscSettings()
    recordings: Path | None = Field(None, description="a folder of recordings that override speech")
    language: str = Field("zh-CN", pattern="^(zh-CN|en)$", description="of prompts and texts to citizens")
    demo: bool = Field(False, description="the demo's preset; only for a trunk on loopback")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if cls.file is None:
            return (init_settings, env_settings)
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.file))


class ConfigError(click.ClickException):
    """The configuration can't be used; each line names file, key and what would be right."""

    exit_code = 2


def load_settings(path: Path | None) -> Settings:
    """The settings of `path` and the environment; ConfigError names what is wrong."""
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: no such file; write one after deploy/huifang.toml")
    source = type("Settings", (Settings,), {"file": path})
    try:
        return source()  # type: ignore[no-any-return]
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(path, dict(each)) for each in error.errors())) from None
    except ValueError as error:  # TOML that isn't
        raise ConfigError(f"{path}: {error}") from None


_ALTERNATIVE = re.compile(r"(function-\w+|literal)\[")  # which form of a value is meant, as pydantic says it


def _fault(path: Path | None, error: Mapping[str, Any]) -> str:
    """`huifang.toml: office.area_code: field required; with its leading 0, e.g. 0379`."""
    location = [str(part) for part in error["loc"] if not _ALTERNATIVE.match(str(part))]
    variable = ENV_PREFIX + "__".join(location).upper()
    place = variable if variable in os.environ else f"{path or 'no --config file'}: {'.'.join(location)}"
    hint = _description(location)
    return f"{place}: {error['msg']}" + (f"; {hint}" if hint else "")


def _description(location: list[str]) -> str | None:
    model: Any = Settings
    for depth, name in enumerate(location):
        field = getattr(model, "model_fields", {}).get(name)
        if field is None:
            return None
        if depth == len(location) - 1:
            return field.description  # type: ignore[no-any-return]
        model = field.annotation
    return None


def configure_logging() -> None:
    """One line an event: JSON, for people where it's a terminal; on stderr, or in HUIFANG_LOG_FILE."""
    name = os.environ.get("HUIFANG_LOG_FILE")
    out = Path(name).open("a", encoding="utf-8") if name else sys.stderr  # noqa: SIM115 (for good)
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if out.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, os.environ.get("HUIFANG_LOG", "INFO").upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(out),
    )


@dataclass(frozen=True)
class Office:
    """Everything that a role or a command works with; `close` it."""

    settings: Settings
    engine: Engine
    privacy: Privacy
    context: Context

    def close(self) -> None:
        self.engine.dispose()


def open_office(settings: Settings) -> Office:
    """Connects to the database, brings its tables up to date, and wires the scores to the callbacks."""
    if settings.database.url.startswith("sqlite:///"):
        Path(settings.database.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database.url)
    upgrade(engine)
    privacy = _privacy(settings)
    sessions = make_sessions(engine)
    policy, version = newest_policy(sessions, settings.policy)
    context = Context(
        sessions=sessions,
        policy=policy,
        office=settings.office,
        privacy=privacy,
        subscribers=(ScoreLedger(policy.windows.timezone, settings.scoring), OutcomeFeed()),
        reminders=settings.reminders,
        policy_version=version,
        urgent=_tells_of_danger,
        toll=settings.voice.toll,
    )
    return Office(settings, engine, privacy, context)


def _privacy(settings: Settings) -> Privacy:
    try:
        return load_or_create(settings.database.key_file)
    except KeyFileError as error:
        raise ConfigError(str(error)) from None


def _tells_of_danger(words: str) -> bool:
    """By the rules for texts, whichever way the words came."""
    from sms.reply import is_emergency, normalise

    return is_emergency(normalise(words))


def web_secret(privacy: Privacy) -> bytes:
    """The key that signs the desk's cookies, derived from the key file."""
    return hmac.new(privacy.index_key, b"desk cookies", hashlib.sha256).digest()


# -- roles


def run_role(office: Office, role: str, stop: Stop) -> None:
    """Runs one role until `stop`."""
    structlog.contextvars.bind_contextvars(role=role)
    try:
        refresh_policy(office.context)
    except PolicyUnreadable as error:
        raise ConfigError(f"{error}\nsave one that this program can read: huifang policy save") from None
    {"web": _run_web, "clock": _run_clock, "voice": _run_voice, "sms": _run_sms}[role](office, stop)


def create_app(office: Office, inbox: Inbox) -> Any:
    """The WSGI application: the desk, and beside it the citizens' page, the API and the providers' pushes."""
    from callbacks.api import ApiDeps, beside, create_api
    from callbacks.metrics import OfficeCollector, office_registry
    from callbacks.metrics_app import PATH, create_metrics
    from scoring.web import citizen_page
    from scoring.web.desk import DeskDeps, create_desk
    from sms.push_app import PREFIX, create_pushes, push_sources

    settings = office.settings
    deps = DeskDeps(
        sessions=office.context.sessions,
        read_sessions=make_read_sessions(office.engine),
        privacy=office.privacy,
        office=settings.office,
        policy=office.context.policy,
        scoring=settings.scoring,
        demo=settings.demo,
        secret_key=web_secret(office.privacy),
        now=lambda: datetime.now(UTC),
        service=office.context,
        targets=settings.targets,
        transfers=settings.inbound.codes,
        items=settings.dissatisfaction,
        flows=flow_shelf(settings),
        prompts=prompt_place(settings),
        recordings=settings.inbound.recordings,
    )
    api = ApiDeps(
        office.context, deps.read_sessions, deps.now, settings.web.citizens_url, intake=settings.intake
    )
    page = citizen_page.CitizenDeps(office.context, deps.now, settings.demo)
    others: dict[str, Any] = {"/api/": create_api(api)}
    others[citizen_page.PREFIX] = citizen_page.create_citizen_page(page)
    if sources := push_sources(settings.sms):
        others[PREFIX] = create_pushes(inbox, sources)
    others |= _voice_webhooks(office)
    collector = OfficeCollector(deps.read_sessions, settings.database.spool_folder, deps.now)
    others[PATH] = create_metrics(office_registry(collector), settings.web.metrics_from)
    return beside(create_desk(deps), others)


def _voice_webhooks(office: Office) -> dict[str, Any]:
    """The steps of the calls that Twilio carries, where it carries any."""
    settings = office.settings.voice.twilio
    if settings is None:
        return {}
    from ivr.twilio_app import create_webhooks
    from ivr.twilio_dialogues import Dialogues
    from ivr.twilio_settings import PREFIX

    script = cache(lambda: voice_script(office.settings))
    dialogues = Dialogues(office.context, settings, script, numbers=public_numbers(office.settings))
    return {PREFIX: create_webhooks(dialogues)}


def _run_web(office: Office, stop: Stop) -> None:
    from sms.inbound import Inbox
    from sms.push_app import catching_up

    web = office.settings.web
    inbox = Inbox(office.context, office.settings.database.spool_folder, "web")
    server = web_server(create_app(office, inbox), web, {})
    log.info("desk_ready", url=f"http://{web.host}:{server.effective_port}")
    stop.on_set(server.close)
    looking = watching_policy(office.context)
    gc.freeze()  # what is loaded now stays: a whole collection took 100 ms of somebody's page
    with catching_up(inbox, office.settings.serve.clock_seconds), looking:
        try:
            server.run()
        except OSError:
            if not stop.is_set():
                raise


def web_server(application: Any, web: WebSettings, sockets: dict[int, Any]) -> Any:
    """waitress over `sockets`, its own map; what is too long for it is answered with a page."""
    from waitress.server import BaseWSGIServer, create_server

    from scoring.web.too_long import reading_to_the_end
    from scoring.web.uploads import MOST_MEGABYTES

    server = create_server(
        application,
        map=sockets,
        host=web.host,
        port=web.port,
        threads=web.threads,
        max_request_body_size=_LONGEST_REQUEST,
        **_proxy(web),
    )
    for each in list(sockets.values()):
        if isinstance(each, BaseWSGIServer):  # one for each address of a host with several
            each.channel_class = reading_to_the_end(MOST_MEGABYTES)
    return server


def _proxy(web: WebSettings) -> dict[str, Any]:
    """Behind a proxy all would count as one address; only a proxy that is named is believed."""
    if not web.trusted_proxy:
        return {}
    return {
        "trusted_proxy": web.trusted_proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for"},
        "clear_untrusted_proxy_headers": True,
    }


def _run_clock(office: Office, stop: Stop) -> None:
    from callbacks.api.idempotency import forget_requests
    from callbacks.clock import run_clock
    from callbacks.intake_folder import watching_folder
    from callbacks.service.audit_checks import check_due
    from callbacks.service.audit_links import link_audit
    from callbacks.service.gaps import find_gaps
    from callbacks.service.inbound import end_orphaned
    from callbacks.service.leases import is_gone
    from callbacks.service.messages import purge_messages
    from callbacks.service.outcomes import number_outcomes
    from callbacks.service.proofs import take_due_proofs
    from callbacks.service.recordings import purge_recordings
    from callbacks.service.reminders import Walk, remind_due
    from callbacks.webhook_sender import sending
    from scoring.item_clock import run_item_clocks
    from scoring.items import ItemRules
    from scoring.month_heads import published_heads

    serve, settings, walk = office.settings.serve, office.settings, Walk()
    reading = make_read_sessions(office.engine)
    timezone = office.context.policy.windows.timezone
    rules = ItemRules(settings.dissatisfaction, settings.scoring.adjustments, timezone)

    def number(now: datetime) -> None:
        while number_outcomes(office.context, now, _OUTCOMES, settings.webhooks) == _OUTCOMES:
            pass

    def link(now: datetime) -> None:
        while link_audit(office.context, now, _LINKS) == _LINKS:
            pass

    def verify(now: datetime) -> None:
        with reading() as session:
            heads = published_heads(session)
        check_due(office.context, reading, now, heads)

    jobs: dict[str, tuple[float, Callable[[datetime], object]]] = {
        "policy": (LOOK_SECONDS, lambda _now: refresh_policy(office.context)),
        "assess": (serve.assess_seconds, lambda now: assess_months(office, now)),
        "remind": (
            serve.remind_seconds,
            lambda now: remind_due(office.context, now, settings=settings.reminders, walk=walk),
        ),
        "item_clocks": (serve.clock_seconds, lambda now: run_item_clocks(office.context, rules, now)),
        "number_outcomes": (serve.clock_seconds, number),
        "find_gaps": (
            _GAP_TURNS * serve.watch_seconds,
            lambda now: find_gaps(office.context, reading, settings.intake, now),
        ),
        "prove_ledger": (serve.watch_seconds, lambda now: take_due_proofs(office.context, reading, now)),
        "link_audit": (_LINK_SECONDS, link),
        "verify_audit": (serve.watch_seconds, verify),
        "end_orphaned": (_LINK_SECONDS, lambda now: end_orphaned(office.context, is_gone, now)),
        "purge_messages": (_DAILY, lambda now: purge_messages(office.context, now)),
        "forget_requests": (_DAILY, lambda now: forget_requests(office.context, now)),
    }
    if (folder := settings.inbound.recordings) is not None:
        days = settings.inbound.recordings_days
        jobs["purge_recordings"] = _DAILY, lambda now: purge_recordings(office.context, folder, days, now)
    post_entries(office, datetime.now(UTC))
    watching = watching_folder(office.context, settings.intake, stop)
    with sending(office.context, settings.webhooks, stop, serve.clock_seconds), watching:
        run_clock(office.context, stop, serve.clock_seconds, jobs)


def assess_months(office: Office, now: datetime) -> None:
    """Computes the records of every month that isn't published."""
    from scoring.assessment import compute_month, months_with_entries

    timezone = office.context.policy.windows.timezone
    with office.context.sessions() as session:
        months = months_with_entries(session, timezone, now)
    for month in months:
        compute_month(office.context.sessions, month, office.settings.scoring, timezone, now)


def post_entries(office: Office, now: datetime) -> None:
    """Enters what an earlier version left without an entry."""
    from scoring.posting import post_missing

    timezone = office.context.policy.windows.timezone
    post_missing(office.context.sessions, office.settings.scoring, timezone, now)


def _run_voice(office: Office, stop: Stop) -> None:
    from callbacks.service.leases import owner_name
    from ivr.dialplan import DialPlan
    from ivr.lines import open_line
    from ivr.script_watch import ScriptWatch
    from ivr.twilio_line import TwilioWorker
    from ivr.worker import VoiceWorker
    from prompts.catalogue import load_catalogue

    settings = office.settings
    script = voice_script(settings)
    check_scale(office.context.policy, script.flow.scale)
    numbers = {name: target.number for name, target in settings.targets.items()}
    plan = DialPlan(settings.office.area_code, settings.office.own_numbers, numbers)
    owner = owner_name("voice")
    if settings.voice.line == "twilio":
        poll = settings.serve.poll_seconds
        cloud = TwilioWorker(
            office.context,
            settings.voice,
            script,
            plan,
            owner=owner,
            poll_seconds=poll,
            numbers=public_numbers(settings),
            in_hours=lambda now: agents_are_in(now, settings.agents, settings.policy.windows),
        )
        cloud.run(stop, settings.serve.drain_seconds)
        return
    line = open_line(settings.voice, announcements(settings).announcements)
    worker = VoiceWorker(
        office.context,
        line,
        settings.voice,
        script,
        plan,
        trunks=line.trunks,
        owner=owner,
        poll_seconds=settings.serve.poll_seconds,
        spool_folder=settings.database.spool_folder,
        targets=settings.targets,
        look_for_script=ScriptWatch(
            flow_shelf(settings), script.flow.name, load_catalogue(), settings.language
        ),
        people=people(settings, settings.voice.trunks[0].name),
        in_hours=lambda now: agents_are_in(now, settings.agents, settings.policy.windows),
    )
    spare_the_voice()
    worker.run(stop, settings.serve.drain_seconds)


def run_inbound(settings: Settings, stop: Stop) -> None:
    """Brings who calls 110 to a person, with the database or without it."""
    from callbacks.service.leases import owner_name
    from callbacks.spool import own_spool
    from callbacks.writer import Writer
    from ivr.inbound.keeper import Keeper
    from ivr.inbound.ring_back import RingBackRules, RingBacks
    from ivr.inbound.role import InboundRole
    from ivr.recording_files import RecordingFiles
    from ivr.sip_line import SipLine
    from ivr.trunk_reports import TrunkReports

    structlog.contextvars.bind_contextvars(role="inbound")
    if not settings.inbound.enabled:
        raise ConfigError("inbound.trunks: none; name the trunks that bring 110")
    privacy = _privacy(settings)
    line = SipLine(settings.inbound, takes_calls=True)
    spool = settings.database.spool_folder
    owner = owner_name("inbound")
    keeper = Keeper(lambda: open_office(settings).context, owner, spool, privacy)
    writer = Writer(line.wake, own_spool(spool, "inbound", privacy), keeper.waited)
    writer.submit(keeper.play_orphans)
    writer.submit(keeper.end_orphaned)
    prompts, shelf = _prompts(settings), flow_shelf(settings)
    windows = settings.policy.windows
    rules = RingBackRules(
        lambda: shelf.load("callback_line"),
        prompts,
        settings.policy.scale,
        windows.timezone,
        settings.voice.messages,
        people(settings, settings.inbound.trunks[0].name),
        lambda now: agents_are_in(now, settings.agents, windows),
    )
    folder = settings.inbound.recordings
    role = InboundRole(
        line,
        settings.inbound,
        settings.targets,
        settings.office.area_code,
        prompts,
        writer,
        keeper.keep,
        keeper.hold,
        ring_backs=RingBacks(line, rules, writer, keeper.look, keeper.keep),
        files=None if folder is None else RecordingFiles(folder),
        look=prompts.look,
        owner=owner,
        best_trunk=line.trunks.best,
        reports=TrunkReports(line.trunks, writer, keeper.tell_trunks, keeper.forget_trunks),
    )
    log.info("inbound_ready", port=line.port, mode=settings.inbound.mode.value)
    spare_the_voice()
    role.run(stop)


def people(settings: Settings, trunk: str) -> People:
    """Whom a flow may put a citizen through to: the office's agents, or one of the targets by its name."""
    from ivr.flow_data import AGENTS
    from ivr.put_through import People, Telephone

    each = {
        name: Telephone(name, target.number, target.trunk or trunk)
        for name, target in settings.targets.items()
    }
    agents = tuple(each[name] for name in settings.agents.telephones)
    return People({AGENTS: agents, **{n: (t,) for n, t in each.items()}}, settings.agents.ring_time)


def public_numbers(settings: Settings) -> Numbers:
    """The same, of whom a cloud number reaches."""
    from ivr.twilio_targets import numbers_of

    return numbers_of(settings.targets, settings.agents.telephones)


def check_scale(policy: PolicySettings, scale: str) -> None:
    """A survey's keys mean what its own scale says; another would count 不满意 as something else."""
    if policy.scale != scale:
        raise ConfigError(f"policy.scale: {policy.scale}, but the survey asks on {scale}; set {scale}")


def survey_scale() -> str:
    """The scale on which the callbacks' survey asks."""
    from ivr.flow_load import FLOWS, load_flow
    from prompts.catalogue import load_catalogue

    return load_flow(FLOWS / "satisfaction_survey.toml", load_catalogue()).scale


def prompt_place(settings: Settings) -> PromptPlace:
    """Where this city's prompts are."""
    made = settings.database.key_file.parent / "prompts" / settings.language
    return PromptPlace(settings.language, settings.recordings, made, settings.office.name)


def announcement_folder(settings: Settings) -> Path:
    """Where this city keeps what its carriers say before a call fails."""
    return settings.voice.announcements or settings.database.key_file.parent / "announcements"


def announcements(settings: Settings) -> AnnouncementFolder:
    """Those that can be read; for the others there is a line of the log each."""
    from ivr.announcement_folder import read_announcements

    found = read_announcements(announcement_folder(settings))
    for fault in found.faults:
        log.warning("announcement_left_out", fault=fault)
    return found


def _prompts(settings: Settings) -> SpokenPrompts:
    """All that is said, as audio, in the city's language and with its office's name."""
    from ivr.speech import SpokenPrompts
    from prompts.store import PromptStore

    place = prompt_place(settings)
    store = PromptStore(place.language, recordings=place.recordings, made=place.made)
    store.ensure_office(place.office)
    return SpokenPrompts(store)


def flow_shelf(settings: Settings) -> FolderShelf:
    """The flows that hold: those of the program, and the city's own before them."""
    from ivr.flow_shelf import FolderShelf

    return FolderShelf(settings.voice.flows or settings.database.key_file.parent / "flows")


def voice_script(settings: Settings, flow_name: str = "satisfaction_survey") -> Any:
    """The flow, its audio, and the version of its words."""
    from ivr.carried_call import Script
    from ivr.flow_load import FlowError, prompt_version
    from prompts.catalogue import load_catalogue

    try:
        flow = flow_shelf(settings).load(flow_name)
    except FlowError as error:
        raise ConfigError(str(error)) from error
    check_scale(settings.policy, flow.scale)
    prompts = _prompts(settings)
    return Script(flow, prompts, prompt_version(flow, load_catalogue(), settings.language), prompts.look)


def _run_sms(office: Office, stop: Stop) -> None:
    from callbacks.service.leases import owner_name
    from sms.gateways import make_gateways
    from sms.inbound import Inbox
    from sms.link_watch import WatchedGateway
    from sms.worker import SmsWorker

    settings = office.settings
    worker = SmsWorker(
        office.context,
        WatchedGateway(make_gateways(settings.sms), partial(_gateway_down, office.context)),
        Inbox(office.context, settings.database.spool_folder, "sms"),
        poll_seconds=settings.serve.poll_seconds,
        submit_timeout=settings.sms.submit_timeout,
        owner=owner_name("sms"),
    )
    worker.run(stop, settings.serve.drain_seconds)


def _gateway_down(context: Context, gateway: str, reason: str, seconds: float) -> None:
    """A seat learns that no texts leave over this gateway."""
    from callbacks.alarms import AlarmKind, raise_alarm

    told = {"reason": reason[:200], "seconds": round(seconds)}
    now = datetime.now(UTC)
    context.run(lambda session: raise_alarm(session, AlarmKind.GATEWAY_DOWN, gateway[:80], now, **told))


def supervise(office: Office, command: list[str], stop: Stop) -> None:
    """Starts and watches a child per role; a dead child's leases are settled at once."""
    from callbacks.service.leases import owner_name, settle_leases
    from callbacks.supervisor import Supervisor

    def on_death(role: str, pid: int) -> None:
        settled = settle_leases(office.context, datetime.now(UTC), owner=owner_name(role, pid))
        log.info("leases_settled", role=role, pid=pid, settled=settled)

    settings = office.settings
    on = {"sms": settings.sms.enabled, "inbound": settings.inbound.enabled}
    roles = [role for role in ROLES if on.get(role, True)]
    commands = {role: [*command, "serve", "--role", role] for role in roles}
    drains = [settings.serve.drain_seconds]
    drains += [settings.inbound.drain_seconds] if settings.inbound.enabled else []  # who talks, talks on
    Supervisor(commands, on_death, drain_seconds=max(drains) + 2).run(stop)


# -- the command line


class _Commands(click.Group):
    """Takes `--config FILE` after the command too, where most people write it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--config" in args[1:-1]:
            place = args.index("--config")
            args = [*args[place : place + 2], *args[:place], *args[place + 2 :]]
        return super().parse_args(ctx, args)


@dataclass(frozen=True)
class CommandLine:
    """What the commands of `callbacks.commands` are given."""

    config: Path | None

    def policy(self) -> PolicySettings:
        return load_settings(self.config).policy if self.config else PolicySettings()

    def intake(self) -> IntakeSettings:
        return load_settings(self.config).intake if self.config else IntakeSettings()

    def survey_scale(self) -> str:
        return survey_scale()

    def office(self) -> OfficeSettings:
        return load_settings(self.config).office if self.config else EXAMPLE_OFFICE

    def prompt_place(self) -> PromptPlace | None:
        return prompt_place(load_settings(self.config)) if self.config else None

    def announcement_folder(self) -> Path | None:
        return announcement_folder(load_settings(self.config)) if self.config else None

    def with_context(self, work: Callable[[Context], T]) -> T:
        office = open_office(load_settings(self.config))
        try:
            return work(office.context)
        finally:
            office.close()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar="HUIFANG_CONFIG",
    help="The city's settings (TOML).",
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Huifang 回访: every closed case followed up by telephone and text, scored and ranked."""
    configure_logging()
    ctx.obj = CommandLine(config)


def _settings(ctx: click.Context) -> Settings:
    return load_settings(ctx.obj.config)


def _with_office(ctx: click.Context, work: Callable[[Office], Any]) -> Any:
    office = open_office(_settings(ctx))
    try:
        return work(office)
    finally:
        office.close()


@main.command()
@click.option("--role", type=click.Choice(ROLES), help="Run this role alone.")
@click.pass_context
def serve(ctx: click.Context, role: str | None) -> None:
    """Run the service: web, clock, voice, inbound and sms, each a process of its own."""
    settings = _settings(ctx)
    check_demo(settings)
    check_targets(settings)
    if role == "inbound":  # whoever calls 110 doesn't wait for a database
        run_inbound(settings, stop_on_signals())
        return
    office = open_office(settings)
    stop = stop_on_signals()
    try:
        if role is not None:
            run_role(office, role, stop)
        else:
            supervise(office, self_command(ctx.obj.config), stop)
    finally:
        office.close()


def self_command(config: Path | None) -> list[str]:
    """How a child of ours is started: this program, with the same settings."""
    command = [sys.executable, "-m", "app"]
    return command if config is None else [*command, "--config", str(config)]


def check_demo(settings: Settings) -> None:
    """The demo's preset ignores windows and caps: it may call nobody but a simulated city."""
    away = [f"voice.trunks {t.name}" for t in settings.voice.trunks if not is_loopback(t.host)]
    away += [f"inbound.trunks {t.name}" for t in settings.inbound.trunks if not is_loopback(t.host)]
    if settings.voice.twilio is not None and not settings.voice.twilio.host.startswith("127."):
        away.append("voice.twilio")
    away += [f"sms.gateways {g.name}" for g in settings.sms.gateways if not g.host.startswith("127.")]
    if settings.demo and away:
        what = ", ".join(away)
        raise ConfigError(f"demo = true is only for loopback; {what} isn't. Remove demo, or the preset.")


def check_targets(settings: Settings) -> None:
    """Each of our own telephones is reached by a trunk that there is."""
    trunks = (*settings.voice.trunks, *settings.inbound.trunks)
    faults = trunk_faults(settings.targets, tuple(trunk.name for trunk in trunks))
    faults += target_faults(settings.inbound, settings.targets)
    faults += agent_faults(settings.agents, settings.targets)
    if faults:
        raise ConfigError("\n".join(faults))


@main.command("import-cases")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Refuse all when one row is bad.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.pass_context
def import_cases_command(ctx: click.Context, file: Path, strict: bool, dry_run: bool) -> None:
    """Import open and closed cases: CSV, xlsx or JSON lines. The same file twice changes nothing."""
    from callbacks.intake import import_cases
    from callbacks.intake_files import UnreadableFile

    def work(office: Office) -> None:
        try:
            report = import_cases(
                office.context, file, datetime.now(UTC), strict=strict, dry_run=dry_run, progress=_show_rows
            )
        except UnreadableFile as error:
            raise click.ClickException(str(error)) from None
        for fault in report.faults:
            click.echo(f"{file}: {fault}", err=True)
        done = (
            ", ".join(f"{number} {word}" for word, number in sorted(report.done.items())) or "nothing to do"
        )
        bad = len({fault.line for fault in report.faults})
        note = " (dry run: nothing written)" if dry_run else ""
        click.echo(f"{report.rows} rows: {done}; {bad} bad{note}")
        if strict and report.faults:
            raise click.ClickException("refused: --strict, and there are faults")

    _with_office(ctx, work)


def _show_rows(rows: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{rows} rows", nl=False, err=True)


@main.command("import-units")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def import_units_command(ctx: click.Context, file: Path) -> None:
    """Import the units: code, name, name_en, group, level, parent."""
    from callbacks.units import import_units

    def work(office: Office) -> None:
        number, faults = import_units(office.context, file, datetime.now(UTC))
        for fault in faults:
            click.echo(f"{file}: {fault}", err=True)
        if faults:
            raise click.ClickException("nothing written")
        click.echo(f"{number} units")

    _with_office(ctx, work)


@main.group()
def config() -> None:
    """The configuration."""


@config.command("check")
@click.pass_context
def config_check(ctx: click.Context) -> None:
    """Check the settings, and warn of what isn't ready for the public."""
    settings = _settings(ctx)
    check_demo(settings)
    check_targets(settings)
    check_scale(settings.policy, survey_scale())
    faults = [fault for flow in flow_shelf(settings).flows() for fault in flow.faults]
    if faults := [*faults, *_read_announcements(settings).faults]:
        raise click.ClickException("\n".join(faults))
    for warnings in (_of_calls, _of_announcements, _of_days, _of_texts, _of_the_web, _of_intake):
        for warning in warnings(settings):
            click.echo(f"warning: {warning}", err=True)
    click.echo("the settings are right")


def _of_calls(settings: Settings) -> Iterator[str]:
    from prompts.store import PromptStore

    missing = PromptStore(settings.language, recordings=settings.recordings).unrecorded()
    if missing:
        yield f"{len(missing)} prompts are speech, not recordings: {', '.join(missing[:4])} …"
    if settings.voice.line == "twilio":
        yield "voice.twilio: not yet tried on Twilio itself; begin with a few calls. Agents ring by no click"
        if settings.voice.messages:
            yield "voice.messages: Twilio records them, until they are kept here; false asks for none"
    elif not settings.voice.trunks:
        yield "voice.trunks is empty: nobody can be called"
    if not any(target.logins for target in settings.targets.values()):
        yield "targets: none has logins, so no agent can call by a click on the desk"


def _read_announcements(settings: Settings) -> AnnouncementFolder:
    from ivr.announcement_folder import AnnouncementFolder, read_announcements
    from ivr.media.announcements import Announcements

    if settings.voice.line == "sip":
        return read_announcements(announcement_folder(settings))
    return AnnouncementFolder(Announcements())


def _of_announcements(settings: Settings) -> Iterator[str]:
    folder = settings.voice.announcements
    if folder is not None and not folder.is_dir():
        yield f"voice.announcements: {folder} isn't there, or is no folder; the status alone decides"
    yield from _read_announcements(settings).warnings


def _of_days(settings: Settings) -> Iterator[str]:
    ends = calendar_ends(settings.policy.windows)
    if ends is not None and ends < datetime.now(UTC).date() + _BEFORE_THE_CALENDARS_END:
        yield (
            f"policy.windows: China's public holidays are known up to {ends}; "
            "set the later ones as holidays and workdays"
        )


def _of_texts(settings: Settings) -> Iterator[str]:
    for gateway in settings.sms.gateways:
        if gateway.kind == "cmpp":
            yield (
                f"sms.gateways {gateway.name}: CMPP has not yet been tried on a carrier; "
                "begin with a few texts"
            )


def _of_the_web(settings: Settings) -> Iterator[str]:
    """What others than this machine can't reach, or can and shouldn't."""
    web = settings.web
    if not web.public_url:
        yield (
            f"web.public_url is empty: codes are given out for {web.citizens_url}, which citizens can't reach"
        )
    for network in web.metrics_from:
        if not network.is_loopback:
            yield f"web.metrics_from: {network} is more than this machine; /metrics asks for no login"
    if web.public_url and not web.trusted_proxy and any(each.is_loopback for each in web.metrics_from):
        yield (
            "web.trusted_proxy is empty: behind a proxy on this machine everybody counts as this machine, "
            "/metrics is open to all and one guesser of codes shuts out the others"
        )


def _of_intake(settings: Settings) -> Iterator[str]:
    folder = settings.intake.folder
    if folder is None:
        return
    if not folder.is_dir():
        yield f"intake.folder: {folder} isn't there, or is no folder; no case files are taken from it"
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield f"intake.folder: {folder} can't be read and written by this user; files are moved within it"


@main.group()
def user() -> None:
    """The desk's users."""


@user.command("add")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--role", "role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--unit", help="Code of a unit user's unit.")
@click.password_option()
@click.pass_context
def user_add(ctx: click.Context, login: str, name: str, role: str, unit: str | None, password: str) -> None:
    """Add a user of the desk; the password is asked for."""

    def work(office: Office) -> None:
        _add_user(office, login, name, Role(role), password, unit)
        click.echo(f"{login} may sign in as {role}")

    _with_office(ctx, work)


def _add_user(
    office: Office, login: str, name: str, role: Role, password: str, unit: str | None = None
) -> None:
    from sqlalchemy import select

    from callbacks.models import Unit
    from scoring.users import BadUser, add_user

    with office.context.sessions.begin() as session:
        row = session.scalar(select(Unit).where(Unit.code == unit)) if unit else None
        if unit and row is None:
            raise click.ClickException(f"no unit has the code {unit!r}")
        try:
            add_user(session, login, name, role, password, row, now=datetime.now(UTC))
        except BadUser as error:
            raise click.ClickException(str(error)) from None


def add_commands() -> None:
    """The commands that have modules of their own."""
    from callbacks.api.commands import command as token_command
    from callbacks.commands import audit, cdr, ledger, policy, simulate, source_count
    from ivr import announcement_commands, flow_commands
    from ivr.call_command import call
    from prompts.commands import command as prompts_command
    from scoring.commands import assess_command, close_month_command
    from scoring.month_heads import published_heads
    from sms.reply import parse

    main.add_command(token_command())
    main.add_command(audit.command(published_heads))
    main.add_command(cdr.command())
    main.add_command(ledger.command())
    main.add_command(source_count.command())
    main.add_command(policy.command())
    main.add_command(simulate.command(parse, lambda timezone: partial(ScoreLedger, timezone)))
    main.add_command(prompts_command())
    main.add_command(close_month_command(_with_scoring))
    main.add_command(assess_command)
    main.add_command(flow_commands.command())
    main.add_command(call)
    main.add_command(announcement_commands.command())


def _with_scoring(ctx: click.Context, work: Callable[[Context, ScoringSettings], Any]) -> Any:
    return _with_office(ctx, lambda office: work(office.context, office.settings.scoring))


add_commands()


@main.group("sms")
def sms_group() -> None:
    """Texts."""


def _add_text_commands() -> None:
    from callbacks.commands import text_preview

    sms_group.add_command(text_preview.command())


_add_text_commands()


@sms_group.command("parse")
@click.argument("text")
@click.option("--scale", type=click.Choice(sorted(SCALES)), default="cn3")
@click.option("--json", "as_json", is_flag=True)
def sms_parse(text: str, scale: str, as_json: bool) -> None:
    """Show how a citizen's reply is read."""
    from dataclasses import asdict

    from sms.reply import parse

    found = asdict(parse(text, SCALES[scale]))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        for name, value in found.items():
            click.echo(f"{name:10} {value}")


@main.command()
@click.pass_context
def city(ctx: click.Context) -> None:
    """Run the simulated city on loopback: a SIP trunk and an SMSC with citizens behind them."""
    import threading

    from ivr.city import run_city_trunk
    from sms.city import run_city_smsc

    settings = _settings(ctx)
    stop = stop_on_signals()
    ports: dict[str, int] = {}
    listening = threading.Event()

    def smsc_ready(port: int) -> None:
        ports["smsc"] = port
        listening.set()

    texts = threading.Thread(target=run_city_smsc, args=(settings.smsc, stop, smsc_ready), name="smsc")
    texts.start()
    if not listening.wait(10):
        stop.set()
        raise click.ClickException(f"smsc.port {settings.smsc.port}: the SMSC didn't start")

    def trunk_ready(port: int) -> None:
        click.echo(json.dumps({"trunk": port, "smsc": ports["smsc"]}))
        sys.stdout.flush()

    try:
        run_city_trunk(settings.city, stop, trunk_ready)
    finally:
        stop.set()
        texts.join(10)


@main.command()
@click.option("--cases", type=click.IntRange(1, 200), default=200, show_default=True)
@click.option("--no-serve", is_flag=True, help="End when the figures are printed.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("demo-data"), show_default=True
)
@click.option("--database", help="SQLAlchemy URL; an SQLite file in --dir otherwise.")
@click.option("--port", type=click.IntRange(1, 65535), default=8110, show_default=True, help="Of the desk.")
@click.option("--minutes", type=float, default=12.0, show_default=True, help="Give up after so long.")
def demo(
    cases: int,
    no_serve: bool,
    json_file: Path | None,
    folder: Path,
    database: str | None,
    port: int,
    minutes: float,
) -> None:
    """The main job in a simulated city: 200 cases called, texted, scored; then the desk."""
    from scoring.demo import DemoFailed, DemoOffice, DemoPlan, run_demo

    url = database or f"sqlite:///{folder / 'huifang.db'}"
    environment = {
        "HUIFANG_CONFIG": str(DEMO_PRESET),
        "HUIFANG_DATABASE__URL": url,
        "HUIFANG_DATABASE__KEY_FILE": str(folder / "huifang.key"),
        "HUIFANG_WEB__PORT": str(port),
        "HUIFANG_POLICY__ROUND_DEADLINE": f"PT{70 + cases // 3}S",
        "HUIFANG_RECORDINGS": str(folder / "recordings"),
        "HUIFANG_SMSC__LOG_FILE": str(folder / "smsc.log"),
        "HUIFANG_LOG_FILE": str(folder / "huifang.log"),
    }
    os.environ.update(environment)
    folder.mkdir(parents=True, exist_ok=True)
    configure_logging()

    def open_demo() -> DemoOffice:
        office = open_office(load_settings(DEMO_PRESET))
        return DemoOffice(
            context=office.context,
            serve=lambda stop: supervise(office, self_command(None), stop),
            assess=lambda: assess_months(office, datetime.now(UTC)),
            sign_in=lambda login, password: _demo_user(office, login, password),
            close=office.close,
        )

    plan = DemoPlan(folder, cases, port, database is None, no_serve, json_file, minutes * 60)
    try:
        run_demo(plan, [*self_command(None), "city"], open_demo)
    except DemoFailed as error:
        raise click.ClickException(str(error)) from None


def _demo_user(office: Office, login: str, password: str) -> None:
    """The demo's office head, with this run's password."""
    from sqlalchemy import delete

    from scoring.models import User

    with office.context.sessions.begin() as session:
        session.execute(delete(User).where(User.login == login))
    _add_user(office, login, "示例办主任", Role.OFFICE_HEAD, password)


if __name__ == "__main__":
    main()
