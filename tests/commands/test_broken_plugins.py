"""A plug-in at fault: one line that names it, nothing paid for is lost, and the run goes on."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from textwrap import dedent
from typing import Any, ClassVar

import msgspec
import pytest
from processes import invoke

import hydrometer
from hydrometer.providers.base import AdapterReply, OpenAdapter
from hydrometer.providers.errors import RateLimited, RequestRejected, ServiceFailed
from hydrometer.providers.quota import Allowance, Quota
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response
from hydrometer.scoring.identity_scores import IdentityScore
from hydrometer.strategies.base import Choice
from hydrometer.strategies.search.tree import Tree
from hydrometer.testing import make_request

CONFIG = """
[models.target]
provider = "{provider}"
model = "sim-target"
vendor = "alibaba"
fact = "builtin:qwen"
[models.helper]
provider = "simulated"
model = "sim-helper"
[models.judge]
provider = "simulated"
model = "sim-judge"
[ice]
targets = ["target"]
helper = "helper"
probes = 30
questions_per_visit = 5
"""


def write(folder: Path, *lines: str, provider: str = "simulated") -> Path:
    path = folder / "audit.toml"
    path.write_text(CONFIG.format(provider=provider) + "\n".join(lines) + "\n")
    return path


def ice(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return invoke(
        "ice", folder / "audit.toml", "--out", folder / "run", "--cache", folder / "cache", "-q",
        *more,
    )  # fmt: skip


def status(run: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((run / "status.json").read_text())
    return found


Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a package of one module on the path, with one entry point, "odd"."""
    site = tmp_path / "site"
    info = site / "odd_package-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1\n")
    monkeypatch.syspath_prepend(str(site))

    def put(kind: str, source: str) -> None:
        (site / "odd_module.py").write_text(dedent(source))
        (info / "entry_points.txt").write_text(f"[hydrometer.{kind}]\nodd = odd_module:Odd\n")
        monkeypatch.delitem(sys.modules, "odd_module", raising=False)

    return put


SELECTOR = """
    from typing import ClassVar
    import msgspec
    from hydrometer.strategies.base import Choice

    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"

        def select(self, tree, *, step, rng):
            return Choice(path=(0,))

        def reward(self, choice, *, depth, successes, probes):
            return {reward}
"""


def test_a_selector_that_gains_nan_is_named_and_the_run_is_not_spoilt(
    tmp_path: Path, install: Install
) -> None:
    install("selectors", SELECTOR.format(reward='float("nan")'))
    write(tmp_path, 'selector = "odd"')

    done = ice(tmp_path)
    scored = invoke("score", tmp_path / "run")
    found = status(tmp_path / "run")
    install("selectors", SELECTOR.format(reward="0.5"))
    resumed = ice(tmp_path, "--resume")
    replayed = invoke("replay", tmp_path / "run")

    said = (
        "the selector odd of odd-package is broken: "
        "reward returned nan, which is not a finite number"
    )
    assert (done.returncode, done.stderr) == (2, f"hydrometer: {said}\n")
    assert (found["state"], found["cause"], found["reason"]) == ("stopped", "plug-in", said)
    assert scored.returncode == 0, scored.stderr
    assert resumed.returncode == 0, resumed.stderr
    assert replayed.returncode == 0, replayed.stderr


def test_a_plug_in_that_cannot_be_imported_is_named_and_leaves_no_run(
    tmp_path: Path, install: Install
) -> None:
    install("selectors", "raise OSError('no licence')")
    write(tmp_path, 'selector = "odd"')

    done = ice(tmp_path)

    assert (done.returncode, done.stderr) == (
        2,
        "hydrometer: the selector odd of odd-package is broken: its import raised OSError: "
        "no licence\n",
    )
    assert not (tmp_path / "run").exists()


def test_debug_shows_where_a_plug_in_failed(tmp_path: Path, install: Install) -> None:
    install("selectors", SELECTOR.format(reward="1 / 0  # here"))
    write(tmp_path, 'selector = "odd"')

    done = ice(tmp_path, "--debug")

    assert done.returncode == 2
    assert "return 1 / 0  # here" in done.stderr
    assert done.stderr.endswith("reward raised ZeroDivisionError: division by zero\n")


JUDGE = """
    from typing import ClassVar
    import msgspec
    from hydrometer.strategies.types import Verdict

    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        metrics: ClassVar[tuple[str, ...]] = {metrics}
        asks_model: ClassVar[bool] = True

        def prepare(self, about):
            return self

        def read(self, case):
            {read}
            return (Verdict(metric="strict", positive=False),)
"""
ONCE = 'yield ("Is it?" + case.response,)'


