"""Format numbers for people, with a dash for one that is not known."""

from collections.abc import Callable

UNKNOWN = "-"


def _known(write: Callable[[float], str]) -> Callable[[float | None], str]:
    return lambda value: UNKNOWN if value is None else write(value)


percent = _known(lambda ratio: f"{100 * ratio:.1f} %")
ratio = _known(lambda value: f"{value:.3f}")
milliseconds = _known(lambda ms: f"{ms:.2f} ms" if ms < 10 else f"{ms:.0f} ms")
megabytes = _known(lambda mb: f"{mb:.1f} MB" if mb < 100 else f"{mb:,.0f} MB")
rate = _known(lambda per_s: f"{per_s:,.0f}/s")


def count(value: float | None) -> str:
    """Format a large count with a unit prefix: 1.81 G, 3.38 M, 640."""
    if value is None:
        return UNKNOWN
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:,.0f}"


def interval(low: float | None, high: float | None) -> str:
    """Format two ratios as a range in percent."""
    if low is None or high is None:
        return UNKNOWN
    return f"{100 * low:.1f} to {100 * high:.1f} %"
