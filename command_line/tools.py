"""Commands for the cache and for the simulator."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from ..commands.plugins import Plugins
from ..engine.errors import InputInvalid
from ..engine.plurals import counted
from ..engine.records.run_directory import RunDirectory
from ..engine.setup.config import RunTable
from .process import stoppable, tuned_gc
from .shared_options import (
    EXIT_DIFFERS,
    AnyCache,
    Screen,
    add_command,
    cache_option,
    setting_parameters,
)

_ExplainCache = Annotated[
    Path | None,
    cache_option("that of the run, else ~/.cache/hydrometer or HYDROMETER_CACHE"),
]

P = ParamSpec("P")
T = TypeVar("T")


def add_tools(app: typer.Typer, plugins: Plugins) -> None:
    """Add ``cache`` with its subcommands, and ``simulate``."""
    cache = typer.Typer(help="Inspect the stored answers.", no_args_is_help=True)
    add_command(cache, _cache_info, name="info")
    add_command(cache, _cache_verify, name="verify")
    add_command(cache, _cache_explain(plugins), name="explain")
    app.add_typer(cache, name="cache")
    add_command(app, _simulate_command(), name="simulate")


def run_async(
    function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run *function* in an event loop of its own, with garbage collection tuned for many calls."""
    import anyio

    with tuned_gc():
        try:
            return anyio.run(partial(function, *args, **kwargs))
        except KeyboardInterrupt:
            _stop_idle_threads()
            raise


def _stop_idle_threads() -> None:
    """Stop the worker threads of an event loop that KeyboardInterrupt ended.

    anyio stops them when its first task ends, but not then, and the process would wait for them.
    """
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("anyio."):
            thread.stop()  # type: ignore[attr-defined]


def watched(screen: Screen) -> tuple[Any, Any]:
    """Return the progress display of a command, and the function that handles signals in its runs.

    That function takes a session, and returns a context manager.
    """
    from ..report.terminal.live.pool_text import state_lines
    from ..report.terminal.live.progress import ProgressDisplay
    from ..report.terminal.screen import stderr_console

    def watch(session: Any) -> AbstractAsyncContextManager[None]:
        return stoppable(session, screen.err, lambda: state_lines(session.statistics()))

    return ProgressDisplay(stderr_console(), screen.err, quiet=screen.quiet), watch


def _cache_info(screen: Screen, cache: AnyCache = None) -> None:
    """Print the number of answers in the cache, and its folder; with -q only the number.

    Example: hydrometer cache info
    """
    from ..cache.reader import open_reader
    from ..report.terminal.cache_view import cache_view
    from ..report.terminal.screen import print_view

    with open_reader(_existing_cache(cache)) as store:
        info = store.info()
    if screen.quiet:
        screen.out(str(info.entries))
    else:
        print_view(cache_view(info))


def _cache_verify(screen: Screen, cache: AnyCache = None) -> None:
    """Check every stored answer. Nothing is written or repaired.

    Prints every damaged entry, and exits with 1 if there is one.

    Example: hydrometer cache verify --cache runs/cache
    """
    from ..cache.inspection.verify import verify_cache
    from ..report.terminal.cache_text import (
        damage_summary,
        verification_lines,
    )
    from ..report.terminal.cache_view import verification_view
    from ..report.terminal.screen import print_either, stderr_console

    folder = _existing_cache(cache)
    waiting = nullcontext() if screen.quiet else stderr_console().status("reading every answer")
    with waiting:
        found = verify_cache(folder)
    if not screen.quiet or not found.all_sound:
        print_either(verification_view(found), verification_lines(found))
    screen.detail(f"checked {counted(found.answers, 'answers')}")
    if not found.all_sound:
        screen.err(damage_summary(found))
        raise typer.Exit(EXIT_DIFFERS)


def _cache_explain(plugins: Plugins) -> Callable[..., None]:
    def explain(
        screen: Screen,
        what: Annotated[
            str,
            typer.Argument(
                metavar="KEY|RUN",
                help="The key of a request, or at least its first 6 digits; or a run directory.",
            ),
        ],
        cache: _ExplainCache = None,
    ) -> None:
        """Show a stored answer, or how much of a run is stored.

        Long texts are shortened. -v shows them in full, and -q shows only the text of the answer.
        For a run, the first call that is not stored is compared with the most similar stored call.

        Example: hydrometer cache explain 3fa9c1d2e4b6
        """
        from ..cache.errors import KeyInvalid
        from ..cache.inspection.explain import explain_key
        from ..commands.preview import explain_coverage
        from ..report.terminal.cache_text import explanation_lines
        from ..report.terminal.cache_view import explanation_view
        from ..report.terminal.screen import print_either

        if RunDirectory(Path(what)).exists():
            screen.out(run_async(explain_coverage, Path(what), cache, plugins))
            return
        try:
            found = explain_key(_default_cache(cache), what)
        except KeyInvalid as error:
            raise KeyInvalid(f"{error}, which is no run directory either") from None
        if screen.quiet and found.entry is not None:
            screen.out(found.entry.response.text)
            return
        view = explanation_view(found, whole=screen.verbose)
        print_either(view, explanation_lines(found, whole=screen.verbose))

    return explain


def _simulate_command() -> Callable[..., None]:
    """Return the command whose options are the simulator's settings."""
    from ..providers.simulation.planting import Planting
    from ..providers.simulation.server.setting_help import SETTING_HELP
    from ..providers.simulation.server.simulator_settings import (
        SimulatorSettings,
        parse_faults,
    )

    def simulate(screen: Screen, **values: Any) -> None:
        from ..providers.simulation.server.simulator import run_simulator

        values["faults"] = parse_faults(values["faults"])
        settings = SimulatorSettings(**values, planting=Planting(seed=values["seed"]))
        screen.detail(f"settings {settings}")
        import anyio

        anyio.run(run_simulator, settings, partial(print, flush=True))

    simulate.__doc__ = """Serve simulated models on the loopback address, until Ctrl-C.

    Models: sim-target, sim-helper, sim-judge; any other name answers as a target. /stats returns
    counts of requests and faults.

    Example: hydrometer simulate --port 8000 --latency-ms 200 --faults failed=0.05,stalled=0.01
    """
    parameters = setting_parameters(SimulatorSettings, SETTING_HELP, required=("port",))
    screen = inspect.Parameter("screen", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    simulate.__signature__ = inspect.Signature([screen, *parameters])  # type: ignore[attr-defined]
    return simulate


def _default_cache(cache: Path | None) -> Path:
    from ..commands.session import cache_folder

    return cache_folder(cache, RunTable().cache)


def _existing_cache(cache: Path | None) -> Path:
    """Return the folder of the cache. Raises InputInvalid if there is none."""
    from ..cache.disk import holds_store

    folder = _default_cache(cache)
    if not holds_store(folder):
        raise InputInvalid(f"there is no cache in {folder} yet; the first run makes it")
    return folder
