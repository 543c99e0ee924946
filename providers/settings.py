"""Settings of one model as the user writes them. Names are those of the config file.

Each kind of provider adds rules of its own about addresses and options (kinds.py).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from .errors import SettingsInvalid
from .types import Mode, NotNegative

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_HEADERS = re.compile(r"auth|key|token|cookie|secret", re.IGNORECASE)


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens, as the user declares them."""

    input_per_mtok: NotNegative = 0.0
    output_per_mtok: NotNegative = 0.0

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what these tokens cost."""
        return (input_tokens * self.input_per_mtok + output_tokens * self.output_per_mtok) / 1e6


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits on what may be spent. Cached responses cost nothing."""

    calls: int | None = None
    tokens: int | None = None
    cost_usd: NotNegative | None = None

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a limit admits no call."""
        for name in ("calls", "tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsInvalid(f"{path}.{name} must be at least 1, got {value}")


class SamplingTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ``sampling`` table. The plan turns it into a Sampling."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    extra: dict[str, object] | None = None


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several addresses of a model, or one of several keys for it.

    *name* appears in timings and messages. Without one it is the endpoint's number, from 1.
    """

    base_url: str
    name: str = ""
    api_key_env: str = ""
    slots: int | None = None
    rpm: int | None = None
    tpm: int | None = None


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[models.NAME]`` table."""

    provider: str  # a built-in kind, or the name of a plug-in
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
    deadline_s: float = 600.0  # for one call with all of its attempts and waits
    price: Price | None = None  # Price() means that the model is free
    budget: BudgetTable = BudgetTable()
    headers: dict[str, str] = {}
    sampling: SamplingTable = SamplingTable()
    options: dict[str, object] = {}  # defined by the provider's kind

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a value breaks a rule.

        Checks the rules that all kinds of providers share. A value that might be a key is never
        repeated in the message.
        """
        for name, least in (("slots", 1), ("attempts", 1), ("rpm", 1), ("tpm", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsInvalid(f"{path}.{name} must be at least {least}, got {value}")
        for name in ("timeout_s", "deadline_s"):
            if not getattr(self, name) > 0:
                raise SettingsInvalid(f"{path}.{name} must be above 0, got {getattr(self, name)}")
        self.budget.check(f"{path}.budget")
        if not self.model:
            raise SettingsInvalid(f"{path}.model must not be empty")
        if self.mode == "completion" and self.prompt_template.count("{prompt}") != 1:
            raise SettingsInvalid(f"{path}.prompt_template needs exactly one {{prompt}}")
        _check_variable(f"{path}.api_key_env", self.api_key_env)
        self._check_headers(path)
        self._check_endpoints(path)

    def endpoint_name(self, index: int) -> str:
        """Return the name of endpoint number *index*, from 0."""
        return self.endpoints[index].name or str(index + 1)

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """Return what these tokens cost; 0 where no price is known."""
        return (self.price or Price()).cost_usd(input_tokens, output_tokens)

    @property
    def all_slots(self) -> int:
        """The number of attempts that may be in flight at all endpoints together."""
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


def check_addresses(settings: ModelSettings, path: str) -> None:
    """Raise SettingsInvalid when the addresses of *settings* cannot be used, whatever the kind."""
    if settings.base_url and settings.endpoints:
        raise SettingsInvalid(f"{path} has both base_url and endpoints: write one of them")
    if settings.base_url:
        _check_url(f"{path}.base_url", settings.base_url)
    for index, endpoint in enumerate(settings.endpoints):
        _check_url(f"{path}.endpoints[{index}].base_url", endpoint.base_url)


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
