"""Command line: parses options, calls the functions in commands/, and prints their results."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from .command_line.import_options import (
    Fact,
    ImportOut,
    LabelFiles,
    TargetName,
    Transcripts,
    VendorName,
)
from .command_line.own_name import typed_name
from .command_line.score_format import FormatOption
from .command_line.shared_options import (
    EXIT_DIFFERS,
    ConfigCache,
    ConfigFile,
    NoPreflight,
    ResumeOption,
    RetryOption,
    RunCache,
    RunFolder,
    RunFolders,
    Screen,
    Targets,
    add_command,
    out_option,
    refusing_app,
    start_of,
)
from .command_line.tools import add_tools, run_async, watched
from .commands.plugins import Plugins
from .engine.errors import InputInvalid, RunConflict
from .engine.measurement import Measurement, Score
from .engine.plurals import counted
from .engine.setup.config import Config, load_config_file
from .engine.setup.files import builtin_text
from .engine.version import __version__

T = TypeVar("T")


def main() -> None:
    """Run the command line."""
    build_app(Plugins())()


def build_app(plugins: Plugins) -> typer.Typer:
    """Return the command line. Every measurement of *plugins* has its own command.

    If a measurement cannot be used, every command of the app says so in one line and exits with 2.
    """
    try:
        measurements = plugins.measurements
    except InputInvalid as error:
        return refusing_app(error)
    app = typer.Typer(
        name="hydrometer",
        help="Measures how strongly a language model was distilled from other models.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    commands = _Commands(plugins)
    add_command(app, commands.demo)
    add_command(app, commands.init)
    add_command(app, commands.plan)
    for measurement in measurements:
        run = commands.measure(measurement)
        add_command(app, run, name=measurement.kind, text=measurement.help, resumable=True)
    add_command(app, commands.replay)
    add_command(app, commands.score)
    add_command(app, commands.import_)
    add_command(app, commands.rescore)
    add_tools(app, plugins)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hydrometer {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Measure how strongly a language model was distilled from other models."""


