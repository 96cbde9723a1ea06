"""When to try again. Pure: randomness is an argument.

Delays double from the first to the longest and are spread (see "Exponential Backoff And Jitter", AWS Architecture Blog:
"equal jitter", so that no delay is shorter than half of what it should be).
"""


def doubling_s(first_s: float, longest_s: float, before: int) -> float:
    """Seconds after `before` earlier tries: `first_s`, then twice as long each time, up to `longest_s`."""
    # 2**60 seconds are longer than any setting; a larger exponent would overflow a float.
    return min(longest_s, first_s * 2.0 ** min(before, 60))


def spread_s(delay_s: float, random: float) -> float:
    """Between half of `delay_s` and all of it; `random` in [0, 1)."""
    return delay_s * (0.5 + random / 2)


def later_s(delay_s: float, random: float) -> float:
    """Between `delay_s` and a tenth more: for a delay that somebody else has set, and which must not be cut short."""
    return delay_s * (1 + random / 10)
