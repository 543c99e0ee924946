"""Tagged blocks, which hold untrusted text inside our prompts.

A text from a model or a file may contain the closing tag of its own block. ``block`` escapes it, so
that the text cannot end the block and continue as our instructions.
"""

from __future__ import annotations

import re


def block(tag: str, text: str) -> str:
    """Return *text* between ``<tag>`` lines; a closing tag inside it is escaped."""
    safe = re.sub(rf"</(?=\s*{tag})", r"<\\/", text, flags=re.IGNORECASE)
    return f"<{tag}>\n{safe}\n</{tag}>"


def whole_tag(tag: str, reply: str) -> str | None:
    """Return the text inside ``<tag>`` if the whole reply is that one block, else None."""
    found = re.fullmatch(rf"\s*<{tag}>(.*)</{tag}>\s*", reply, flags=re.DOTALL)
    if found is None or f"<{tag}>" in found[1] or f"</{tag}>" in found[1]:
        return None
    return found[1].strip()
