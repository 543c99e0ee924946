"""What a plan is made from, read from its files: the config, texts and prompt sets."""

from __future__ import annotations

import errno
from importlib import resources
from pathlib import Path

import msgspec

from ...strategies.similarity.similarity_types import PromptSet
from ..errors import ConfigInvalid, FileInvalid
from ..identity.texts import parse_facts, parse_questions, parse_templates, parse_vendors
from ..rse.prompt_files import BUILTIN, parse_prompts
from ..rse.prompt_sets import MAX_CHARS, LoadedPrompts, sample
from .config import Config, PromptSource, parse_config
from .hints import name_hint
from .planning import Texts


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file. Raises FileInvalid in one line."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises FileInvalid in one line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileInvalid(f"{path} cannot be read: {cause_of(error)}") from None


def load_config(path: str | Path) -> Config:
    """Return the config in the file at *path*."""
    return parse_config(read_text(Path(path)), str(path))


def load_texts(config: Config, folder: Path) -> Texts:
    """Return all texts that *config* names; relative paths start at *folder*."""
    ice = config.ice
    return Texts(
        questions=parse_questions(*_source(ice.questions, "questions.csv", folder)),
        templates=parse_templates(*_source(ice.templates, "templates.jsonl", folder)),
        vendors=parse_vendors(*_source("builtin", "vendors.toml", folder)),
        facts=parse_facts(*_source("builtin", "facts.toml", folder)),
    )


def load_prompts(config: Config, folder: Path) -> tuple[LoadedPrompts, ...]:
    """Return the prompt sets that *config* names, sampled; relative paths start at *folder*.

    Raises InputInvalid for a file that cannot be used or a set that is named twice.
    """
    names = [source.name for source in config.rse.prompts]
    if not names:
        raise ConfigInvalid("rse.prompts is empty: name at least one set")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigInvalid(f"rse.prompts: two sets are called {min(twice)}")
    return tuple(_prompts(source, folder, config.run.seed) for source in config.rse.prompts)


def _prompts(source: PromptSource, folder: Path, seed: int) -> LoadedPrompts:
    if not source.path:
        if source.name not in BUILTIN:
            known = name_hint(source.name, BUILTIN)
            raise ConfigInvalid(
                f"rse.prompts: {source.name} has no path, and no set of that name is built in; "
                f"{known}"
            )
        data, where = builtin_text(BUILTIN[source.name]).encode(), f"builtin {source.name}"
    else:
        path = folder / Path(source.path).expanduser()
        data, where = read_bytes(path), str(path)
    reading = parse_prompts(
        data,
        name=source.name,
        where=where,
        max_chars=source.max_chars or MAX_CHARS,
        max_turns=source.max_turns,
    )
    chosen = sample(reading.prompts.prompts, source.limit, seed)
    return msgspec.structs.replace(reading, prompts=PromptSet(name=source.name, prompts=chosen))


def builtin_text(name: str) -> str:
    """Return one of the texts that come with Hydrometer."""
    return resources.files("hydrometer.data").joinpath(name).read_text(encoding="utf-8")


def _source(setting: str, builtin: str, folder: Path) -> tuple[str, str]:
    if setting == "builtin":
        return builtin_text(builtin), f"builtin {builtin}"
    path = folder / Path(setting).expanduser()
    return read_text(path), str(path)


def cause_of(error: OSError) -> str:
    """Return what the system says of *error*, as the end of a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full"
    return (error.strerror or str(error)).lower()
