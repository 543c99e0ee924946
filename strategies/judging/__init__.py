"""Judges of identity claims: the rules, the judge prompts, and the reading of judge replies."""