class _Commands:
    """The commands. Each imports slow modules itself, so that ``--help`` and errors are fast."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def demo(
        self,
        screen: Screen,
        out: Annotated[
            Path | None, typer.Option("--out", metavar="PATH", help="Folder for the runs.")
        ] = None,
    ) -> None:
        """Measure simulated models with known behaviour, offline.

        Example: hydrometer demo
        """
        from .commands.demo import run_demo
        from .report.terminal.scores.demo_view import demo_view
        from .report.terminal.screen import print_view

        folder = out or Path(tempfile.mkdtemp(prefix="hydrometer-demo-"))
        if out is not None and out.exists() and any(out.iterdir()):
            raise RunConflict(f"{out} is not empty: the demo needs an empty folder")
        display, watch = watched(screen)
        with display.shown():
            results = run_async(run_demo, folder, display, self._plugins, watch=watch)
        print_view(demo_view(results))
        screen.done(
            f"\nthe runs are in {folder}; "
            f"see their scores with: {typed_name()} score {shlex.quote(str(folder))}"
        )
        if any(result.replay.difference for result in results):
            raise typer.Exit(EXIT_DIFFERS)

    def init(
        self,
        screen: Screen,
        path: Annotated[
            Path, typer.Argument(metavar="PATH", help="A file, or a folder to put it in.")
        ] = Path("hydrometer.toml"),
    ) -> None:
        """Write a commented config to start from. An existing file is never overwritten.

        Example: hydrometer init audit.toml
        """
        target = path / "hydrometer.toml" if path.is_dir() else path
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(builtin_text("hydrometer.toml"))
        except FileExistsError:
            raise InputInvalid(f"{target} exists already, and is left as it is") from None
        except OSError as error:
            raise InputInvalid(f"{target} cannot be written: {error.strerror}") from None
        screen.done(f"wrote {target}; run it with: {typed_name()} ice {shlex.quote(str(target))}")

    def plan(
        self,
        screen: Screen,
        config: ConfigFile,
        target: Targets = None,
        cache: ConfigCache = None,
    ) -> None:
        """Print what a run would send and cost, and how much is cached.

        Nothing is sent.

        Example: hydrometer plan hydrometer.toml
        """
        from .commands.plans import plan_all
        from .commands.preview import preview_plans
        from .engine.estimates import budget_lines
        from .report.terminal.plan_view import preview_view
        from .report.terminal.screen import print_view

        read, folder = self._load(screen, config, cache, target)
        named = plan_all(
            read,
            target or (),
            folder=config.parent,
            plugins=self._plugins,
            say=screen.remark,
        )
        plans = [one.plan for one in named]
        previews = run_async(preview_plans, read, plans, folder, self._plugins)
        roles = [role for made in previews for role in made.roles]
        print_view(preview_view(previews, folder, budget_lines(read, roles)))

    def measure(self, measurement: Measurement[Any]) -> Callable[..., None]:
        """Return the command that runs *measurement*."""
        annotation = out_option(measurement.default_out)

        def command(
            screen: Screen,
            config: ConfigFile,
            target: Targets = None,
            out: Any = None,
            resume: ResumeOption = False,
            retry_failed: RetryOption = False,
            no_preflight: NoPreflight = False,
            cache: ConfigCache = None,
        ) -> None:
            from .commands.batch import Batch, run_batch
            from .commands.plans import plan_runs
            from .report.terminal.scores.score_views import summary_view
            from .report.terminal.screen import print_view

            read, folder = self._load(screen, config, cache, target)
            kind = measurement.kind
            plans = plan_runs(
                read,
                kind,
                target or (),
                folder=config.parent,
                plugins=self._plugins,
                say=screen.remark,
            )
            listed = read.table(measurement.table).targets
            batch = Batch(
                config=read,
                base=out or Path("runs") / f"{config.stem}{measurement.default_out}",
                cache=folder,
                several=len({*listed, *(named.name for named in plans)}) > 1,
                start=start_of(resume=resume, retry_failed=retry_failed),
                preflight=not no_preflight,
                plugins=self._plugins,
            )
            for named in plans:
                screen.detail(f"{named.name}: run {batch.directory(named.name)}")
            display, watch = watched(screen)
            with display.shown():
                result = run_async(run_batch, batch, plans, display, watch=watch)
            view = None if result.summary is None else summary_view(result.summary)
            if screen.quiet:
                return
            if view is None:
                _print_scores(result.scores)
                return
            print_view(view, crop=False)
            where = shlex.quote(str(batch.base))
            screen.out(f"\neach pair in full: {typed_name()} score {where}")

        command.__annotations__["out"] = annotation
        return command

    def replay(self, screen: Screen, run: RunFolder, cache: RunCache = None) -> None:
        """Do a run again from the cache alone, and compare every byte.

        Exits with 0 only if every event is the same.

        Example: hydrometer replay runs/qwen
        """
        from .commands.replay import replay_run

        result = run_async(replay_run, run, cache, self._plugins)
        if result.difference:
            screen.err(f"replay differs after {result.events} equal events: {result.difference}")
            raise typer.Exit(EXIT_DIFFERS)
        ended = "" if result.complete else "; the run was stopped there, before its end"
        screen.done(f"{counted(result.events, 'events')} replayed, byte-identical{ended}")

    def score(
        self,
        screen: Screen,
        runs: RunFolders,
        format: FormatOption = "table",  # noqa: A002
        explain: Annotated[
            bool, typer.Option("--explain", help="Explain each metric, column and flag.")
        ] = False,
    ) -> None:
        """Print the scores of runs, with counts, bounds and intervals.

        Example: hydrometer score runs/qwen --format json
        """
        from .report.tables.formats import to_csv, to_json, to_markdown
        from .results.scoring import find_changes, score_runs

        scores = score_runs(runs, self._plugins.measurements)
        for change in find_changes(runs, self._plugins.measurements):
            screen.remark(change)
        if format == "table":
            _print_scores(scores)
        else:
            writers = {"json": to_json, "csv": to_csv, "md": to_markdown}
            screen.out(writers[format](scores))
        if explain:
            from .report.terminal.glossary_view import glossary_view
            from .report.terminal.screen import print_view

            print_view(glossary_view(scores), stderr=format != "table")

    def import_(
        self,
        screen: Screen,
        files: Transcripts,
        out: ImportOut,
        target: TargetName = "",
        vendor: VendorName = "",
        fact: Fact = "",
        labels: LabelFiles = None,
    ) -> None:
        """Import published transcripts as runs.

        Imported runs can be scored and rescored.

        A row has template, question, response and perhaps verdict, or the keys of the paper's
        files.

        Example: hydrometer import Phi4.jsonl --out runs/phi --vendor microsoft --labels Phi4.csv
        """
        from .commands.importing import plan_imports, run_import
        from .results.scoring import write_scores

        known = self._plugins.measurements
        jobs = plan_imports(
            files, out, known, target=target, vendor=vendor, fact=fact, labels=labels
        )
        for job in jobs:
            run_import(job, screen.remark)
            screen.detail(f"wrote {job.directory}")
        scores = [score for job in jobs for score in write_scores(job.directory, known)]
        if not screen.quiet:
            _print_scores(scores)

    def rescore(
        self,
        screen: Screen,
        run: RunFolder,
        judge: Annotated[
            str,
            typer.Option(
                "--judge", metavar="NAME", help='A model of the config, "lexical", or a plug-in.'
            ),
        ],
        config: Annotated[
            Path | None,
            typer.Option(
                "--config", metavar="FILE", help="The TOML file that has the judge's model."
            ),
        ] = None,
        cache: RunCache = None,
    ) -> None:
        """Have another judge read the answers of a run.

        The target is not called. The command adds a layer of verdicts. The score command shows it
        beside the run's own verdicts.

        Example: hydrometer rescore runs/qwen --judge lexical
        """
        from .commands.rescore import RescoreJob, run_rescoring

        read = Config()
        if config is not None:
            read = load_config_file(config, self._plugins.measurements)
        job = RescoreJob(run=run, judge=judge, config=read, cache=cache, plugins=self._plugins)
        display, watch = watched(screen)
        with display.shown():
            scores = run_async(run_rescoring, job, display, watch=watch)
        if not screen.quiet:
            _print_scores(scores)

    def _load(
        self, screen: Screen, path: Path, cache: Path | None, targets: list[str] | None
    ) -> tuple[Config, Path]:
        from .commands.session import cache_folder
        from .engine.setup.planning import find_model

        config = load_config_file(path, self._plugins.measurements)
        for name in targets or ():
            find_model(config, name, "--target")
        folder = cache_folder(cache, config.run.cache)
        screen.detail(f"config {path}, cache {folder}")
        return config, folder


def _print_scores(scores: Sequence[Score]) -> None:
    from .report.terminal.scores.score_views import scores_view
    from .report.terminal.screen import print_view

    print_view(scores_view(scores))
