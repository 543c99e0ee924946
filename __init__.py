"""Hydrometer: how strongly a language model was distilled from other models."""

__version__ = "0.1.0"
