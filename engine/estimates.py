"""Estimates of a plan's calls, tokens, cost and duration, from the calls that it will make."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..providers.kinds import has_known_price
from ..providers.settings import EndpointSettings, ModelSettings
from .measurement import CallEstimate
from .setup.config import Config
from .setup.models import PlannedModel, Role
from .setup.token_figures import CALL_S, CHARS_PER_TOKEN


class RoleEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one role if nothing is cached. Token counts are estimates."""

    role: Role
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None  # None without a price
    seconds: float
    left: int  # calls that the cache does not cover


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The estimates of one plan, and how much of it the cache covers."""

    title: str
    unit: str  # the unit that *cached_units* counts
    roles: tuple[RoleEstimate, ...]
    cached_units: int  # units before the first answer that is missing
    cached_calls: int
    complete: bool  # the cache covers the whole run


def estimate_role(
    role: Role,
    model: PlannedModel,
    settings: ModelSettings,
    expected: CallEstimate,
    *,
    found: int | None,
) -> RoleEstimate:
    """Return the estimate for *role*. *found* is the number of cached answers, None for all."""
    usual = expected.reply_tokens
    reply = min(usual, model.sampling.max_tokens or usual)
    at_once = min(settings.all_slots, expected.at_once or settings.all_slots)
    calls = expected.calls
    input_tokens = calls * round(expected.characters / CHARS_PER_TOKEN)
    output_tokens = calls * reply
    return RoleEstimate(
        role=role,
        model=model.name,
        calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=(
            settings.cost_usd(input_tokens, output_tokens) if has_known_price(settings) else None
        ),
        seconds=_seconds(settings, calls, input_tokens + output_tokens, at_once=at_once),
        left=0 if found is None else max(0, min(calls, expected.alone - found)),
    )


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """The estimates of several roles together. *left* is what the cache does not cover."""

    calls: int
    cost_usd: float  # of the models that have a price
    unpriced: tuple[str, ...]  # the other models
    seconds: float
    left_calls: int
    left_usd: float


def add_roles(roles: Sequence[RoleEstimate]) -> Together:
    """Return the sum of *roles*.

    Models work side by side, so the slowest one gives the time. Roles of one model share its slots,
    so their times add up.
    """
    seconds: dict[str, float] = {}
    for role in roles:
        seconds[role.model] = seconds.get(role.model, 0.0) + role.seconds
    return Together(
        calls=sum(role.calls for role in roles),
        cost_usd=sum(role.cost_usd or 0.0 for role in roles),
        unpriced=tuple(dict.fromkeys(r.model for r in roles if r.cost_usd is None)),
        seconds=max(seconds.values(), default=0.0),
        left_calls=sum(role.left for role in roles),
        left_usd=sum((r.cost_usd or 0.0) * r.left / max(1, r.calls) for r in roles),
    )


def budget_lines(config: Config, roles: Sequence[RoleEstimate]) -> list[str]:
    """Return a line for each budget that is too small for the calls that are not cached.

    A run pauses when it reaches such a budget. Earlier spending of a run directory is not known
    here, so it is not counted.
    """
    budgets = [("run.budget", config.run.budget, roles)]
    for name, settings in config.models.items():
        own = [role for role in roles if role.model == name]
        budgets.append((f"models.{name}.budget", settings.budget, own))
    unpriced = find_unpriced(config, {role.model for role in roles})
    lines = [f"run.budget.cost_usd needs {name}: the run would not start" for name in unpriced]
    for path, limits, counted in budgets:
        shares = [(role, role.left / max(1, role.calls)) for role in counted]
        tokens = sum((role.input_tokens + role.output_tokens) * left for role, left in shares)
        estimates = (
            ("calls", limits.calls, sum(role.left for role in counted)),
            ("tokens", limits.tokens, round(tokens)),
            (
                "cost_usd",
                limits.cost_usd,
                sum((role.cost_usd or 0.0) * left for role, left in shares),
            ),
        )
        whole = all(role.left == role.calls for role in counted)
        estimated = "estimated" if whole else "estimated beyond the cache"
        lines += [
            f"{path} {name} = {limit:,} is less than the {needed:,.6g} {estimated}: the run would "
            "pause there"
            for name, limit, needed in estimates
            if limit is not None and needed > limit
        ]
    return lines


def find_unpriced(config: Config, names: set[str]) -> list[str]:
    """Return the paths of missing prices that ``run.budget.cost_usd`` needs, for models *names*."""
    if config.run.budget.cost_usd is None:
        return []
    return [f"models.{n}.price" for n in sorted(names) if not has_known_price(config.models[n])]


def _seconds(settings: ModelSettings, calls: int, tokens: int, *, at_once: int) -> float:
    """Return the duration of *calls* at the configured limits of all endpoints together."""
    endpoints = settings.endpoints or (EndpointSettings(base_url=""),)
    rate = sum(_rate(settings, endpoint, tokens / max(1, calls)) for endpoint in endpoints)
    return calls / min(rate, at_once / CALL_S)


def _rate(settings: ModelSettings, endpoint: EndpointSettings, tokens: float) -> float:
    """Return how many calls per second one endpoint accepts, at *tokens* per call."""
    rpm, tpm = endpoint.rpm or settings.rpm, endpoint.tpm or settings.tpm
    rates = [(endpoint.slots or settings.slots) / CALL_S]
    if rpm:
        rates.append(rpm / 60)
    if tpm and tokens:
        rates.append(tpm / 60 / tokens)
    return min(rates)
