"""``python -m hydrometer``."""

from .cli import main

main()
