"""Prompt loader: reads and samples the prompt sets that an ``[rse]`` table names."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...strategies.similarity.similarity_types import PromptSet
from ..errors import ConfigInvalid
from ..setup.config import Config
from ..setup.files import builtin_text, read_bytes
from ..setup.hints import name_hint
from .prompt_files import parse_prompts
from .prompt_sets import MAX_CHARS, LoadedPrompts, sample
from .rse_config import BUILTIN_SETS, PromptSource, RseTable


def load_prompts(config: Config, folder: Path) -> tuple[LoadedPrompts, ...]:
    """Return samples of the prompt sets that *config* names. Paths are relative to *folder*.

    Raises InputInvalid for a file that cannot be used, or for two sets with the same name.
    """
    names = [source.name for source in config.table(RseTable).prompts]
    if not names:
        raise ConfigInvalid("rse.prompts is empty: name at least one set")
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigInvalid(f"rse.prompts: two sets are called {min(twice)}")
    return tuple(
        _prompts(source, folder, config.run.seed) for source in config.table(RseTable).prompts
    )


def _prompts(source: PromptSource, folder: Path, seed: int) -> LoadedPrompts:
    if not source.path:
        if source.name not in BUILTIN_SETS:
            known = name_hint(source.name, BUILTIN_SETS)
            raise ConfigInvalid(
                f"rse.prompts: {source.name} has no path, and no set of that name is built in; "
                f"{known}"
            )
        data, where = builtin_text(BUILTIN_SETS[source.name]).encode(), f"builtin {source.name}"
    else:
        path = folder / Path(source.path).expanduser()
        data, where = read_bytes(path), str(path)
    loaded = parse_prompts(
        data,
        name=source.name,
        where=where,
        max_chars=source.max_chars or MAX_CHARS,
        max_turns=source.max_turns,
    )
    sampled = sample(loaded.prompts.prompts, source.limit, seed)
    return msgspec.structs.replace(loaded, prompts=PromptSet(name=source.name, prompts=sampled))
