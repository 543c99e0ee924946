"""Tools for testing Hydrometer and its plug-ins: virtual time, scripted models, a memory stack.

The contract suites for adapters are classes to inherit from, in hydrometer.testing.adapter_contract
and hydrometer.testing.http_contract. They need pytest; nothing else here does.
"""

from __future__ import annotations

from ..cache.store import MemoryStore
from .memory_stack import MemoryStack, open_stack
from .scripted import (
    AdapterOf,
    FunctionProvider,
    GatedProvider,
    ListObserver,
    ScriptedProvider,
    make_request,
    make_response,
    opener_of,
)
from .strategy_checks import JudgeReading, check_judge, check_mutator, check_selector
from .virtual_time import FakeClock, LoopClock, VirtualLoop, run_in_virtual_time

__all__ = [
    "AdapterOf",
    "FakeClock",
    "FunctionProvider",
    "GatedProvider",
    "JudgeReading",
    "ListObserver",
    "LoopClock",
    "MemoryStack",
    "MemoryStore",
    "ScriptedProvider",
    "VirtualLoop",
    "check_judge",
    "check_mutator",
    "check_selector",
    "make_request",
    "make_response",
    "open_stack",
    "opener_of",
    "run_in_virtual_time",
]
