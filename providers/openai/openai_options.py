"""Options of the provider "openai", and the rules between them."""

from __future__ import annotations

import msgspec

from ..errors import SettingsInvalid

SUBJECTS = ("kubernetes", "azure", "gcp")


class WorkloadIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``options.workload``: the identity of this machine, exchanged for a short-lived token."""

    identity_provider_id: str
    service_account_id: str
    subject: str = "kubernetes"  # the issuer of the identity, one of SUBJECTS
    token_file: str = ""  # path of Kubernetes' token, if not the default

    def check(self, path: str) -> None:
        """Raise SettingsInvalid naming *path* and the setting when a value breaks a rule."""
        if self.subject not in SUBJECTS:
            raise SettingsInvalid(f"{path}.subject must be one of {', '.join(SUBJECTS)}")
        if self.token_file and self.subject != "kubernetes":
            raise SettingsInvalid(f'{path}.token_file needs subject = "kubernetes"')


class OpenAIOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.options]`` of provider "openai".

    The proof of access is a key in ``api_key_env``, Entra or a workload identity: exactly one.
    """

    organization: str = ""
    project: str = ""
    azure: bool = False  # use the paths, version and key header of Azure
    api_version: str = ""
    deployment: str = ""  # by default the model's name
    entra: bool = False  # use tokens of azure-identity's DefaultAzureCredential
    entra_scope: str = "https://cognitiveservices.azure.com/.default"
    entra_token: bool = False  # api_key_env names an Entra token, not a key
    workload: WorkloadIdentity | None = None

    def check(self, path: str, *, base_url: str, has_key: bool, has_header: bool) -> None:
        """Raise SettingsInvalid naming *path* and the setting when two settings contradict."""
        for name in ("organization", "project"):
            value = getattr(self, name)
            if not (value.isascii() and value.isprintable()):
                raise SettingsInvalid(f"{path}.options.{name} must be printable ASCII")
        self._check_needs(path)
        proofs = (
            ("api_key_env", has_key),
            ("options.entra", self.entra),
            ("options.workload", self.workload is not None),
        )
        given = [name for name, is_given in proofs if is_given]
        if len(given) > 1:
            raise SettingsInvalid(f"{path} has both {' and '.join(given)}: write one of them")
        if self.entra_token and not has_key:
            raise SettingsInvalid(f"{path}.api_key_env is missing: options.entra_token needs it")
        if not given and (self.azure or not (base_url or has_header)):
            where = "Azure needs a key" if self.azure else "OpenAI needs a key"
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
