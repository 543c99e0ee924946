"""Mutators: prompts that ask a helper model for a new template, and the reading of its replies."""
