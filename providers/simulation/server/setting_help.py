"""Help of the simulator's settings, from which the options of ``hydrometer simulate`` are made."""

from __future__ import annotations

import msgspec


class SettingHelp(msgspec.Struct, frozen=True, kw_only=True):
    """The help of one setting.

    A *metavar* makes its option one of text, which the command has to parse. *show_default* stands
    for a default that does not explain itself.
    """

    help: str
    metavar: str = ""
    show_default: str = ""


SETTING_HELP = {
    "port": SettingHelp(help="0 takes any free port."),
    "seed": SettingHelp(help="Seed of answers, delays and faults."),
    "latency_ms": SettingHelp(help="Delay before every answer, in milliseconds."),
    "jitter_ms": SettingHelp(help="Mean of a random delay that is added to it."),
    "jitter_shape": SettingHelp(help="Distribution of the random delay, by its tail."),
    "slow_share": SettingHelp(help="Share of calls that wait for --slow-ms more."),
    "slow_ms": SettingHelp(help="Further delay of the calls of --slow-share."),
    "errors": SettingHelp(help="Share of calls that fail, as a 429, a 500 or a cut connection."),
    "faults": SettingHelp(
        help="Shares of calls that fail, by kind, each in all its forms: "
        "rate_limited, failed, cut, stalled, malformed.",
        metavar="KIND=SHARE,...",
    ),
    "retry_after_s": SettingHelp(help="Retry-After of planted 429s and 503s, in seconds."),
    "rpm": SettingHelp(help="Requests admitted a minute."),
    "tpm": SettingHelp(help="Tokens admitted a minute."),
    "dead_after": SettingHelp(help="Calls after which the endpoint is dead."),
    "dead_for_s": SettingHelp(
        help="Seconds after which a dead endpoint comes back.", show_default="never"
    ),
    "dead_as": SettingHelp(help="What a dead endpoint does: hang up, or answer 503."),
    "time_scale": SettingHelp(
        help="Speed of the simulator's clock: at 60 its minute is a second, and every time that it "
        "reports is in its own seconds."
    ),
    "model_id": SettingHelp(help="Model id in replies.", show_default="as asked"),
    "fingerprint": SettingHelp(help="The system_fingerprint of replies."),
}
