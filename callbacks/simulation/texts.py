"""The sms role in virtual time: the real claims and writes, a virtual gateway and citizens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Protocol

from callbacks.models import ASKING
from callbacks.service.core import Context
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.submits import not_submitted, receipt_came, submitted
from callbacks.service.texts import ClaimedText, claim_texts
from callbacks.simulation.people import Citizen, Saying
from callbacks.simulation.world import World

GATEWAY = "virtual"
_LEASE = 20.0


class Parsed(Protocol):
    """What a reader of replies says of a text (`sms.reply.ParsedReply`)."""

    @property
    def rating(self) -> int | None: ...
    @property
    def opt_out(self) -> bool: ...
    @property
    def emergency(self) -> bool: ...
    @property
    def unclear(self) -> bool: ...
    @property
    def comment(self) -> str: ...


@dataclass
class VirtualTexts:
    """An sms worker and the gateway behind it. `read` is the parser of replies."""

    ctx: Context
    world: World
    per_second: float
    citizen: Callable[[str], Citizen]
    read: Callable[[str], Parsed]
    random: Random
    dead: bool = False
    life: int = 1
    _replies: int = 0

    def kill(self, down_for: timedelta) -> None:
        """Dies between claiming and submitting, say; another process begins after `down_for`."""
        self.dead = True
        self.world.at(self.world.now + down_for, self._revive)

    def _revive(self) -> None:
        self.dead = False
        self.life += 1

    def look(self, seconds: float) -> int:
        """Takes what may leave in `seconds` at the gateway's rate."""
        if self.dead:
            return 0
        limit = max(1, int(self.per_second * seconds))
        owner = f"sms:virtual:{self.life}"
        texts = claim_texts(self.ctx, owner, GATEWAY, limit, _LEASE, self.world.now)
        for place, text in enumerate(texts):
            self.world.after(place / self.per_second, partial(self._answered, text, self.life))
        return len(texts)

    def _answered(self, text: ClaimedText, life: int) -> None:
        """The gateway's answer to the submit; nobody is there to hear it when the worker has died."""
        luck = self.random.random()
        if self.dead or life != self.life:
            if luck < 0.5:  # it had left; nobody heard the answer
                self.world.after(5.0, partial(self._arrived, text, f"{text.text_id}-{text.token}"))
            return
        if luck < 0.004:
            not_submitted(self.ctx, text.text_id, text.token, "rejected", luck < 0.001, self.world.now)
            return
        provider_id = f"{text.text_id}-{text.token}"
        submitted(self.ctx, text.text_id, text.token, GATEWAY, [provider_id], self.world.now)
        self.world.after(self.random.uniform(2, 40), partial(self._arrived, text, provider_id))

    def _arrived(self, text: ClaimedText, provider_id: str) -> None:
        citizen = self.citizen(text.number)
        status = "undeliverable" if citizen.is_gone else "delivered"
        receipt_came(self.ctx, GATEWAY, provider_id, status, "", self.world.now)
        if text.kind in ASKING:
            for saying in citizen.answers_text():
                self.world.at(self.world.now + saying.after, partial(self._said, text, saying))

    def _said(self, text: ClaimedText, saying: Saying) -> None:
        parsed = self.read(saying.body)
        self._replies += 1
        reply = IncomingReply(
            gateway=GATEWAY,
            digest=f"{text.number}:{saying.body}:{self._replies}",
            number=text.number,
            sender_code=text.sender_code,
            body=saying.body,
            rating=parsed.rating,
            opt_out=parsed.opt_out,
            emergency=parsed.emergency,
            unclear=parsed.unclear,
            comment=parsed.comment,
        )
        reply_came(self.ctx, reply, self.world.now)
