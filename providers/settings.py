"""What a user writes about one model. Names are those of the config file."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Literal

import msgspec

from .errors import SettingsInvalid
from .options import OpenAIOptions, parse_options, suggest
from .simulation.simulated_writer import Relation
from .types import Mode

BUILT_IN = ("http", "openai", "vllm", "simulated")
_NOT_YET = ("vllm",)  # the name is taken, and nobody is told to write it

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_HEADERS = re.compile(r"auth|key|token|cookie|secret", re.IGNORECASE)


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens, as the user declares them."""

    input_per_mtok: NotNegative = 0.0
    output_per_mtok: NotNegative = 0.0

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost."""
        return (input_tokens * self.input_per_mtok + output_tokens * self.output_per_mtok) / 1e6


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits on what may be sent; cached answers are free."""

    calls: int | None = None
    tokens: int | None = None
    cost_usd: NotNegative | None = None

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a limit admits nothing."""
        for name in ("calls", "tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsInvalid(f"{path}.{name} must be at least 1, got {value}")


class SamplingTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ``sampling`` table; the plan turns it into a Sampling."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    extra: dict[str, object] | None = None


class Planting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The known behaviour of a simulated model; part of its identity.

    A target claims to be somebody else with probability *rate*, or that of the highest entry of
    *traits* whose cue (a case-insensitive substring) is in the prompt, times the factor of the
    question's category and language, at most 1. *claims* says whom it then claims to be.
    A helper or judge errs with probability *error*; a helper drops its template's cue (every
    word of *traits*) with probability *forget*. A writer ("sim-writer...") answers any prompt as a
    model that stands in *relation* to the first one of *family*.
    """

    seed: int = 0
    rate: Share = 0.1
    traits: dict[str, Share] = {}
    categories: dict[str, NotNegative] = {}
    languages: dict[str, NotNegative] = {}
    claims: dict[str, NotNegative] = msgspec.field(
        default_factory=lambda: {"openai": 0.7, "anthropic": 0.3}
    )
    error: Share = 0.0
    forget: Share = 0.1
    family: int = 0
    relation: Relation = "copy"


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address of a model that has several, or one of several keys for it.

    *name* says which one answered; without one it is its number, from 1.
    """

    base_url: str
    name: str = ""
    api_key_env: str = ""
    slots: int | None = None
    rpm: int | None = None
    tpm: int | None = None


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[models.NAME]`` table."""

    provider: str  # one of BUILT_IN, or the name of a plug-in
    model: str
    base_url: str = ""
    endpoints: tuple[EndpointSettings, ...] = ()
    api_key_env: str = ""
    revision: str = ""
    mode: Mode = "chat"
    prompt_template: str = "{prompt}"
    stop: tuple[str, ...] = ()
    system: str = ""
    vendor: str = ""
    fact: str = ""
    slots: int = 16
    rpm: int | None = None
    tpm: int | None = None
    attempts: int = 6
    timeout_s: float = 120.0  # for one attempt
    deadline_s: float = 600.0  # for one call with all of its attempts and the waits between
    price: Price | None = None  # Price() says that it is free
    budget: BudgetTable = BudgetTable()
    headers: dict[str, str] = {}
    sampling: SamplingTable = SamplingTable()
    planting: Planting = Planting()
    options: dict[str, object] = {}  # the provider says what they mean

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a value breaks a rule.

        A value that might be a key is never repeated in the message.
        """
        for name, least in (("slots", 1), ("attempts", 1), ("rpm", 1), ("tpm", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsInvalid(f"{path}.{name} must be at least {least}, got {value}")
        for name in ("timeout_s", "deadline_s"):
            if not getattr(self, name) > 0:
                raise SettingsInvalid(f"{path}.{name} must be above 0, got {getattr(self, name)}")
        self.budget.check(f"{path}.budget")
        if self.budget.cost_usd is not None and not self.has_known_price:
            raise SettingsInvalid(
                f"{path}.budget.cost_usd cannot be held without {path}.price "
                "(a free model has price = { input_per_mtok = 0, output_per_mtok = 0 })"
            )
        if not self.model:
            raise SettingsInvalid(f"{path}.model must not be empty")
        if self.mode == "completion" and self.prompt_template.count("{prompt}") != 1:
            raise SettingsInvalid(f"{path}.prompt_template needs exactly one {{prompt}}")
        _check_variable(f"{path}.api_key_env", self.api_key_env)
        self._check_headers(path)
        self._check_addresses(path)
        self._check_endpoints(path)
        if self.provider == "openai":
            self._check_openai(path)
        elif self.options and self.provider in BUILT_IN:
            raise SettingsInvalid(f"{path}.options: provider {self.provider} has no options")

    def endpoint_name(self, index: int) -> str:
        """Return what endpoint number *index*, from 0, is called."""
        return self.endpoints[index].name or str(index + 1)

    @property
    def has_known_price(self) -> bool:
        """Whether what a call costs can be told; simulated models are free."""
        return self.price is not None or self.provider == "simulated"

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost, nothing where no price is known."""
        return (self.price or Price()).cost_usd(input_tokens, output_tokens)

    @property
    def all_slots(self) -> int:
        """The attempts that may be under way at all endpoints together."""
        return sum(endpoint.slots or self.slots for endpoint in self.endpoints) or self.slots

    def _check_headers(self, path: str) -> None:
        for name, value in self.headers.items():
            if _SECRET_HEADERS.search(name) and not value.startswith("env:"):
                raise SettingsInvalid(
                    f"{path}.headers.{name} may hold a key: write it as env:NAME, "
                    "the name of a variable"
                )
            if value.startswith("env:"):
                _check_variable(f"{path}.headers.{name}", value.removeprefix("env:"))

    def _check_openai(self, path: str) -> None:
        endpoints = self.endpoints
        parse_options(self.options, OpenAIOptions, f"{path}.options").check(
            path,
            base_url=self.base_url or next((endpoint.base_url for endpoint in endpoints), ""),
            has_key=bool(self.api_key_env or any(endpoint.api_key_env for endpoint in endpoints)),
            has_header=any(name.lower() == "authorization" for name in self.headers),
        )

    def _check_addresses(self, path: str) -> None:
        if self.provider == "simulated":
            return
        if self.provider == "http" and not self.base_url and not self.endpoints:
            raise SettingsInvalid(f"{path}.base_url is missing")
        if self.base_url and self.endpoints:
            raise SettingsInvalid(f"{path} has both base_url and endpoints: write one of them")
        if self.base_url:
            _check_url(f"{path}.base_url", self.base_url)
        for index, endpoint in enumerate(self.endpoints):
            _check_url(f"{path}.endpoints[{index}].base_url", endpoint.base_url)

    def _check_endpoints(self, path: str) -> None:
        names: list[str] = []
        for index, endpoint in enumerate(self.endpoints):
            here = f"{path}.endpoints[{index}]"
            _check_variable(f"{here}.api_key_env", endpoint.api_key_env)
            for name in ("slots", "rpm", "tpm"):
                value = getattr(endpoint, name)
                if value is not None and value < 1:
                    raise SettingsInvalid(f"{here}.{name} must be at least 1, got {value}")
            if not _NAME.fullmatch(self.endpoint_name(index)):
                raise SettingsInvalid(
                    f"{here}.name: a name has letters, digits, dot, dash and underscore"
                )
            if self.endpoint_name(index) in names:
                raise SettingsInvalid(
                    f"{here}.name: another endpoint is called {self.endpoint_name(index)} already"
                )
            names.append(self.endpoint_name(index))


def check_provider(path: str, provider: str, plugins: Collection[str] = ()) -> None:
    """Raise SettingsInvalid when *provider* is neither built in nor one of *plugins*."""
    known = (*BUILT_IN, *sorted(plugins))
    if provider not in known:
        hint = suggest(provider, [name for name in known if name not in _NOT_YET])
        raise SettingsInvalid(f"{path}.provider: unknown provider {provider}; {hint}")


def _check_variable(path: str, name: str) -> None:
    if name and (not _VARIABLE.fullmatch(name) or name.startswith("sk_")):
        raise SettingsInvalid(
            f"{path} must be the name of an environment variable, not a key (value not shown)"
        )


def _check_url(path: str, url: str) -> None:
    if not url.isprintable() or " " in url:
        raise SettingsInvalid(f"{path} holds a blank or a control character (not shown)")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise SettingsInvalid(f"{path} must start with http:// or https://")
    if "@" in rest or "?" in rest or "#" in rest:
        raise SettingsInvalid(
            f"{path} must be a plain address: no user, password, query or fragment (not shown)"
        )
    if not rest.strip("/"):
        raise SettingsInvalid(f"{path} names no host")