def test_a_judge_that_never_has_enough_ends_the_run_also_in_a_rescore(
    tmp_path: Path, install: Install
) -> None:
    config = write(tmp_path)
    assert ice(tmp_path).returncode == 0
    install("judges", JUDGE.format(metrics=("strict",), read="while True: yield ('Is it?',)"))
    write(tmp_path, 'judge = "odd"', 'judge_model = "judge"')

    done = invoke("rescore", tmp_path / "run", "--judge", "odd", "--config", config, "-q")
    scored = invoke("score", tmp_path / "run")

    assert (done.returncode, done.stderr) == (
        2,
        "hydrometer: the judge odd of odd-package is broken: read asks its model more than 8 "
        "times about one response\n",
    )
    assert scored.returncode == 0, scored.stderr
    assert "odd" not in scored.stdout


@pytest.mark.parametrize(("metrics", "code"), [(("strict",), 0), (("loose",), 2)])
def test_only_a_judge_that_decides_loose_needs_the_fact(
    tmp_path: Path, install: Install, metrics: tuple[str, ...], code: int
) -> None:
    install("judges", JUDGE.format(metrics=metrics, read=ONCE))
    config = write(tmp_path, 'judge = "odd"', 'judge_model = "judge"')
    config.write_text(config.read_text().replace('fact = "builtin:qwen"\n', ""))

    done = ice(tmp_path)

    assert done.returncode == code, done.stderr
    assert ("models.target.fact is missing" in done.stderr) == (code == 2)


MUTATOR = """
    from typing import ClassVar
    import msgspec
    from hydrometer.strategies.types import Rejected

    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        parents: ClassVar[int] = 1

        def build_prompt(self, parents):
            before, after = parents[0].split("{query}")
            return before + after

        def build_repair(self, fault):
            return fault

        def parse(self, reply, parents):
            return Rejected(fault="none")
"""


def test_an_estimate_shows_a_mutator_nothing_that_is_no_template(
    tmp_path: Path, install: Install
) -> None:
    install("mutators", MUTATOR)
    config = write(tmp_path, 'mutators = ["odd"]')

    done = invoke("plan", config, "--cache", tmp_path / "cache")

    assert done.returncode == 0, done.stderr


# Providers, handed in


class OddAdapter:
    """Answers as a simulated model does, unless *reply* says otherwise."""

    def __init__(self, reply: Callable[[Request], Any] | None = None, quota: Any = None) -> None:
        self._reply = reply
        self._quota = quota

    async def send(self, request: Request) -> AdapterReply:
        found = self._reply(request) if self._reply else None
        response = found or answer(request, "sim-target", Planting(rate=0.3))
        return AdapterReply(response=response, quota=self._quota)


def opener(
    reply: Callable[[Request], Any] | None = None,
    *,
    opening: Callable[[], object] = lambda: None,
    closing: Callable[[], object] = lambda: None,
) -> hydrometer.Plugins:
    @asynccontextmanager
    async def open_odd(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[OddAdapter]:
        opening()
        try:
            yield OddAdapter(reply)
        finally:
            closing()

    return hydrometer.Plugins(providers={"odd": open_odd})


def opening_of(plugins: hydrometer.Plugins) -> OpenAdapter:
    """Return what opens an adapter of the provider "odd"."""
    return plugins.kinds.find("odd", "models.m").open


def raising(error: BaseException) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


async def measure(
    folder: Path, plugins: hydrometer.Plugins, start: Any = "new"
) -> tuple[object, ...]:
    config = hydrometer.load_config(write(folder, provider="odd"))
    plan = hydrometer.build_plan(config, plugins=plugins)
    return await hydrometer.run(
        plan, config, folder / "run", cache=folder / "cache", plugins=plugins, start=start
    )


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        (opener(raising(KeyError("choices"))), "send raised KeyError: 'choices'"),
        (opener(opening=raising(ValueError("no region"))), "open raised ValueError: no region"),
        (opener(closing=raising(ValueError("twice"))), "close raised ValueError: twice"),
        (
            opener(lambda _: Response(text=None)),  # type: ignore[arg-type]
            "send returned Response(text=None, finish='stop'",
        ),
        (opener(lambda _: {"text": "hi"}), "send returned {'text': 'hi'}, not Response(text="),
    ],
)
async def test_a_provider_at_fault_is_named(
    tmp_path: Path, plugins: hydrometer.Plugins, said: str
) -> None:
    with pytest.raises(hydrometer.PluginBroken) as raised:
        await measure(tmp_path, plugins)

    assert str(raised.value).startswith(f"the provider odd is broken: {said}")
    assert status(tmp_path / "run")["cause"] == "plug-in"


