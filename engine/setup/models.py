"""Planned models: the settings of a model that shape its answers, and its requests."""

from __future__ import annotations

import msgspec

from ...providers.types import Message, Mode, Request, Sampling

Role = str  # the job of a model in a measurement: "target", "helper", "judge" ...


class PlannedModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as a plan records it: all that shapes its answers, but no address, key or limit."""

    name: str
    identity: str
    vendor: str = ""
    mode: Mode = "chat"
    system: str = ""
    prompt_template: str = "{prompt}"
    sampling: Sampling = Sampling()

    def build_request(self, *turns: str, draw: int = 0) -> Request:
        """Return the request for a conversation. *turns* alternate: user, model, user ...

        For a completion model, the system text and the turns become paragraphs of one text, which
        is put into *prompt_template*. For an embedding model, that text has only the turns.
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
