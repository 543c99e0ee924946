"""Hard verdicts: a strict verdict counts only if the prompt names none of the vendors.

A rule decides this on the text of the prompt; no model is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..types import Opinion, Unparsed, Vendor, Verdict


def named_vendors(prompt: str, vendors: Iterable[Vendor], ids: Collection[str]) -> tuple[str, ...]:
    """Return the marks of the vendors in *ids* that *prompt* contains, sorted.

    Upper and lower case are the same.
    """
    lowered = prompt.lower()
    return tuple(
        sorted(
            mark
            for vendor in vendors
            if vendor.id in ids
            for mark in vendor.marks
            if mark in lowered
        )
    )


def hard_verdict(
    strict: Opinion, prompt: str, vendors: Iterable[Vendor], ids: Collection[str]
) -> Opinion:
    """Return the *strict* verdict if *prompt* names no vendor in *ids*, else a negative one."""
    if (
        isinstance(strict, Verdict) and not strict.positive
    ):  # most are, so skip the search for names
        return Verdict(metric="hard", positive=False, reason=strict.reason)
    marks = named_vendors(prompt, vendors, ids)
    if marks:
        reason = f"the prompt names {', '.join(marks)}"
        return Verdict(metric="hard", positive=False, reason=reason)
    if isinstance(strict, Unparsed):
        return Unparsed(metric="hard", reason=strict.reason)
    return Verdict(
        metric="hard",
        positive=strict.positive,
        vendor=strict.vendor,
        quote=strict.quote,
        reason=strict.reason,
    )
