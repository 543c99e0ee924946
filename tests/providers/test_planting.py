"""Planting in a config: where it is written, and the messages for what is wrong in it."""

from __future__ import annotations

import pytest

from hydrometer.engine.errors import ConfigInvalid
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.setup.config import parse_config
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.planting import Planting, planting_of

CONFIG = """
[models.x]
provider = "{provider}"
model = "sim-target"
base_url = "http://a/v1"
{more}
"""


def read(more: str, provider: str = "simulated") -> ModelSettings:
    return parse_config(CONFIG.format(provider=provider, more=more), "c.toml", BUILT_IN).models["x"]


def why_invalid(more: str, provider: str = "simulated") -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read(more, provider)
    return str(caught.value)


def test_planting_is_read_from_the_options() -> None:
    settings = read("options = { planting = { rate = 1, traits = { radio = 0.5 }, family = 2 } }")

    assert planting_of(settings) == Planting(rate=1.0, traits={"radio": 0.5}, family=2)


def test_a_simulated_model_without_options_has_the_default_planting() -> None:
    assert planting_of(read("")) == Planting()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("planting = { rate = 2 }", "planting.rate: expected float <= 1.0"),
        ('planting = { rate = "high" }', "planting.rate: expected float, got str"),
        ("planting = { traits = { radio = -1 } }", "planting.traits[...]: expected float >= 0.0"),
        ("planting = 3", "planting: expected object, got int"),
        ("planting = { rat = 0.1 }", "planting.rat: unknown option; did you mean rate?"),
        ("plantin = { rate = 0.1 }", "plantin: unknown option; did you mean planting?"),
        (
            'planting = { relation = "twin" }',
            "planting.relation: must be one of copy, paraphrase, family, unrelated",
        ),
    ],
)
def test_an_option_that_is_wrong_is_named_with_its_path(options: str, message: str) -> None:
    assert why_invalid(f"options = {{ {options} }}") == f"c.toml: models.x.options.{message}"


def test_planting_where_it_used_to_be_says_what_to_write_instead() -> None:
    assert why_invalid("planting = { rate = 0.1 }") == (
        "c.toml: models.x.planting is now an option: write options = { planting = { ... } }"
    )


def test_no_other_kind_takes_a_planting() -> None:
    options = "options = { planting = { rate = 0.1 } }"

    assert why_invalid(options, "http") == "c.toml: models.x.options: provider http has no options"
    assert why_invalid(options, "openai").startswith(
        "c.toml: models.x.options.planting: unknown option; known: "
    )
