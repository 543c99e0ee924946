"""What the simulated models share: dice, and how they read a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from ..types import Request
from .planting import Planting

SLOT = "{query}"

_TASK = "Task: "
_SENTENCE_ENDS = (". ", "! ", "? ", "。", "！", "？")


class Dice:
    """The random numbers of one request: each a pure function of *content* and its purpose.

    Naming the purpose keeps the numbers independent of the order they are asked for, so that
    a new choice in one place moves no choice elsewhere.
    """

    def __init__(self, *content: str) -> None:
        lengths = ",".join(str(len(part)) for part in content)  # "ab", "c" is not "a", "bc"
        self._hash = blake2b("".join((lengths, "\n", *content)).encode(), digest_size=8)

    def uniform(self, purpose: str) -> float:
        """Return a number in [0, 1)."""
        digest = self._hash.copy()
        digest.update(purpose.encode())
        return (int.from_bytes(digest.digest()) >> 11) / (1 << 53)

    def below(self, purpose: str, count: int) -> int:
        """Return one of 0 .. *count* - 1."""
        return int(self.uniform(purpose) * count)

    def pick(self, purpose: str, options: Sequence[str], avoid: Sequence[str] = ()) -> str:
        """Return one of *options* without a word of *avoid*; empty when each has one."""
        start = self.below(purpose, len(options))
        for step in range(len(options)):
            option = options[(start + step) % len(options)]
            if not contains_any(option, avoid):
                return option
        return ""


def dice_for(request: Request, model: str, planting: Planting) -> Dice:
    """Return the dice of *request*; its draw counts only where sampling is random."""
    temperature = request.sampling.temperature
    draw = request.draw if temperature is not None and temperature > 0.0 else 0
    turns = [part for turn in request.messages for part in (turn.role, turn.content)]
    return Dice(str(planting.seed), model, request.mode, str(draw), *turns)


def prompt_of(request: Request) -> str:
    """Return the last user message, or the last message where no user speaks."""
    for message in reversed(request.messages):
        if message.role == "user":
            return message.content
    return request.messages[-1].content


def task_of(request: Request) -> tuple[str, str]:
    """Return the task that a helper or judge was given and the message that gave it.

    It is the first user message: a request for repair follows it and doesn't repeat it. Both
    are empty where no line names a task.
    """
    for message in request.messages:
        if message.role == "user":
            text = message.content
            at = 0 if text.startswith(_TASK) else text.find(f"\n{_TASK}") + 1
            if not text.startswith(_TASK, at):
                break
            return text[at + len(_TASK) :].partition("\n")[0].strip(), text
    return "", ""


def blocks_of(text: str, name: str) -> list[str]:
    """Return what stands between each ``<name>`` line and the next ``</name>`` line."""
    opening, closing = f"\n<{name}>\n", f"\n</{name}>"
    found = []
    at = text.find(opening)
    while at >= 0:
        start = at + len(opening)
        end = text.find(closing, start - 1)
        if end < 0:
            break
        found.append(text[start:end])
        at = text.find(opening, end)
    return found


def is_chinese(text: str) -> bool:
    """Return whether *text* has a Chinese character."""
    return not text.isascii() and any("\u4e00" <= character <= "\u9fff" for character in text)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of *text*, each with its full stop; a line break ends one, too."""
    for end in _SENTENCE_ENDS:
        text = text.replace(end, f"{end.rstrip()}\n")
    return [line.strip() for line in text.split("\n") if any(map(str.isalnum, line))]


def contains_any(text: str, cues: Sequence[str]) -> bool:
    """Return whether *text* outside its slot has one of the lower-case *cues*, in any case."""
    if not cues:
        return False
    lowered = text.replace(SLOT, "\n").lower()
    return any([cue in lowered for cue in cues])  # noqa: C419 - a list is faster for so few


def names_of(vendor: str) -> tuple[str, str]:
    """Return the names of a vendor's assistant and of the vendor; an unknown id is its own."""
    return VENDOR_NAMES.get(vendor) or (vendor.title(), vendor.title())


VENDOR_NAMES = {
    "openai": ("ChatGPT", "OpenAI"),
    "anthropic": ("Claude", "Anthropic"),
    "google": ("Gemini", "Google"),
    "meta": ("Llama", "Meta"),
    "alibaba": ("Qwen", "Alibaba Cloud"),
    "deepseek": ("DeepSeek", "DeepSeek"),
    "mistral": ("Mistral Large", "Mistral AI"),
}
