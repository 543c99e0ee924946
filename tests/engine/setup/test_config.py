"""Config: parsed from text, with one line for the first thing that is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from coin_toss import COIN, CoinTable

from hydrometer.engine.errors import ConfigInvalid, FileInvalid, InputInvalid
from hydrometer.engine.ice.ice_config import IceTable
from hydrometer.engine.measurement import Measurements
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.rse.rse_config import RseTable
from hydrometer.engine.setup.config import Config, RunTable, load_config_file, parse_config
from hydrometer.providers.settings import BudgetTable

SECRET = "sk-do-not-print-me-0123456789abcdef"
MODEL = '[models.a]\nprovider = "http"\nmodel = "m"\nbase_url = "http://h/v1"\n'
SIMULATED = '[models.a]\nprovider = "simulated"\nmodel = "sim-target"\n'


def parse(text: str, measurements: Measurements = BUILT_IN) -> Config:
    return parse_config(text, "c.toml", measurements)


def refusal(text: str, measurements: Measurements = BUILT_IN) -> str:
    with pytest.raises(ConfigInvalid) as raised:
        parse(text, measurements)
    said = str(raised.value)
    assert "\n" not in said
    assert SECRET not in said
    return said


def test_an_empty_file_is_a_config_of_defaults() -> None:
    config = parse("")

    assert (config.run, config.models) == (RunTable(), {})
    assert config.tables == (IceTable(), RseTable())


def test_every_table_is_read_with_its_type() -> None:
    config = parse(
        "[run]\nseed = 3\nwindow = 2\nbudget = { calls = 5 }\n"
        + MODEL
        + '[ice]\ntargets = ["a"]\nprobes = 7\n[rse]\njudge_draws = 2\n'
    )

    assert config.run == RunTable(seed=3, window=2, budget=BudgetTable(calls=5))
    assert list(config.models) == ["a"]
    assert (config.models["a"].model, config.models["a"].base_url) == ("m", "http://h/v1")
    assert config.table(IceTable) == IceTable(targets=("a",), probes=7)
    assert config.table(RseTable) == RseTable(judge_draws=2)


def test_tables_are_those_of_the_measurements_that_are_handed_in() -> None:
    config = parse("[coin]\ntosses = 3\n", Measurements((COIN,)))

    assert config.tables == (CoinTable(tosses=3),)
    assert refusal("[ice]\nprobes = 1\n", Measurements((COIN,))) == (
        "c.toml: ice: unknown key; known: run, models, coin"
    )
    assert (
        refusal("[coin]\ntosses = 3\n") == "c.toml: coin: unknown key; known: run, models, ice, rse"
    )


def test_a_measurement_checks_its_own_table() -> None:
    measurements = Measurements((COIN,))

    assert refusal("[coin]\ntosses = 0\n", measurements) == (
        "c.toml: coin.tosses must be at least 1, got 0"
    )
    assert refusal('[coin]\nside = "edge"\n', measurements) == (
        "c.toml: coin.side: must be one of heads, tails"
    )


def test_a_table_that_a_config_lacks_has_its_defaults() -> None:
    assert Config().table(CoinTable) == CoinTable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run\nseed = 1", "c.toml is not TOML: Expected ']' at the end of a table"),
        ("[rum]\nseed = 1", "c.toml: rum: unknown key; did you mean run?"),
        ("[run]\nsed = 1", "c.toml: run.sed: unknown key; did you mean seed?"),
        ("[run.budget]\ncall = 1", "c.toml: run.budget.call: unknown key; did you mean calls?"),
        (MODEL + "slot = 3", "c.toml: models.a.slot: unknown key; did you mean slots?"),
        (
            MODEL + "[[models.a.endpoints]]\nbase_url = 'http://h/v1'\nslot = 3",
            "c.toml: models.a.endpoints[0].slot: unknown key; did you mean slots?",
        ),
        (
            "[ice.sampling.targt]\ntemperature = 1",
            "c.toml: ice.sampling.targt: unknown key; did you mean target?",
        ),
        (
            "[ice.sampling.target]\ntemprature = 1",
            "c.toml: ice.sampling.target.temprature: unknown key; did you mean temperature?",
        ),
        (
            "[[rse.prompts]]\nnam = 'x'",
            "c.toml: rse.prompts[0].nam: unknown key; did you mean name?",
        ),
        ("[models]\na = 3", "c.toml: models.a: expected object, got int"),
        ("models = 3", "c.toml: models must be tables, one [models.NAME] for each model"),
        ("run = 3", "c.toml: run: expected object, got int"),
        ("ice = 3", "c.toml: ice: expected object, got int"),
        ('[run]\nseed = "one"', "c.toml: run.seed: expected int, got str"),
        ("[run]\nwindow = 0", "c.toml: run.window must be at least 1, got 0"),
        ("[ice]\nprobes = 0", "c.toml: ice.probes must be at least 1, got 0"),
        (
            "[ice]\nquestions_per_visit = -1",
            "c.toml: ice.questions_per_visit must be at least 1, got -1",
        ),
        ("[ice]\nmutators = []", "c.toml: ice.mutators must name at least one mutator"),
        ('[ice]\npreset = "papr"', "c.toml: ice.preset: must be one of standard, paper"),
        ('[ice]\nadmit = "none"', "c.toml: ice.admit: must be one of successful, all"),
        ("[ice]\ntargets = [3]", "c.toml: ice.targets[0]: expected str, got int"),
        ("[rse]\njudge_draws = 0", "c.toml: rse.judge_draws must be at least 1, got 0"),
        (
            "[models.a]\nmodel = 'm'\nbase_url = 'http://h/v1'\nprovider = 'http'\n"
            "sampling = { temperature = nan }",
            "c.toml: models.a.sampling.temperature must be a finite number, got nan",
        ),
        (
            MODEL.replace("models.a", 'models."a b"'),
            "c.toml: models.'a b': a name has letters, digits, dot, dash and underscore",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_the_setting_s_path(text: str, said: str) -> None:
    assert refusal(text).startswith(said)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("[models.a.options]\nplanting = { rate = 0.5 }", None),
        ("planting = { rate = 0.5 }", "models.a.planting"),
        ("planting = 3", "models.a.planting"),
    ],
)
def test_a_planting_that_stands_where_it_used_to_is_told_where_to_move(
    name: str, path: str | None
) -> None:
    text = SIMULATED + name

    if path is None:
        assert parse(text).models["a"].options == {"planting": {"rate": 0.5}}
    else:
        assert refusal(text) == (
            f"c.toml: {path} is now an option: write options = {{ planting = {{ ... }} }}"
        )


def test_a_planting_elsewhere_is_an_unknown_key_like_others() -> None:
    assert refusal("planting = 3").startswith("c.toml: planting: unknown key; known: run, ")
    assert refusal("[run]\nplanting = 3").startswith("c.toml: run.planting: unknown key; ")


@pytest.mark.parametrize("name", ["api_key", "apikey", "KEY", "Token", "secret", "password"])
def test_a_setting_that_is_called_like_a_key_is_refused_wherever_it_stands(name: str) -> None:
    for text, path in (
        (f'{name} = "x"\n' + MODEL, name),
        (MODEL + f'{name} = "x"\n', f"models.a.{name}"),
        (
            MODEL + f'options = {{ deep = [{{ {name} = "x" }}] }}\n',
            f"models.a.options.deep[0].{name}",
        ),
    ):
        assert refusal(text).startswith(f"c.toml: {path}: a key must not be in the file; ")


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"Bearer {SECRET[:9]}",
        f"http://u:{SECRET}@h/v1",
        "AIza" + "x" * 30,
        "hf_" + "x" * 20,
    ],
)
def test_a_value_that_looks_like_a_key_is_refused_and_not_shown(value: str) -> None:
    for text, path in (
        (f'[run]\ncache = "{value}"\n', "run.cache"),
        (f'[ice]\ntargets = ["a", "{value}"]\n', "ice.targets[1]"),
        (f'[unheard-of]\nx = "{value}"\n', "unheard-of.x"),
    ):
        said = refusal(text)
        assert said.startswith(f"c.toml: {path} looks like a key, ")
        assert value not in said


def test_settings_that_the_providers_refuse_are_refused_with_the_file() -> None:
    said = refusal(MODEL.replace('base_url = "http://h/v1"\n', ""))

    assert said.startswith("c.toml: models.a")
    assert "base_url" in said


def test_a_file_is_read_as_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"\xef\xbb\xbf[run]\nseed = 5\n")

    assert load_config_file(path, BUILT_IN).run.seed == 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot be read: no such file or directory"),
        (b"[run]\n# \xff\n", "is not UTF-8 text (byte 8); save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "c.toml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(FileInvalid) as raised:
        load_config_file(path, BUILT_IN)

    assert str(raised.value) == f"{path} {said}"
    assert isinstance(raised.value, InputInvalid)
