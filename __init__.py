"""Hydrometer: how strongly a language model was distilled from other models.

The command line is ``hydrometer``; the same for programs is here. For plug-ins see
``hydrometer.strategies.base`` and ``hydrometer.providers.base``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Loaded when a name is first asked for: the command line passes here too, and listens for signals
# before it loads what takes most of a second.
if TYPE_CHECKING:
    from .commands.library import *  # noqa: F403 (its __all__ is ours)
    from .commands.library import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        if "__path__" not in globals():  # loaded alone, as pytest does in a folder like my-checkout
            raise AttributeError(name)
        library = import_module(".commands.library", __name__)
        if name == "__all__" or name in library.__all__:
            return getattr(library, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return __getattr__("__all__")
