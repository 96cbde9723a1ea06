"""What a journal gives back is what the queues had told it."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from local.service_bus.journal import Journal, QueueState
from local.service_bus.message import Change, Counted, Message, Removed, Stored


def _message(sequence_number: int, *, delivery_count: int = 0) -> Message:
    return Message(sequence_number, 1000.25, 2000.5, delivery_count, b"\x00\xffcontent")


def _record(directory: Path, *records: Sequence[Change]) -> None:
    with closing(Journal(directory)) as journal:
        for changes in records:
            journal.record(changes)


def _queues(directory: Path) -> dict[str, QueueState]:
    with closing(Journal(directory)) as journal:
        return journal.queues


def test_messages_come_back_as_they_were(tmp_path: Path) -> None:
    _record(tmp_path, [Stored("q", _message(1)), Stored("q/$deadletterqueue", _message(2, delivery_count=3))])

    queues = _queues(tmp_path)

    assert queues["q"].messages == {1: _message(1)}
    assert queues["q/$deadletterqueue"].messages == {2: _message(2, delivery_count=3)}


def test_counts_and_removals_are_applied_in_order(tmp_path: Path) -> None:
    stored = [Stored("q", _message(1)), Stored("q", _message(2))]

    _record(tmp_path, stored, [Counted("q", 1, 1)], [Counted("q", 1, 2), Removed("q", 2)])

    assert _queues(tmp_path)["q"].messages == {1: _message(1, delivery_count=2)}


def test_the_file_is_compacted_at_the_start_and_numbers_are_never_used_again(tmp_path: Path) -> None:
    for number in range(1, 51):
        _record(tmp_path, [Stored("q", _message(number))], [Removed("q", number)])

    assert _queues(tmp_path) == {"q": QueueState({}, 51)}
    assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) == 1


def test_a_last_write_that_was_cut_off_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    _record(tmp_path, [Stored("q", _message(1))], [Stored("q", _message(2))])
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-5])

    assert list(_queues(tmp_path)["q"].messages) == [1]
    _record(tmp_path, [Stored("q", _message(3))])

    assert list(_queues(tmp_path)["q"].messages) == [1, 3]
