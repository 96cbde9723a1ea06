"""How long requests took: a histogram whose steps grow as people count time, median and 90th percentile. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

_FEWEST = 7  # steps: a single one would say nothing of its place
_S = (1, 2, 5, 10, 30)
_MIN = (1, 2, 5, 10, 20, 30)
_H = (1, 2, 4, 8, 12, 24)
_D = (2, 3, 5, 7, 14, 35)
_EDGES: tuple[tuple[float, str], ...] = (
    (0, "0"),
    *((n, f"{n} s") for n in _S),
    *((n * 60, f"{n} min") for n in _MIN),
    *((n * 3600, f"{n} h") for n in _H),
    *((n * 86400, f"{n} d") for n in _D),
)


@dataclass(frozen=True)
class Histogram:
    """`edges`: where the steps begin and end, as texts, one more than `counts`; an empty last one: the step is open."""

    edges: tuple[str, ...]
    counts: tuple[int, ...]
    median_s: float
    p90_s: float
    _first: int

    def position(self, value_s: float) -> float:
        """Where a value lies, from 0 (the first edge) to 1 (the last one); steps are equally wide."""
        step = bisect_right(_EDGES, value_s, key=lambda edge: edge[0]) - 1
        begin_s = _EDGES[step][0]
        end_s = _EDGES[step + 1][0] if step + 1 < len(_EDGES) else 2 * max(value_s, begin_s)
        return (step - self._first + (value_s - begin_s) / (end_s - begin_s)) / len(self.counts)


def histogram(durations_s: Sequence[float]) -> Histogram:
    """`durations_s`: at least one, none of them negative. From the first to the last step that holds any.

    Where those are few, with others around them.
    """
    counts = [0] * len(_EDGES)
    for value_s in durations_s:
        counts[bisect_right(_EDGES, value_s, key=lambda edge: edge[0]) - 1] += 1
    filled = [place for place, count in enumerate(counts) if count]
    missing = max(0, _FEWEST - (filled[-1] + 1 - filled[0]))
    first = max(0, min(filled[0] - missing // 2, len(counts) - _FEWEST))
    end = max(filled[-1] + 1, first + _FEWEST)
    labels = [*(label for _, label in _EDGES), ""]
    deciles = quantiles(durations_s, n=10, method="inclusive")
    return Histogram(tuple(labels[first : end + 1]), tuple(counts[first:end]), deciles[4], deciles[8], first)
