"""Version of Hydrometer: in status.json, and what ``--version`` prints."""

from __future__ import annotations

__version__ = "0.1.0"
