"""Adapter for OpenAI-compatible endpoints over aiohttp."""
