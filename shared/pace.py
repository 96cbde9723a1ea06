"""How many calls PollUpgrade makes at once: additive increase, multiplicative decrease (Chiu and Jain, 1989)."""


class Pace:
    """Starts a recovery with one call; each round that comes back adds one, each refusal of the limit halves."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._level = float(ceiling)
        self._recovery: str | None = None

    @property
    def parallelism(self) -> int:
        return int(self._level)

    def recover(self, recovery: str) -> None:
        """A recovery, named so that the same one begins only once, has to find out what is let through."""
        if recovery != self._recovery:
            self._recovery = recovery
            self._level = 1.0

    def open(self) -> None:
        """Nothing waits any more: what comes is new."""
        self._level = float(self._ceiling)

    def came_back(self) -> None:
        """One call of the round; as many as there are at once make a round."""
        self._level = min(float(self._ceiling), self._level + 1 / self._level)
