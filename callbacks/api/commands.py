"""`huifang token`: which systems may use the API."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from callbacks.api.tokens import Caller, TokenRefused, list_tokens, make_token, revoke_token
from callbacks.commands import App
from callbacks.models_systems import ApiScope
from callbacks.service.core import Context

_SCOPES = click.Choice([scope.value for scope in ApiScope])


def command() -> click.Group:
    """The group with its three commands."""

    @click.group("token")
    def token() -> None:
        """The tokens of other systems."""

    token.add_command(_add)
    token.add_command(_list)
    token.add_command(_revoke)
    return token


@click.command("add")
@click.argument("name")
@click.option("--scope", "scopes", type=_SCOPES, multiple=True, required=True, help="Give it once or more.")
@click.option("--platform", help="Bounds the token to the cases of this source platform.")
@click.pass_obj
def _add(app: App, name: str, scopes: tuple[str, ...], platform: str | None) -> None:
    """Make a token and print it: it isn't shown again."""
    click.echo(_run(app, lambda ctx, now: make_token(ctx, name, scopes, platform, _user(), now)))


@click.command("list")
@click.pass_obj
def _list(app: App) -> None:
    """The tokens with their scopes, platform, last use and state."""
    for caller in _run(app, lambda ctx, _now: list_tokens(ctx.sessions)):
        click.echo(_line(caller))


@click.command("revoke")
@click.argument("name")
@click.pass_obj
def _revoke(app: App, name: str) -> None:
    """End a token at once."""
    _run(app, lambda ctx, now: revoke_token(ctx, name, _user(), now))
    click.echo(f"{name} opens nothing any more")


def _run(app: App, work: Callable[[Context, datetime], Any]) -> Any:
    try:
        return app.with_context(lambda ctx: work(ctx, datetime.now(UTC)))
    except TokenRefused as error:
        raise click.ClickException(str(error)) from None


def _user() -> str:
    return f"cli:{getpass.getuser()}"[:80]


def _line(caller: Caller) -> str:
    used = f"{caller.last_used_at:%Y-%m-%d %H:%M}Z" if caller.last_used_at else "never"
    state = f"revoked {caller.revoked_at:%Y-%m-%d}" if caller.revoked_at else "in force"
    scopes = ",".join(sorted(caller.scopes))
    return "\t".join((caller.name, scopes, caller.platform or "every platform", f"used {used}", state))
