"""Adapter for OpenAI-compatible endpoints through the openai SDK."""
