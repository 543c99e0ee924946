"""Texts of the project's own: questions, seed templates, facts and the vendor lexicon."""
