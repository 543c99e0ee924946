"""A model as the plan knows it, and the requests that are made for it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...providers.types import Message, Mode, Request, Sampling

Role = Literal["target", "helper", "reference", "judge", "embedder"]


class PlannedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What about a model shapes its answers; no address, no key, no limit."""

    name: str
    identity: str
    vendor: str = ""
    mode: Mode = "chat"
    system: str = ""
    prompt_template: str = "{prompt}"
    sampling: Sampling = Sampling()

    def build_request(self, *turns: str, draw: int = 0) -> Request:
        """Return the request for a conversation: *turns* are the user's and the model's in turn.

        A completion model sees the system text and the turns as paragraphs, put into
        *prompt_template*; an embedding model sees the turns alone.
        """
        if self.mode == "embedding":
            messages: tuple[Message, ...] = (Message(role="user", content="\n\n".join(turns)),)
        elif self.mode == "completion":
            text = "\n\n".join((self.system, *turns) if self.system else turns)
            prompt = self.prompt_template.replace("{prompt}", text)
            messages = (Message(role="user", content=prompt),)
        else:
            system = (Message(role="system", content=self.system),) if self.system else ()
            messages = system + tuple(
                Message(role="assistant" if index % 2 else "user", content=turn)
                for index, turn in enumerate(turns)
            )
        return Request(
            identity=self.identity,
            mode=self.mode,
            messages=messages,
            sampling=self.sampling,
            draw=draw,
        )
