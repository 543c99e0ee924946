"""Imports of published transcripts as recorded runs."""
