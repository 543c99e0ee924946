"""Random draws of simulated models, and the parsing of prompts that they share."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from ..types import Request
from .planting import Planting

SLOT = "{query}"

_TASK = "Task: "
_SENTENCE_ENDS = (". ", "! ", "? ", "。", "！", "？")


class Dice:
    """Random numbers of one request: each a pure function of *content* and its purpose.

    Because the purpose is named, a number does not depend on how many were drawn before. So a new
    draw in one place changes no draw elsewhere.
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
        """Return one of *options* without a cue of *avoid*; an empty string when all have one."""
        start = self.below(purpose, len(options))
        for step in range(len(options)):
            option = options[(start + step) % len(options)]
            if not contains_any(option, avoid):
                return option
        return ""


def dice_for(request: Request, model: str, planting: Planting) -> Dice:
    """Return the dice of *request*. Its draw counts only if the temperature is above 0."""
    temperature = request.sampling.temperature
    draw = request.draw if temperature is not None and temperature > 0.0 else 0
    turns = [part for turn in request.messages for part in (turn.role, turn.content)]
    return Dice(str(planting.seed), model, request.mode, str(draw), *turns)


def prompt_of(request: Request) -> str:
    """Return the last user message, or the last message if there is none of a user."""
    for message in reversed(request.messages):
        if message.role == "user":
            return message.content
    return request.messages[-1].content


def task_of(request: Request) -> tuple[str, str]:
    """Return the task of a helper or judge, and the message that states it.

    That is the first user message: a repair request follows it and does not repeat it. Both are
    empty if no line states a task.
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
    """Return the text between each ``<name>`` line and the next ``</name>`` line."""
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
    """Return the sentences of *text*, each with its full stop. A line break ends one, too."""
    for end in _SENTENCE_ENDS:
        text = text.replace(end, f"{end.rstrip()}\n")
    return [line.strip() for line in text.split("\n") if any(map(str.isalnum, line))]


def contains_any(text: str, cues: Sequence[str]) -> bool:
    """Return whether *text* outside its slot contains one of the lower-case *cues*, in any case."""
    if not cues:
        return False
    lowered = text.replace(SLOT, "\n").lower()
    return any([cue in lowered for cue in cues])  # noqa: C419 - a list is faster for so few


def names_of(vendor: str) -> tuple[str, str]:
    """Return the names of a vendor's assistant and of the vendor; an unknown id stands for both."""
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
