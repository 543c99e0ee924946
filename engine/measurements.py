"""Closed list of the built-in measurements. No other module imports all of them."""

from __future__ import annotations

from .ice.ice_measurement import ICE
from .measurement import Measurements
from .rse.rse_measurement import RSE

BUILT_IN = Measurements((ICE, RSE))
