"""What the tests of `status` and `watch` share."""

from tests.upgradectl.system import System


def nothing_in_flight(system: System) -> None:
    """Whatever others have left."""
    with system.connect() as connections:
        for row in connections.store.list_in_flight():
            connections.store.delete_in_flight(row)
