"""Shared options of the commands, exit codes, and the code that turns errors into one line."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
import typer
from typer.core import TyperArgument, TyperCommand

from ..cache.errors import CacheError, CacheUnwritable
from ..engine.errors import EngineError, InputInvalid, RunStopped
from ..providers.errors import BudgetReached, ProviderError
from ..providers.simulation.server.setting_help import SettingHelp
from .closed_pipe import EXIT_PIPE, drop_output
from .process import interruptible

EXIT_DIFFERS, EXIT_INPUT, EXIT_STOPPED, EXIT_BUG, EXIT_INTERRUPTED = 1, 2, 3, 70, 130

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print errors only; score, plan, demo and cache still print what they are for.",
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more, such as the files used and the time.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
ConfigFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The TOML file.", show_default=False)
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)
]
RunFolders = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Run directories, or folders of them.", show_default=False),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="NAME", help="Measure this target only; may be repeated."),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")]
RetryOption = Annotated[
    bool,
    typer.Option(
        "--retry-failed", help="Run again from the cache, and send only failed calls again."
    ),
]
NoPreflight = Annotated[
    bool, typer.Option("--no-preflight", help="Don't call each model once before the start.")
]


def cache_option(default: str) -> Any:
    """Return the option --cache, with *default* as the words for what is used without it."""
    help_text = f"The folder of stored answers (default: {default})."
    return typer.Option("--cache", metavar="PATH", help=help_text)


ConfigCache = Annotated[Path | None, cache_option("that of HYDROMETER_CACHE or the config")]
RunCache = Annotated[Path | None, cache_option("the cache that the run used")]
AnyCache = Annotated[Path | None, cache_option("~/.cache/hydrometer or HYDROMETER_CACHE")]


def out_option(suffix: str) -> Any:
    """Return the option --out of a measurement, whose default folder ends in *suffix*."""
    help_text = f"The run directory (default: runs/CONFIG-NAME{suffix})."
    return Annotated[Path | None, typer.Option("--out", metavar="PATH", help=help_text)]


class Screen:
    """Output of a command, filtered by the options that every command has."""

    def __init__(self, *, quiet: bool, verbose: bool, debug: bool) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.debug = debug

    def out(self, text: str) -> None:
        """Print a result to stdout."""
        typer.echo(text, nl=not text.endswith("\n"))

    def err(self, text: str) -> None:
        """Print one line to stderr."""
        # A live display replaces sys.stderr. Without *file*, typer would write to the original one.
        typer.echo(f"hydrometer: {text}", file=sys.stderr, err=True)

    def remark(self, text: str) -> None:
        """Print a remark to stderr, unless --quiet."""
        if not self.quiet:
            self.err(text)

    def detail(self, text: str) -> None:
        """Print a remark to stderr, only with --verbose."""
        if self.verbose:
            self.err(text)

    def done(self, text: str) -> None:
        """Print a summary to stdout, unless --quiet."""
        if not self.quiet:
            self.out(text)

    def error(self, error: Exception) -> None:
        """Print an error as one line. With --debug, print its traceback first."""
        if self.debug:
            from rich.console import Console  # noqa: PLC0415 (only for --debug)

            Console(stderr=True).print_exception()
        self.err(str(error))


class _Command(TyperCommand):
    """A command whose arguments are listed by their metavar alone, without a type of Python."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                setattr(parameter, "display_type_rich", _no_type)  # noqa: B010 (no field for it)


def _no_type(ctx: object) -> None:
    return None


def add_command(
    app: typer.Typer,
    function: Callable[..., None],
    *,
    name: str | None = None,
    text: str = "",
    resumable: bool = False,
) -> None:
    """Add *function* to *app* as a command with --quiet, --verbose and --debug.

    *function* is called with a Screen, then with its own options. *text* is the help of the
    command, by default the docstring of *function*. *resumable* says whether the command has the
    option --resume.
    """
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]
    common = [
        inspect.Parameter(
            option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation
        )
        for option, annotation in (("quiet", Quiet), ("verbose", Verbose), ("debug", Debug))
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def run(**values: Any) -> None:
        screen = Screen(**{option: values.pop(option) for option in ("quiet", "verbose", "debug")})
        began = time.perf_counter()
        with errors_as_lines(screen, resumable=resumable):
            function(screen, **values)
            screen.detail(f"took {time.perf_counter() - began:.2f} s")

    run.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *common)}
    run.__doc__ = text or function.__doc__
    app.command(name or function.__name__.rstrip("_"), cls=_Command)(run)


def refusing_app(error: InputInvalid) -> typer.Typer:
    """Return an app that ends with *error*, whatever it is called with."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command(
        context_settings={
            "allow_extra_args": True,
            "ignore_unknown_options": True,
            "help_option_names": [],
        }
    )
    def refuse(context: typer.Context) -> None:
        screen = Screen(quiet=False, verbose=False, debug="--debug" in context.args)
        with errors_as_lines(screen, resumable=False):
            raise error

    return app


@contextmanager
def errors_as_lines(screen: Screen, *, resumable: bool) -> Iterator[None]:
    """Turn an error of the block into one line on stderr and an exit code."""
    try:
        with interruptible():
            yield
    except typer.Exit:
        raise
    except RunStopped as error:
        screen.error(error)
        kept = "everything received is kept"
        if isinstance(error.__cause__, CacheUnwritable):  # the latest answers were not stored
            kept = "answers that had just arrived may be lost, all others are kept"
        again = f"go on with the same command{' and --resume' if resumable else ''}"
        if isinstance(error.__cause__, BudgetReached):
            again = f"raise {error.__cause__.setting} in the config, then {again}"
        screen.err(f"{kept}: {again}")
        interrupted = error.cause == "interrupted"
        raise typer.Exit(EXIT_INTERRUPTED if interrupted else EXIT_STOPPED) from None
    except BrokenPipeError:  # whoever read the output has seen enough
        drop_output()
        raise typer.Exit(EXIT_PIPE) from None
    except (EngineError, ProviderError, CacheError, OSError) as error:
        screen.error(error)
        raise typer.Exit(EXIT_INPUT) from None
    except KeyboardInterrupt:
        screen.err("interrupted")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except Exception as error:  # this is the outermost frame, so nothing else could report a bug
        name = type(error).__name__
        screen.err(f"this is a bug in hydrometer: {name}: {error} (--debug shows it)")
        if screen.debug:
            raise
        raise typer.Exit(EXIT_BUG) from None


def start_of(*, resume: bool, retry_failed: bool) -> Any:
    """Return the start mode of a command. Raises InputInvalid if both options are given."""
    if resume and retry_failed:
        raise InputInvalid("--resume and --retry-failed exclude each other")
    return "resume" if resume else "retry-failed" if retry_failed else "new"


def setting_parameters(
    settings: type[msgspec.Struct], texts: Mapping[str, SettingHelp], required: Iterable[str] = ()
) -> list[inspect.Parameter]:
    """Return a parameter for each field of *settings* that has a help text in *texts*."""
    hints = get_type_hints(settings)
    fields = {field.name: field for field in msgspec.structs.fields(settings)}
    parameters = []
    for name, text in texts.items():
        option = typer.Option(
            f"--{name.replace('_', '-')}",
            help=text.help,
            metavar=text.metavar or ("TEXT" if hints[name] is str else None),
            show_default=text.show_default or True,
        )
        default = "" if text.metavar else fields[name].default
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if name in required else default,
                annotation=Annotated[str if text.metavar else hints[name], option],
            )
        )
    return parameters
