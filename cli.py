"""The command line: options in, exit codes and one-line errors out. The work is in commands/."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console, RenderableType

from . import __version__
from .cache.errors import CacheError, CacheUnwritable, KeyInvalid
from .cache.explain import explain_key
from .cache.reader import open_reader
from .cache.verify import verify_cache
from .commands.batch import Batch, run_batch, terminal
from .commands.demo import demo_config, run_demo, run_demo_comparison
from .commands.estimates import budget_lines
from .commands.importing import plan_imports, run_import
from .commands.interrupt import interruptible
from .commands.measure import Start
from .commands.plugins import Plugins
from .commands.preview import explain_coverage, preview_run, split_targets
from .commands.replay import replay_run
from .commands.rescore import RescoreJob, show_rescoring
from .commands.rse import find_kin, plan_rse, run_name, write_kin
from .commands.score import AnyScore, find_changes, score_runs, write_scores
from .commands.session import cache_folder
from .engine.errors import EngineError, InputInvalid, RunConflict, RunStopped
from .engine.records.event_log import Tally
from .engine.records.run_directory import RunDirectory
from .engine.setup.config import Config
from .engine.setup.loading import builtin_text, load_config, load_texts
from .engine.setup.plan import AnyPlan, IcePlan
from .engine.setup.planning import build_ice_plan
from .providers.errors import ProviderError
from .providers.kinds import ProviderKinds
from .providers.simulation.planting import Planting
from .providers.simulation.server.simulator_settings import DeadForm, JitterShape, parse_faults
from .report.tables.formats import to_csv, to_json, to_markdown
from .report.terminal.cache_text import (
    damage_summary,
    explanation_lines,
    verification_lines,
)
from .report.terminal.identity_view import score_table_view
from .report.terminal.pairwise_view import kinship_view
from .report.terminal.progress import GRADED, Progress, show_progress
from .report.terminal.similarity_view import similarity_view
from .report.terminal.views import (
    cache_view,
    demo_comparison_view,
    demo_view,
    explanation_view,
    preview_view,
    verification_view,
)
from .scoring.identity_scores import IdentityScore
from .scoring.similarity_scores import SimilarityScore

app = typer.Typer(
    name="hydrometer",
    help="Measures how strongly a language model was distilled from other models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cache_app = typer.Typer(help="Looks at the store of answers.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")

PLUGINS = Plugins()  # looks for nothing until a name is not ours

EXIT_DIFFERS, EXIT_INPUT, EXIT_STOPPED, EXIT_BUG, EXIT_INTERRUPTED = 1, 2, 3, 70, 130

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print only errors and what is asked to be show_progress; new scores go to scores.json.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is done.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]
ConfigFile = Annotated[Path, typer.Argument(help="The TOML file.", show_default=False)]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Where answers are kept, instead of the config's.")
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", help="Measure this target only; may be repeated.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="The run directory (default: runs/CONFIG-NAME).")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")]
RetryOption = Annotated[
    bool,
    typer.Option("--retry-failed", help="Run anew from the cache, asking again only what failed."),
]
NoPreflight = Annotated[
    bool, typer.Option("--no-preflight", help="Don't call each model once before the start.")
]


class Format(StrEnum):
    """How scores are written."""

    table = "table"
    json = "json"
    csv = "csv"
    md = "md"


def main() -> None:
    """Run the command line."""
    app()


def show_version(wanted: bool) -> None:
    """Print the version and end, if it is asked for."""
    if wanted:
        print_out(f"hydrometer {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which version this is.", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Measure how strongly a language model was distilled from other models."""


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option("--out", help="Keep the runs here.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Measure simulated models whose truth is known, offline.

    Example: hydrometer demo
    """
    with errors_as_lines(debug=debug):
        folder = out or Path(tempfile.mkdtemp(prefix="hydrometer-demo-"))
        if out is not None and out.exists() and any(out.iterdir()):
            raise RunConflict(f"{out} is not empty: the demo wants a folder of its own")
        probes = demo_config().ice.probes or 0
        console = terminal()
        runs = []
        for target in demo_config().ice.targets:
            tally = Tally()
            progress = Progress(target, probes, tally, metric="loose", priced=False)
            with show_progress(progress, console, quiet=quiet):
                runs.append(anyio.run(partial(run_demo, target, folder, tally, say_err)))
        Console().print(demo_view(runs))
        print_out("")
        comparisons = []
        for target in demo_config().rse.targets:
            tally = Tally()
            progress = Progress(target, 36, tally, metric=GRADED, priced=False)
            with show_progress(progress, console, quiet=quiet):
                comparisons.append(
                    anyio.run(partial(run_demo_comparison, target, folder, tally, say_err))
                )
        Console().print(demo_comparison_view(comparisons))
        say(f"the runs are in {folder}; look at one with: hydrometer score {folder}", quiet=quiet)
        replays = [run.replay for run in runs] + [run.replay for run in comparisons]
        if any(replay.difference for replay in replays):
            raise typer.Exit(EXIT_DIFFERS)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="A file, or a folder to put it in.")] = Path(
        "hydrometer.toml"
    ),
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Write a commented config to start from; never over a file.

    Example: hydrometer init audit.toml
    """
    with errors_as_lines(debug=debug):
        target = path / "hydrometer.toml" if path.is_dir() else path
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(builtin_text("hydrometer.toml"))
        except FileExistsError:
            raise InputInvalid(f"{target} exists already, and is left as it is") from None
        except OSError as error:
            raise InputInvalid(f"{target} cannot be written: {error.strerror}") from None
        say(f"wrote {target}; run it with: hydrometer ice {target}", quiet=quiet)


@app.command()
def plan(
    config: ConfigFile,
    target: Targets = None,
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Say what a run would send and cost, and what is cached.

    Nothing is sent.

    Example: hydrometer plan hydrometer.toml
    """
    with errors_as_lines(debug=debug):
        read = load_config(config)
        folder = cache_folder(cache, read.run.cache)
        plans: list[AnyPlan] = []
        own, compared = split_targets(read, target)
        if own or not compared:
            plans += build_plans(read, list(own), config.parent)
        if compared:
            plans += plan_rse(read, compared, config.parent, partial(say_remark, quiet=quiet))
        previews = [
            anyio.run(partial(preview_run, read, made, folder, PLUGINS, after=plans[:number]))
            for number, made in enumerate(plans)
        ]
        roles = [role for made in previews for role in made.roles]
        Console().print(preview_view(previews, folder, budget_lines(read, roles)))


@app.command()
def ice(
    config: ConfigFile,
    target: Targets = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    retry_failed: RetryOption = False,
    no_preflight: NoPreflight = False,
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Search for prompts under which a target claims another identity.

    Example: hydrometer ice hydrometer.toml --out runs/qwen
    """
    with errors_as_lines(debug=debug):
        read = load_config(config)
        plans = build_plans(read, target, config.parent)
        names = [made.target.name for made in plans]
        batch = Batch(
            config=read,
            base=out or Path("runs") / config.stem,
            cache=cache_folder(cache, read.run.cache),
            several=len({*read.ice.targets, *names}) > 1,
            start=start_of(resume=resume, retry_failed=retry_failed),
            preflight=not no_preflight,
            plugins=PLUGINS,
            verbose=verbose,
        )
        show_scores(run_batch(batch, names, plans, say_err, quiet=quiet), quiet=quiet)


@app.command()
def rse(
    config: ConfigFile,
    target: Targets = None,
    out: OutOption = None,
    resume: ResumeOption = False,
    retry_failed: RetryOption = False,
    no_preflight: NoPreflight = False,
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Grade how alike a target and a reference model respond.

    A judge model does. With reference = "*" every pair of the targets is compared, and a tree
    is drawn.

    Example: hydrometer rse hydrometer.toml --out runs/similarity
    """
    with errors_as_lines(debug=debug):
        read = load_config(config)
        check_providers(read)
        plans = plan_rse(read, target, config.parent, partial(say_remark, quiet=quiet))
        names = [run_name(made, read) for made in plans]
        batch = Batch(
            config=read,
            base=out or Path("runs") / f"{config.stem}-rse",
            cache=cache_folder(cache, read.run.cache),
            several=len({*read.rse.targets, *names}) > 1,
            start=start_of(resume=resume, retry_failed=retry_failed),
            preflight=not no_preflight,
            plugins=PLUGINS,
            verbose=verbose,
        )
        scores = run_batch(batch, names, plans, say_err, quiet=quiet)
        kinship = find_kin([batch.directory(name) for name in names], scores)
        if kinship is None:
            show_scores(scores, quiet=quiet)
        else:
            write_kin(batch.base, kinship)
            if not quiet:
                Console().print(kinship_view(kinship), crop=False)
                print_out(f"\neach pair in full: hydrometer score {shlex.quote(str(batch.base))}")


def start_of(*, resume: bool, retry_failed: bool) -> Start:
    """Return how a command begins. Raises InputInvalid when both are asked for."""
    if resume and retry_failed:
        raise InputInvalid("--resume and --retry-failed exclude each other")
    return "resume" if resume else "retry-failed" if retry_failed else "new"


def show_scores(scores: Sequence[AnyScore], *, quiet: bool) -> None:
    """Print scores as tables, those of each kind together."""
    if quiet:
        return
    identity = [score for score in scores if isinstance(score, IdentityScore)]
    alike = [score for score in scores if isinstance(score, SimilarityScore)]
    if identity or not alike:
        Console().print(score_table_view(identity))
    if alike:
        Console().print(similarity_view(alike))


@app.command()
def replay(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Do a run again from the cache alone, and compare every byte.

    Exits with 0 only if every event is the same.

    Example: hydrometer replay runs/qwen
    """
    with errors_as_lines(debug=debug):
        result = anyio.run(replay_run, run, cache, PLUGINS)
        if result.difference:
            say_err(f"replay differs after {result.events} equal events: {result.difference}")
            raise typer.Exit(EXIT_DIFFERS)
        ended = "" if result.complete else "; the run was stopped there, before its end"
        say(f"{result.events} events replayed, byte-identical{ended}", quiet=quiet)


@app.command()
def score(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of them.")],
    format: Annotated[Format, typer.Option("--format", help="How to write them.")] = Format.table,  # noqa: A002
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Give the scores of runs, with counts, bounds and intervals.

    Example: hydrometer score runs/qwen --format json
    """
    with errors_as_lines(debug=debug):
        scores = score_runs(runs)
        for change in find_changes(runs):
            say_remark(change, quiet=quiet)
        match format:
            case Format.table:
                show_scores(scores, quiet=False)
            case Format.json:
                print_out(to_json(scores))
            case Format.csv:
                print_out(to_csv(scores))
            case Format.md:
                print_out(to_markdown(scores))


@app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Transcripts, as JSON Lines or CSV.")],
    out: Annotated[Path, typer.Option("--out", help="Where the runs go.")],
    target: Annotated[
        str, typer.Option("--target", help="Whose answers they are (default: the file's name).")
    ] = "",
    vendor: Annotated[
        str, typer.Option("--vendor", help="The target's maker; claims of it do not count.")
    ] = "",
    fact: Annotated[
        str,
        typer.Option(
            "--fact",
            help="Who the target is, for a judge model; builtin:FAMILY says its maker too.",
        ),
    ] = "",
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Strict verdicts as CSV, or a folder of NAME.csv files."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Make runs of published transcripts, to score and to rescore.

    A row has template, question, response and perhaps verdict, or the keys of the paper's files.

    Example: hydrometer import Phi4.jsonl --out runs/phi --vendor microsoft --labels Phi4.csv
    """
    with errors_as_lines(debug=debug):
        jobs = plan_imports(files, out, target=target, vendor=vendor, fact=fact, labels=labels)
        for job in jobs:
            run_import(job, partial(say_remark, quiet=quiet))
        scores = [score for job in jobs for score in write_scores(job.directory)]
        show_scores(scores, quiet=quiet)


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    judge: Annotated[
        str, typer.Option("--judge", help='A model of the config, "lexical", or a plug-in.')
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="The TOML file that has the judge's model.")
    ] = None,
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Have another judge read the answers of a run.

    The target is not asked. Adds a layer of verdicts, which score shows beside the run's own.

    Example: hydrometer rescore runs/qwen --judge lexical
    """
    with errors_as_lines(debug=debug, go_on=""):
        job = RescoreJob(
            run=run,
            judge=judge,
            config=Config() if config is None else load_config(config),
            cache=cache,
            plugins=PLUGINS,
        )
        show_scores(show_rescoring(job, say_err, quiet=quiet), quiet=quiet)


@cache_app.command("info")
def cache_info(
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Say how many answers the cache holds, and where.

    Example: hydrometer cache info
    """
    with (
        errors_as_lines(debug=debug),
        open_reader(cache_folder(cache, Config().run.cache)) as store,
    ):
        Console().print(cache_view(store.info()))


@cache_app.command("verify")
def cache_verify(
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Check every stored answer; nothing is written or repaired.

    Exits with 1 when damage is found, and names what is damaged.

    Example: hydrometer cache verify --cache runs/cache
    """
    with errors_as_lines(debug=debug):
        folder = cache_folder(cache, Config().run.cache)
        began = time.perf_counter()
        with terminal().status("reading every answer") if not quiet else nullcontext():
            found = verify_cache(folder)
        if not quiet or not found.all_sound:
            show(verification_view(found), verification_lines(found))
        if verbose:
            say_err(f"checked {found.answers:,} answers in {time.perf_counter() - began:.1f} s")
        if not found.all_sound:
            say_err(damage_summary(found))
            raise typer.Exit(EXIT_DIFFERS)


@cache_app.command("explain")
def cache_explain(
    what: Annotated[
        str,
        typer.Argument(help="A request's key, or its first 6 digits or more; or a run directory."),
    ],
    cache: CacheOption = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Show a stored answer, or what of a run is stored.

    Long texts are cut to a screen; -v shows them whole. Of a run, the first call that is not
    stored is compared with the most similar one that is.

    Example: hydrometer cache explain 3fa9c1d2e4b6
    """
    with errors_as_lines(debug=debug):
        if RunDirectory(Path(what)).exists():
            print_out(anyio.run(explain_coverage, Path(what), cache, PLUGINS))
            return
        try:
            found = explain_key(cache_folder(cache, Config().run.cache), what)
        except KeyInvalid as error:
            raise KeyInvalid(f"{error}, which is no run directory either") from None
        show(explanation_view(found, whole=verbose), explanation_lines(found, whole=verbose))


@app.command()
def simulate(
    port: Annotated[int, typer.Option("--port", help="0 takes any free port.")],
    seed: Annotated[int, typer.Option("--seed", help="Of answers and faults.")] = 0,
    latency_ms: Annotated[float, typer.Option("--latency-ms", help="Of every answer.")] = 0.0,
    jitter_ms: Annotated[
        float, typer.Option("--jitter-ms", help="Random, on top of it; this is the mean.")
    ] = 0.0,
    jitter_shape: Annotated[
        JitterShape, typer.Option("--jitter-shape", help="How long the tail of the jitter is.")
    ] = JitterShape.exponential,
    slow_share: Annotated[
        float, typer.Option("--slow-share", help="Share of calls that wait for --slow-ms more.")
    ] = 0.0,
    slow_ms: Annotated[float, typer.Option("--slow-ms", help="See --slow-share.")] = 0.0,
    errors: Annotated[
        float, typer.Option("--errors", help="Share of calls that fail: 429, 500 or cut.")
    ] = 0.0,
    faults: Annotated[
        str,
        typer.Option(
            "--faults",
            metavar="KIND=SHARE,...",
            help="Shares of calls that fail, by kind, each in all its forms: "
            "rate_limited, failed, cut, stalled, malformed.",
        ),
    ] = "",
    retry_after_s: Annotated[
        float, typer.Option("--retry-after-s", help="What planted 429s and 503s ask for.")
    ] = 0.0,
    rpm: Annotated[int | None, typer.Option("--rpm", help="Requests admitted a minute.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", help="Tokens admitted a minute.")] = None,
    dead_after: Annotated[
        int | None, typer.Option("--dead-after", help="After so many calls it is dead.")
    ] = None,
    dead_for_s: Annotated[
        float | None, typer.Option("--dead-for-s", help="Then it comes back.", show_default="never")
    ] = None,
    dead_as: Annotated[
        DeadForm, typer.Option("--dead-as", help="Hang up on calls then, or answer 503.")
    ] = DeadForm.closed,
    time_scale: Annotated[
        float,
        typer.Option(
            "--time-scale",
            help="Its clock runs so many times faster: at 60 its minute is a second, and all "
            "that it says of time is in its own seconds.",
        ),
    ] = 1.0,
    model_id: Annotated[
        str,
        typer.Option("--model-id", help="What replies call the model.", show_default="as asked"),
    ] = "",
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="The system_fingerprint of replies.")
    ] = "",
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Serve simulated models on loopback, until Ctrl-C.

    Models: sim-target, sim-helper, sim-judge; any other name answers as a target.
    What happened so far is told at /stats.

    Example: hydrometer simulate --port 8000 --latency-ms 200 --faults failed=0.05,stalled=0.01
    """
    from .providers.simulation.server.simulator import (  # noqa: PLC0415 (aiohttp is a third of a start)
        SimulatorSettings,
        run_simulator,
    )

    with errors_as_lines(debug=debug):
        settings = SimulatorSettings(
            port=port,
            seed=seed,
            latency_ms=latency_ms,
            jitter_ms=jitter_ms,
            jitter_shape=jitter_shape,
            slow_share=slow_share,
            slow_ms=slow_ms,
            errors=errors,
            faults=parse_faults(faults),
            retry_after_s=retry_after_s,
            rpm=rpm,
            tpm=tpm,
            dead_after=dead_after,
            dead_for_s=dead_for_s,
            dead_as=dead_as,
            time_scale=time_scale,
            model_id=model_id,
            fingerprint=fingerprint,
            planting=Planting(seed=seed),
        )
        anyio.run(run_simulator, settings, partial(print, flush=True))


def check_providers(config: Config) -> None:
    """Raise SettingsInvalid for a provider that nobody gives."""
    for name, settings in config.models.items():
        ProviderKinds(PLUGINS.providers).find(settings.provider, f"models.{name}")


def build_plans(config: Config, targets: list[str] | None, folder: Path) -> list[IcePlan]:
    """Return the plan of each target that is asked for. Raises InputInvalid when there is none."""
    names = targets or list(config.ice.targets)
    if not names:
        raise InputInvalid("ice.targets is empty: name a model to measure, or give --target")
    check_providers(config)
    texts = load_texts(config, folder)
    return [build_ice_plan(config, name, texts, PLUGINS.catalogue) for name in dict.fromkeys(names)]


@contextmanager
def errors_as_lines(*, debug: bool, go_on: str = "and --resume") -> Iterator[None]:
    """Turn what goes wrong inside into one line on stderr and the exit code that it means."""
    try:
        with interruptible():
            yield
    except typer.Exit:
        raise
    except RunStopped as error:
        _report(error, debug=debug)
        kept = "everything received is kept"
        if isinstance(error.__cause__, CacheUnwritable):  # it could not take them
            kept = "answers that had just arrived may be lost, all others are kept"
        say_err(f"{kept}: go on with the same command {go_on}".rstrip())
        interrupted = error.cause == "interrupted"
        raise typer.Exit(EXIT_INTERRUPTED if interrupted else EXIT_STOPPED) from None
    except (EngineError, ProviderError, CacheError) as error:
        _report(error, debug=debug)
        raise typer.Exit(EXIT_INPUT) from None
    except KeyboardInterrupt:
        say_err("interrupted")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except OSError as error:
        _report(error, debug=debug)
        raise typer.Exit(EXIT_INPUT) from None
    except Exception as error:  # the outermost frame: a bug still ends in one line
        say_err(f"this is a bug in hydrometer: {type(error).__name__}: {error} (--debug shows it)")
        if debug:
            raise
        raise typer.Exit(EXIT_BUG) from None


def _report(error: Exception, *, debug: bool) -> None:
    if debug:
        Console(stderr=True).print_exception()
    say_err(str(error))


def say(text: str, *, quiet: bool) -> None:
    """Print a remark unless *quiet*."""
    if not quiet:
        print_out(text)


def say_err(text: str) -> None:
    """Print one line to stderr."""
    # Named, because a live display has put itself there: typer alone would write past it.
    typer.echo(f"hydrometer: {text}", file=sys.stderr, err=True)


def say_remark(text: str, *, quiet: bool) -> None:
    """Print a remark to stderr unless *quiet*."""
    if not quiet:
        say_err(text)


def show(view: RenderableType, lines: Iterable[str]) -> None:
    """Print *view* to a terminal, and *lines* to anything else."""
    console = Console()
    if console.is_terminal:
        console.print(view)
    else:
        print_out("\n".join(lines))


def print_out(text: str) -> None:
    """Print a result as it is."""
    typer.echo(text, nl=not text.endswith("\n"))
