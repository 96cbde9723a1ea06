"""The fault campaign: thousands of requests through a local cloud whose parts fail, and what must hold in the end.

workload     what is sent: requests and how each goes (valid_input), bodies that are no requests (bad_input)
plan         which fault comes when, from a seed
nemesis      carries the plan out, with people, levers and the moments in which to kill
campaign     runs both, waits until everything has ended, collects a Record
invariants   what must be true of a Record
clock_jumps  what a whole cloud on one machine cannot do: the core alone, with a clock that jumps
rules        the app without one of its rules, to show that the campaign can fail
report       a table, and JSON
"""
