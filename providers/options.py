"""The ``options`` table of a model: what it means is its provider's to say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from .errors import SettingsInvalid

_Table = TypeVar("_Table", bound=msgspec.Struct)

_MISSING = re.compile(r"Object missing required field `(\w+)`")
SUBJECTS = ("kubernetes", "azure", "gcp")


class WorkloadIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``options.workload``: a machine's own identity, exchanged for a short-lived token."""

    identity_provider_id: str
    service_account_id: str
    subject: str = "kubernetes"  # who vouches for the machine: one of SUBJECTS
    token_file: str = ""  # where Kubernetes puts its token, if not at the usual place

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a value breaks a rule."""
        if self.subject not in SUBJECTS:
            raise SettingsInvalid(f"{path}.subject must be one of {', '.join(SUBJECTS)}")
        if self.token_file and self.subject != "kubernetes":
            raise SettingsInvalid(f'{path}.token_file needs subject = "kubernetes"')


class OpenAIOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.options]`` of provider "openai".

    A key, or what else opens the door, comes from ``api_key_env``, from Entra or from a workload
    identity: from one of them.
    """

    organization: str = ""
    project: str = ""
    azure: bool = False  # paths, version and key header of Azure's deployments
    api_version: str = ""
    deployment: str = ""  # else the model's name
    entra: bool = False  # tokens of azure-identity's DefaultAzureCredential
    entra_scope: str = "https://cognitiveservices.azure.com/.default"
    entra_token: bool = False  # api_key_env names an Entra token, not a key
    workload: WorkloadIdentity | None = None

    def check(self, path: str, *, base_url: str, has_key: bool, has_header: bool) -> None:
        """Raise SettingsInvalid naming *path* and the setting when two settings do not fit."""
        for name in ("organization", "project"):
            value = getattr(self, name)
            if not (value.isascii() and value.isprintable()):
                raise SettingsInvalid(f"{path}.options.{name} must be printable ASCII")
        self._check_needs(path)
        ways = (
            ("api_key_env", has_key),
            ("options.entra", self.entra),
            ("options.workload", self.workload is not None),
        )
        given = [name for name, is_given in ways if is_given]
        if len(given) > 1:
            raise SettingsInvalid(f"{path} has both {' and '.join(given)}: write one of them")
        if self.entra_token and not has_key:
            raise SettingsInvalid(
                f"{path}.api_key_env is missing: options.entra_token says what it names"
            )
        if not given and (self.azure or not (base_url or has_header)):
            where = "Azure wants a key" if self.azure else "OpenAI wants a key"
            raise SettingsInvalid(f"{path}.api_key_env is missing: {where}")
        if self.azure:
            self._check_azure(path, base_url)
        elif self.entra and not base_url:
            raise SettingsInvalid(f"{path}.base_url is missing: options.entra needs it")

    def _check_needs(self, path: str) -> None:
        needs = (("api_version", "azure"), ("deployment", "azure"), ("entra_token", "azure"))
        for name, other in (*needs, ("entra_scope", "entra")):
            if getattr(self, name) != _default(name) and not getattr(self, other):
                raise SettingsInvalid(f"{path}.options.{name} needs {other} = true")
        if self.workload is not None:
            if self.azure:
                raise SettingsInvalid(f"{path}.options.workload cannot be used with azure = true")
            self.workload.check(f"{path}.options.workload")

    def _check_azure(self, path: str, base_url: str) -> None:
        if not base_url:
            raise SettingsInvalid(f"{path}.base_url is missing: options.azure needs it")
        if "/openai/" in f"{base_url}/":
            raise SettingsInvalid(
                f"{path}.base_url must be the address of the Azure resource alone, without /openai"
            )
        if not self.api_version:
            raise SettingsInvalid(f"{path}.options.api_version is missing")


def _default(name: str) -> object:
    return getattr(OpenAIOptions(), name)


def parse_options(options: Mapping[str, object], kind: type[_Table], path: str) -> _Table:
    """Return *options* as a *kind*. Raises SettingsInvalid naming *path* and the option."""
    _refuse_unknown(options, kind, path)
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        here = f"{path}{at.rstrip('`')}"
        if missing := _MISSING.fullmatch(said):
            raise SettingsInvalid(f"{here}.{missing[1]} is missing") from None
        # Cut before a value, which msgspec quotes: it might be a key.
        words = said.partition(" '")[0].replace("`", "")
        raise SettingsInvalid(f"{here}: {words[:1].lower()}{words[1:]}") from None


def suggest(name: str, known: Collection[str]) -> str:
    """Return the half of a message that says what *name* could have been."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _refuse_unknown(options: Mapping[str, Any], kind: type[msgspec.Struct], path: str) -> None:
    hints = get_type_hints(kind)
    for name, value in options.items():
        if name not in hints:
            raise SettingsInvalid(f"{path}.{name}: unknown option; {suggest(name, tuple(hints))}")
        for part in (hints[name], *get_args(hints[name])):
            inner = isinstance(part, type) and issubclass(part, msgspec.Struct)
            if inner and isinstance(value, Mapping):
                _refuse_unknown(value, part, f"{path}.{name}")
