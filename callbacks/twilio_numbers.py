"""China's numbers as Twilio writes them. Pure."""

from __future__ import annotations


def e164(number: str) -> str:
    """A number in national form (13803790001, 037963110001) with its country; one that has it stays."""
    if number.startswith("+"):
        return number
    return f"+86{number.removeprefix('0')}"


def national(number: str) -> str:
    """The national form of a Chinese number in E.164; another country's stays as it is."""
    if not number.startswith("+86"):
        return number
    rest = number.removeprefix("+86")
    return rest if rest.startswith("1") and len(rest) == 11 else f"0{rest}"
