"""Data files: questions, seed templates, prompt sets, facts, vendors and example configs."""
