"""Simulated models: targets, helpers, judges and writers with known behaviour."""