async def test_what_was_paid_for_before_a_provider_broke_is_not_asked_again(
    tmp_path: Path,
) -> None:
    sent: list[Request] = []

    def breaks(request: Request) -> None:
        if len(sent) == 20:
            raise KeyError("choices")
        sent.append(request)

    def works(request: Request) -> None:
        sent.append(request)

    with pytest.raises(hydrometer.PluginBroken):
        await measure(tmp_path, opener(breaks))
    await measure(tmp_path, opener(works), start="resume")

    probes = [request for request in sent if request.messages[-1].content != "Reply with OK."]
    assert len({msgspec.json.encode(request) for request in probes}) == len(probes) == 30


async def test_closing_neither_hides_nor_swallows_what_went_wrong_inside() -> None:
    class Swallows:
        async def __aenter__(self) -> OddAdapter:
            return OddAdapter()

        async def __aexit__(self, *_: object) -> bool:
            return True

    def open_odd(settings: ModelSettings, **_: object) -> Swallows:
        return Swallows()

    swallowing = hydrometer.Plugins(providers={"odd": open_odd})
    settings = ModelSettings(provider="odd", model="m")
    for plugins in (swallowing, opener(closing=raising(ValueError("in its wake")))):
        with pytest.raises(LookupError, match="inside"):
            async with opening_of(plugins)(settings, slots=1, api_key="", headers={}):
                raise LookupError("inside")


async def test_a_key_that_a_provider_repeats_is_not_told() -> None:
    settings = ModelSettings(
        provider="odd", model="m", headers={"X-Key": "env:KEY", "X-Team": "audit"}
    )
    said = ValueError("key-0123456789 and header-0123456789 of audit are refused")

    with pytest.raises(hydrometer.PluginBroken) as raised:
        async with opening_of(opener(opening=raising(said)))(
            settings,
            slots=1,
            api_key="key-0123456789",
            headers={"X-Key": "header-0123456789", "X-Team": "audit"},
        ):
            pass

    assert str(raised.value) == (
        "the provider odd is broken: open raised ValueError: *** and *** of audit are refused"
    )


async def test_a_quota_that_a_provider_reports_is_passed_on_or_at_fault() -> None:
    settings = ModelSettings(provider="odd", model="m")

    async def ask(adapter: Any) -> object:
        @asynccontextmanager
        async def open_odd(
            settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
        ) -> AsyncIterator[Any]:
            yield adapter

        found = opening_of(hydrometer.Plugins(providers={"odd": open_odd}))
        async with found(settings, slots=1, api_key="", headers={}) as opened:
            return (await opened.send(make_request())).quota

    assert await ask(OddAdapter(quota=Quota())) == Quota()
    assert await ask(OddAdapter()) is None
    for quota, said in (
        ("none left", "send returned 'none left', not a Quota"),
        (Quota(requests="many"), "Expected `object`, got `str`"),  # type: ignore[arg-type]
        (Quota(requests=Allowance(remaining="x")), "Expected `int \\| null`, got `str`"),  # type: ignore[arg-type]
        (Quota(tokens=Allowance(reset_s=math.nan)), "send returned Quota"),
        (Quota(tokens=Allowance(reset_s=-1.0)), "a Quota in which reset_s is -1.0"),
        (Quota(tokens=Allowance(limit=0)), "a Quota in which limit is 0"),
    ):
        with pytest.raises(hydrometer.PluginBroken, match=said):
            await ask(OddAdapter(quota=quota))


@pytest.mark.parametrize("wait_s", ["soon", math.nan, math.inf, -5, True])
@pytest.mark.parametrize("kind", [RateLimited, partial(ServiceFailed, status=500)])
async def test_a_wait_that_a_provider_asks_for_is_a_finite_number(
    tmp_path: Path, kind: Callable[..., Exception], wait_s: Any
) -> None:
    with pytest.raises(hydrometer.PluginBroken) as raised:
        await measure(tmp_path, opener(raising(kind("m", retry_after_s=wait_s))))

    name = type(kind("m")).__name__
    assert str(raised.value) == (
        f"the provider odd is broken: send raised {name} with retry_after_s {wait_s!r}, which is "
        "neither None nor a finite number of at least 0"
    )


