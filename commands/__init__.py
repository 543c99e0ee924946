"""Commands: functions that take values and return values, without a terminal."""
