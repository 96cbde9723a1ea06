"""How property tests run: the same examples every time, and no time limit that a busy machine could miss."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")
