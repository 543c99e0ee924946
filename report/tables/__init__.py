"""Scores as text for other programs and for documents."""
