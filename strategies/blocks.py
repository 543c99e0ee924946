"""How texts of others are put into our prompts: in blocks that they cannot close."""

from __future__ import annotations

import re


def block(tag: str, text: str) -> str:
    """Return *text* between ``<tag>`` lines; a closing tag inside it is defused."""
    safe = re.sub(rf"</(?=\s*{tag})", r"<\\/", text, flags=re.IGNORECASE)
    return f"<{tag}>\n{safe}\n</{tag}>"


def whole_tag(tag: str, reply: str) -> str | None:
    """Return what stands inside ``<tag>`` if the whole reply is that one block, else None."""
    found = re.fullmatch(rf"\s*<{tag}>(.*)</{tag}>\s*", reply, flags=re.DOTALL)
    if found is None or f"<{tag}>" in found[1] or f"</{tag}>" in found[1]:
        return None
    return found[1].strip()
