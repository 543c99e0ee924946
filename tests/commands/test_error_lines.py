"""What a command says last when something stops it."""

from __future__ import annotations

import pytest
import typer

from hydrometer.cache.errors import CacheUnwritable, EntryDamaged
from hydrometer.command_line.shared_options import Screen, errors_as_lines
from hydrometer.engine.errors import PluginBroken, RunStopped
from hydrometer.providers.errors import BudgetReached


def code_of(error: Exception, cause: Exception | None = None, *, resumable: bool = True) -> int:
    screen = Screen(quiet=False, verbose=False, debug=False)
    with pytest.raises(typer.Exit) as end, errors_as_lines(screen, resumable=resumable):
        raise error from cause
    return end.value.exit_code


@pytest.mark.parametrize(
    ("cause", "kept"),
    [
        (None, "everything received is kept"),
        (OSError(28, "No space left on device"), "everything received is kept"),
        (EntryDamaged("0" * 40, "it is no JSON"), "everything received is kept"),
        (
            CacheUnwritable("cache", "database or disk is full"),
            "answers that had just arrived may be lost, all others are kept",
        ),
    ],
)
def test_what_is_said_to_be_kept_is_true_of_a_cache_that_takes_no_more(
    capsys: pytest.CaptureFixture[str], cause: Exception | None, kept: str
) -> None:
    code = code_of(RunStopped("why", cause="cache"), cause)

    assert code == 3
    assert capsys.readouterr().err == (
        f"hydrometer: why\nhydrometer: {kept}: go on with the same command and --resume\n"
    )


def test_a_command_without_resume_is_given_again_as_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code_of(RunStopped("why", cause="outage"), resumable=False) == 3
    assert capsys.readouterr().err.endswith("kept: go on with the same command\n")


def test_a_reached_budget_is_to_be_raised_before_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reached = BudgetReached("run.budget calls = 3 is reached", setting="run.budget.calls")

    assert code_of(RunStopped(str(reached), cause="budget"), reached) == 3
    assert capsys.readouterr().err.splitlines()[1] == (
        "hydrometer: everything received is kept: raise run.budget.calls in the config, then go on "
        "with the same command and --resume"
    )


def test_a_plug_in_at_fault_is_no_bug_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(PluginBroken("the judge odd is broken: read raised KeyError: 'x'")) == 2
    assert capsys.readouterr().err == (
        "hydrometer: the judge odd is broken: read raised KeyError: 'x'\n"
    )
