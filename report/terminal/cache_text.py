"""Cache text: results of ``cache verify`` and ``cache explain`` as facts and as plain lines.

A terminal gets the facts as a page. A pipe or a log gets the lines, with complete keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import msgspec

from ...cache.inspection.explain import Explanation
from ...cache.inspection.verify import Verification
from ...cache.keys import KEY_VERSION
from ...engine.plurals import counted
from ...providers.types import Request, Response, Sampling

SCREEN_LINES = 20
SCREEN_CHARACTERS = 1400

_END_OF_YEARS = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # a damaged row may be from later


class FactLine(msgspec.Struct, frozen=True, kw_only=True):
    """A short fact: its name and its value."""

    name: str
    value: str
    tone: Literal["plain", "good", "bad"] = "plain"


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A text of a request or response; *omitted* counts the characters cut from its end."""

    title: str
    text: str
    omitted: int = 0


def verification_summary(found: Verification) -> str:
    """Return the result of a check in one line."""
    parts = [f"{found.sound:,} sound"] if found.sound or not found.all_sound else []
    parts += [f"{o.answers:,} of key version {o.key_version}" for o in found.other_versions]
    parts += [f"{found.damaged:,} damaged"] if found.damaged else []
    parts += ["database damaged"] if found.database else []
    if found.all_sound and not found.other_versions:
        parts = ["all sound" if found.answers else "nothing to check"]
    where = f"{found.folder} ({_megabytes(found)})"
    return f"{counted(found.answers, 'answers')} in {where}: {', '.join(parts)}"


def verification_headline(found: Verification) -> str:
    """Return the result of a check in a few words."""
    if found.damaged:
        return f"{found.damaged:,} of {counted(found.answers, 'answers')} damaged"
    if found.database:
        return "the database is damaged"
    return (
        f"{counted(found.answers, 'answers')}, all sound"
        if found.answers
        else "no answers are stored yet"
    )


def verification_facts(found: Verification) -> tuple[FactLine, ...]:
    """Return what was checked, and the result of each part."""
    facts = [
        FactLine(name="cache", value=found.folder),
        FactLine(name="on disk", value=_megabytes(found)),
        FactLine(name="sound", value=f"{found.sound:,}"),
    ]
    for other in found.other_versions:
        why = f"sound, but keys are now of version {KEY_VERSION}: no request finds them"
        facts.append(
            FactLine(name=f"version {other.key_version}", value=f"{other.answers:,} {why}")
        )
    if found.damaged:
        facts.append(FactLine(name="damaged", value=f"{found.damaged:,}", tone="bad"))
    return (*facts, _database_fact(found))


def damage_summary(found: Verification) -> str:
    """Return what is damaged and what to do about it, for stderr."""
    wrong = [counted(found.damaged, "answers")] if found.damaged else []
    wrong += ["the database itself"] if found.database else []
    advice = "nothing was changed: restore it from a copy, or use another cache"
    return f"damage found in {found.folder}: {' and '.join(wrong)}; {advice}"


def verification_lines(found: Verification) -> Iterator[str]:
    """Yield a line for the whole check, and one for each damaged item."""
    yield verification_summary(found)
    for damage in found.named:
        yield f"damaged {printable(damage.key)}: {printable(damage.rule)}"
    if more := found.damaged - len(found.named):
        yield f"damaged: {more:,} more"
    for words in found.database:
        yield f"database: {printable(words)}"


def explanation_lines(found: Explanation, *, whole: bool) -> Iterator[str]:
    """Yield a line for each fact and, as a JSON string, for each text."""
    yield f"key: {found.key}"
    for fact in explained_facts(found):
        yield f"{fact.name}: {printable(fact.value)}"
    for passage in explained_passages(found, whole=whole):
        more = f" (and {passage.omitted:,} more characters)" if passage.omitted else ""
        yield f"{passage.title}: {as_json(passage.text)}{more}"


def explained_facts(found: Explanation) -> tuple[FactLine, ...]:
    """Return all facts of an answer that are set and short."""
    entry = found.entry
    facts = {"stored": _stored(found)}
    if entry is not None:
        facts |= _asked(entry.request) | _answered(entry.response)
    return (
        FactLine(name="state", value=state(found), tone="bad" if found.damage else "good"),
        *(FactLine(name=name, value=value) for name, value in facts.items() if value),
    )


def explained_passages(found: Explanation, *, whole: bool) -> tuple[Passage, ...]:
    """Return the texts of an exchange in order, each cut to fit a screen unless *whole*."""
    if found.entry is None:
        return ()
    request, response = found.entry.request, found.entry.response
    said: list[tuple[str, str]] = [(turn.role, turn.content) for turn in request.messages]
    if request.mode == "completion":
        said = [("prompt", request.messages[0].content)]
    said += [("reasoning", response.reasoning)] if response.reasoning else []
    said += [("refusal", response.refusal)] if response.refusal else []
    said += [("answer", response.text)]
    return tuple(_passage(title, text, whole=whole) for title, text in said)


def state(found: Explanation) -> str:
    """Return whether the answer is what was stored."""
    if found.damage:
        warning = "; not to be trusted" if found.entry is not None else ""
        return f"damaged: {found.damage}{warning}"
    if found.entry is None:
        return "sound, but of a key version whose requests this version cannot read"
    return "sound"


def printable(text: str) -> str:
    """Return *text* in one line, with escapes for characters that cannot be printed."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def printable_lines(text: str) -> str:
    """Return *text* with such escapes; line breaks stay."""
    return "\n".join(printable(line) for line in text.replace("\t", "    ").split("\n"))


def as_json(value: str | float | tuple[str, ...]) -> str:
    """Return *value* as JSON that has printable characters only."""
    return printable(msgspec.json.encode(value).decode())


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def _database_fact(found: Verification) -> FactLine:
    if found.database:
        return FactLine(name="database", value="damaged, as follows", tone="bad")
    return FactLine(name="database", value="sound, as SQLite's own check sees it")


def _megabytes(found: Verification) -> str:
    return f"{found.size_bytes / 1e6:,.1f} MB"


def _stored(found: Explanation) -> str:
    parts = [f"{found.size_bytes:,} bytes"]
    if found.stored_at is not None and 0 <= found.stored_at < _END_OF_YEARS:
        when = datetime.fromtimestamp(found.stored_at, UTC)
        parts.insert(0, f"{when:%Y-%m-%d %H:%M:%S} UTC")
    if found.key_version is not None:
        parts.append(f"key version {found.key_version}")
    return ", ".join(parts)


def _asked(request: Request) -> dict[str, str]:
    return {
        "identity": request.identity,
        "mode": request.mode,
        "draw": str(request.draw),
        "sampling": ", ".join(_settings(request.sampling)),
    }


def _settings(sampling: Sampling) -> Iterator[str]:
    unset = Sampling()
    for name in sampling.__struct_fields__:
        value = getattr(sampling, name)
        if value != getattr(unset, name):
            yield f"{name} {value if name == 'extra' else as_json(value)}"


def _answered(response: Response) -> dict[str, str]:
    usage = response.usage
    tokens = f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out" if usage else ""
    return {
        "answered by": response.model,
        "fingerprint": response.fingerprint,
        "finish": response.finish,
        "usage": tokens,
    }


def _passage(title: str, text: str, *, whole: bool) -> Passage:
    if whole:
        return Passage(title=title, text=text)
    lines = text.split("\n")
    shown = "\n".join(lines[:SCREEN_LINES])[:SCREEN_CHARACTERS]
    return Passage(title=title, text=shown, omitted=len(text) - len(shown))
