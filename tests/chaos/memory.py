"""Invariant 6: the functions' memory is bounded, and does not grow."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tests.chaos.record import MemorySample, Record
from tests.chaos.violation import Violation

INVARIANT = 6
WARM_UP_S = 30.0  # imports, first connections, first tokens, a thread for every call at once
MAX_RSS_MB = 300.0
MAX_SLOPE_MB_PER_MIN = 20.0
FEWEST_SAMPLES = 60  # of fewer nobody can tell a slope from noise


@dataclass(frozen=True)
class Resident:
    """`samples`: how many the slope is of."""

    largest_mb: float
    slope_mb_per_min: float
    samples: int


def check(record: Record) -> list[Violation]:
    found = slope(record.memory)
    violations = []
    if found.largest_mb > MAX_RSS_MB:
        violations.append(Violation(INVARIANT, f"a process took {found.largest_mb:.0f} MB, {MAX_RSS_MB:.0f} is most"))
    if found.samples >= FEWEST_SAMPLES and found.slope_mb_per_min > MAX_SLOPE_MB_PER_MIN:
        text = f"memory grew by {found.slope_mb_per_min:.1f} MB a minute, {MAX_SLOPE_MB_PER_MIN:.0f} is most"
        violations.append(Violation(INVARIANT, text))
    return violations


def slope(samples: Sequence[MemorySample]) -> Resident:
    """Within processes: least squares with a level for each process ("fixed effects").

    Processes differ in size, and they are killed: across them age tells nothing.
    """
    warm = [sample for sample in samples if sample.age_s > WARM_UP_S]
    by_process = defaultdict[str, list[MemorySample]](list)
    for sample in warm:
        by_process[sample.process].append(sample)
    product = square = 0.0
    for own in by_process.values():
        age_s = fmean(sample.age_s for sample in own)
        rss_mb = fmean(sample.rss_mb for sample in own)
        product += sum((sample.age_s - age_s) * (sample.rss_mb - rss_mb) for sample in own)
        square += sum((sample.age_s - age_s) ** 2 for sample in own)
    largest_mb = max((sample.rss_mb for sample in samples), default=0.0)
    return Resident(largest_mb, 60 * product / square if square else 0.0, len(warm))