async def test_the_quota_of_a_rate_limit_is_checked_too() -> None:
    error = RateLimited("m", quota="none left")  # type: ignore[arg-type]
    settings = ModelSettings(provider="odd", model="m")

    async with opening_of(opener(raising(error)))(
        settings, slots=1, api_key="", headers={}
    ) as opened:
        with pytest.raises(hydrometer.PluginBroken, match="RateLimited with 'none left', not a Qu"):
            await opened.send(make_request())


async def test_a_provider_that_is_no_function_is_named(tmp_path: Path) -> None:
    plugins = hydrometer.Plugins(providers={"odd": 5})  # type: ignore[dict-item]

    with pytest.raises(hydrometer.PluginBroken) as raised:
        await measure(tmp_path, plugins)

    assert str(raised.value) == (
        "the provider odd is broken: it is 5, no function that opens a provider"
    )


async def test_a_provider_changes_only_its_own_copy_of_the_options() -> None:
    seen: list[object] = []

    @asynccontextmanager
    async def open_odd(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Any]:
        settings.options["words"]["more"] = 1  # type: ignore[index]
        seen.append(settings.options)
        yield OddAdapter()

    settings = ModelSettings(provider="odd", model="m", options={"words": {}})
    found = opening_of(hydrometer.Plugins(providers={"odd": open_odd}))
    for _ in range(2):
        async with found(settings, slots=1, api_key="", headers={}):
            pass

    assert seen == [{"words": {"more": 1}}] * 2
    assert settings.options == {"words": {}}


@pytest.mark.parametrize(
    ("name", "plugins"),
    [
        ("selectors: ucb", hydrometer.Plugins(selectors={"ucb": int})),
        ("judges: lexical", hydrometer.Plugins(judges={"lexical": int})),
        ("mutators: expand", hydrometer.Plugins(mutators={"expand": int})),
        ("providers: simulated", hydrometer.Plugins(providers={"simulated": opening_of})),  # type: ignore[dict-item]
    ],
)
async def test_a_plug_in_under_a_built_in_name_is_refused(
    tmp_path: Path, name: str, plugins: hydrometer.Plugins
) -> None:
    config = hydrometer.load_config(write(tmp_path))

    with pytest.raises(hydrometer.InputInvalid) as raised:
        hydrometer.build_plans(config, plugins=plugins)

    assert str(raised.value) == f"{name} is built in; choose another name"


async def test_a_provider_must_send_and_return_an_adapter_reply() -> None:
    class Bare:
        async def send(self, request: Request) -> Response:
            return answer(request, "sim-target", Planting())

    class Old:
        async def complete(self, request: Request) -> Response:
            return answer(request, "sim-target", Planting())

    @asynccontextmanager
    async def open_odd(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Any]:
        yield Bare() if settings.model == "bare" else Old()

    found = opening_of(hydrometer.Plugins(providers={"odd": open_odd}))
    for model, said in (("bare", "send returned Response"), ("old", "send raised AttributeError")):
        settings = ModelSettings(provider="odd", model=model)
        async with found(settings, slots=1, api_key="", headers={}) as opened:
            with pytest.raises(hydrometer.PluginBroken, match=said):
                await opened.send(make_request())


async def test_an_error_that_a_provider_may_raise_is_a_failed_call(tmp_path: Path) -> None:
    sent: list[Request] = []

    def rejects(request: Request) -> Any:
        sent.append(request)
        if len(sent) == 8:
            raise RequestRejected("content filter", status=400)

    scores = await measure(tmp_path, opener(rejects))

    assert isinstance(scores[0], IdentityScore)
    assert (scores[0].failed, scores[0].judged) == (1, 29)


# Strategies, handed in


class Deep(msgspec.Struct, frozen=True, kw_only=True):
    """Takes its third template from where there is none."""

    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(0 if step < 3 else 99,))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        return 0.0


async def test_what_was_recorded_before_a_strategy_broke_replays(tmp_path: Path) -> None:
    config = hydrometer.load_config(write(tmp_path, 'selector = "deep"', "[run]", "window = 1"))
    plugins = hydrometer.Plugins(selectors={"deep": Deep})
    plan = hydrometer.build_plan(config, plugins=plugins)
    run = tmp_path / "run"

    with pytest.raises(hydrometer.PluginBroken, match="select returned node 99 of a tree"):
        await hydrometer.run(plan, config, run, cache=tmp_path / "cache", plugins=plugins)

    probes = [event for event in hydrometer.read_run(run).events() if hasattr(event, "judgement")]
    assert len(probes) == 5
    assert all(isinstance(score, IdentityScore) for score in hydrometer.score(run))
