"""Measures Hydrometer against the bare libraries in the same run: ``python -m bench NAME``."""
