"""Hydrometer: measures how strongly a language model was distilled from other models.

This package has the functions of the command line, ``hydrometer``, for use in programs. The
interfaces of plug-ins are in ``hydrometer.strategies.base`` and ``hydrometer.providers.base``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# The names are imported on first use. The command line imports this file too, and it must set its
# signal handlers before it imports slow modules.
if TYPE_CHECKING:
    from .commands.api import *  # noqa: F403 (its __all__ is ours)
    from .commands.api import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        # pytest may import this file as a plain module, if the folder's name is no package name.
        if "__path__" not in globals():
            raise AttributeError(name)
        library = import_module(".commands.api", __name__)
        if name == "__all__" or name in library.__all__:
            return getattr(library, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return __getattr__("__all__")
