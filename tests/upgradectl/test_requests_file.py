"""Requests from files: what is a request, what is none and why, and that nothing is held in memory."""

import io
import json
import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from shared.messages import MAX_BYTES, Message, parse
from tests.fakes import NOON
from upgradectl.errors import CommandError, ExitCode
from upgradectl.requests_file import Entry, derived_id, opened, single
from upgradectl.submit import validate

FAMILIES = ("Azure", "Microsoft 365")
CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"
OTHER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f7"


def body(customer_id: str = CUSTOMER, family: str = "Azure", **more: object) -> bytes:
    return json.dumps({"customerId": customer_id, "productFamily": family, **more}).encode()


def entries(path: Path, content: bytes | str, *, batch: str | None = None) -> list[Entry]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with opened(str(path), families=FAMILIES, batch=batch) as file:
        first, again = list(file.entries()), list(file.entries())
    assert first == again
    return first


def problems(found: list[Entry]) -> list[tuple[int, str]]:
    return [(entry.line, entry.problem) for entry in found if entry.request is None]


def request_ids(found: list[Entry]) -> list[str | None]:
    return [entry.request.request_id if entry.request else None for entry in found]


def test_each_line_is_a_body_as_it_is(tmp_path: Path) -> None:
    lines = [body(requestId="a", note="extra"), b"  " + body(OTHER.upper(), "azure", requestId="b") + b" "]
    found = entries(tmp_path / "x.jsonl", b"\n".join([lines[0], b"", b"   ", lines[1]]) + b"\r\n")
    assert [(entry.line, entry.body) for entry in found] == [(1, lines[0]), (4, lines[1])]
    assert request_ids(found) == ["a", "b"]
    assert found[1].request
    assert (found[1].request.customer_id, found[1].request.product_family) == (OTHER, "Azure")


def test_all_lines_that_are_no_request_are_told_with_the_reason(tmp_path: Path) -> None:
    lines = [b"not json", body("x", requestId="a"), body(requestId="a b"), b"[]", b"\xff", body(family="Office")]
    assert problems(entries(tmp_path / "x.jsonl", b"\n".join(lines))) == [
        (1, "line 1 column 1: not JSON"),
        (2, "$.customerId: not a GUID (8-4-4-4-12 hexadecimal digits)"),
        (3, "$.requestId: not 1 to 128 visible ASCII characters"),
        (4, "not a JSON object"),
        (5, "byte 0: not UTF-8"),
        (6, "$.productFamily: not one of: Azure, Microsoft 365"),
    ]


def test_a_line_longer_than_any_body_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    longest = body(requestId="a", note="x" * (MAX_BYTES - len(body(requestId="a", note=""))))
    content = b"\n".join([longest, b'{"a":"' + b"x" * 20_000_000 + b'"}', body(requestId="b")])
    path.write_bytes(content)
    del content
    with opened(str(path), families=FAMILIES) as file:
        tracemalloc.start()
        found = list(file.entries())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert [(entry.line, entry.problem) for entry in found] == [(1, ""), (2, f"longer than {MAX_BYTES} bytes"), (3, "")]
    assert peak < 2_000_000


def test_a_request_id_is_derived_from_customer_family_and_batch(tmp_path: Path) -> None:
    found = entries(tmp_path / "wave-1.jsonl", b"\n".join([body(CUSTOMER.upper(), "AZURE"), body(OTHER)]))
    (first, second) = (entry.request for entry in found)
    assert first
    assert second
    assert first.request_id == derived_id(first, "wave-1.jsonl")
    assert first.request_id != second.request_id
    assert first.request_id != derived_id(first, "wave-2.jsonl")
    # Fixed for ever: another one would ask for every upgrade of an earlier run again.
    assert first.request_id == "1c9d97c0-14f1-5101-9aba-dded5907c452"


def test_the_app_makes_the_same_request_of_the_message(tmp_path: Path) -> None:
    """Body as it is, message id = request id: whatever stands in the body, the app reads the id that was told here."""
    enveloped = {"specversion": "1.0", "data": json.loads(body())}
    lines = [
        *(body(), body(requestId=None), body(requestId="own"), body(requestId="no-id")),
        *(json.dumps(enveloped | {"id": event_id}).encode() for event_id in ("event", "no id", 7)),
    ]
    found = entries(tmp_path / "x.jsonl", b"\n".join(lines))
    for entry in found:
        assert entry.request
        message = Message(entry.body, entry.request.request_id, 17, NOON)
        assert parse(message, FAMILIES).request_id == entry.request.request_id
    derived = request_ids(found)[0]
    assert request_ids(found) == [derived, derived, "own", "no-id", "event", derived, derived]


def test_a_name_that_is_no_text_can_be_a_batch(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl"))
    (found,) = entries(path, body())
    assert found.request


def test_csv_is_read_by_its_columns(tmp_path: Path) -> None:
    content = (
        f"requestId,name, productFamily ,customerId\r\n"
        f'a,"Contoso, Inc.",Azure,{CUSTOMER}\r\n'
        f"\r\n"
        f',"two\r\nlines",azure, {OTHER} \r\n'
        f",,,\r\n"
        f"c,Fabrikam,Azure,{CUSTOMER},\r\n"
    )
    found = entries(tmp_path / "x.csv", b"\xef\xbb\xbf" + content.encode())
    assert problems(found) == []
    assert [entry.line for entry in found] == [2, 4, 7]
    assert [json.loads(entry.body) for entry in found] == [
        {"requestId": "a", "productFamily": "Azure", "customerId": CUSTOMER},
        {"productFamily": "azure", "customerId": OTHER},
        {"requestId": "c", "productFamily": "Azure", "customerId": CUSTOMER},
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheet_may_use_another_delimiter(delimiter: str, tmp_path: Path) -> None:
    content = f"customerId,productFamily,requestId\n{CUSTOMER},Azure,a\n".replace(",", delimiter)
    assert request_ids(entries(tmp_path / "x.csv", content)) == ["a"]


def test_a_column_that_nobody_reads_may_be_in_any_encoding(tmp_path: Path) -> None:
    content = f"customerId,productFamily,requestId,name\n{CUSTOMER},Azure,a,M\xfcller\n{OTHER},Azure,\xfc,\n"
    found = entries(tmp_path / "x.csv", content.encode("latin-1"))
    assert request_ids(found) == ["a", None]
    assert problems(found) == [(3, "$.requestId: not 1 to 128 visible ASCII characters")]


def test_csv_rows_that_are_no_request_are_told_with_the_line(tmp_path: Path) -> None:
    content = f'customerId,productFamily,name\n{CUSTOMER},Azure,Contoso, Inc.\n{CUSTOMER}\n"{CUSTOMER}",Office,x\n'
    assert problems(entries(tmp_path / "x.csv", content)) == [
        (2, "more values than the first line names"),
        (3, "$.productFamily: missing"),
        (4, "$.productFamily: not one of: Azure, Microsoft 365"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{CUSTOMER},Azure\n", "x.csv: the first line names no customerId and no productFamily"),
        ("customerId,family\n", "x.csv: the first line names no productFamily"),
        ("customerId,productFamily,customerId\n", "x.csv: the first line names customerId twice"),
        (f'customerId,productFamily\n{CUSTOMER},"Azure\n', "x.csv:2: no CSV: unexpected end of data"),
        (f'customerId,productFamily\n{CUSTOMER},"Azure"x\n', "x.csv:2: no CSV: ',' expected after '\"'"),
    ],
)
def test_csv_that_is_none_is_refused_as_a_whole(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refused:
        entries(tmp_path / "x.csv", content)
    assert refused.value.message.endswith(message)
    assert refused.value.code is ExitCode.USAGE


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x"])
@pytest.mark.parametrize("content", ["", "\n\n", " \r\n"])
def test_an_empty_file_holds_no_request(name: str, content: str, tmp_path: Path) -> None:
    assert entries(tmp_path / name, content) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbf\n " + body(requestId="a"), ["a"]),
        (b"[" + body(requestId="a") + b"]", [None]),
        (f"customerId,productFamily,requestId\n{CUSTOMER},Azure,a\n".encode(), ["a"]),
    ],
)
def test_without_a_telling_name_the_beginning_tells(content: bytes, expected: list[str | None], tmp_path: Path) -> None:
    found = entries(tmp_path / "requests", content)
    assert request_ids(found)[-1:] == expected


def test_standard_input_is_read_twice_and_has_no_name_for_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(batch: str | None) -> list[Entry]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body() + b"\n" + body(OTHER, requestId="b"))))
        with opened("-", families=FAMILIES, batch=batch) as file:
            assert (file.name, file.is_csv) == ("standard input", False)
            first, again = list(file.entries()), list(file.entries())
        assert first == again
        return first

    assert problems(read(None)) == [(1, "no request id: name a --batch to derive it from")]
    assert problems(read("wave-1")) == []


def test_a_pipe_is_read_as_standard_input_is(tmp_path: Path) -> None:
    pipe = tmp_path / "x.csv"
    os.mkfifo(pipe)
    content = f"customerId,productFamily\n{CUSTOMER},Azure\n"
    writer = threading.Thread(target=pipe.write_text, args=(content,))
    writer.start()
    with opened(str(pipe), families=FAMILIES) as file:
        found = [list(file.entries()), list(file.entries())]
        assert (file.is_csv, file.batch) == (True, None)
    writer.join()
    assert [problems(entries) for entries in found] == [[(2, "no request id: name a --batch to derive it from")]] * 2


@pytest.mark.parametrize(("name", "reason"), [("nowhere.csv", "No such file or directory"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_wrong_usage(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refused, opened(str(tmp_path / name), families=FAMILIES):
        pass
    assert refused.value.message.endswith(f": {reason}")
    assert refused.value.code is ExitCode.USAGE


def test_a_single_request_from_the_command_line() -> None:
    def read(request_id: str | None, batch: str | None) -> Entry:
        (entry,) = single(CUSTOMER, "azure", request_id, families=FAMILIES, batch=batch).entries()
        return entry

    assert request_ids([read("a", None)]) == ["a"]
    derived = read(None, "wave-1").request
    assert derived
    assert derived.request_id == derived_id(derived, "wave-1")
    assert "--batch" in read(None, None).problem


def test_a_hundred_thousand_lines_are_validated_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    with path.open("wb") as written:
        prefix = CUSTOMER[:-12].encode()
        written.writelines(
            b'{"customerId":"%s%012x","productFamily":"Azure"}\n' % (prefix, number) for number in range(100_000)
        )
    started_s = time.process_time()  # whatever else the machine does meanwhile
    with opened(str(path), families=FAMILIES) as file:
        found = validate(file, lambda _: None)
    assert (len(found.keys), found.problems) == (100_000, [])
    assert time.process_time() - started_s < 10


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_the_memory_does_not_grow_with_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with path.open("w") as written:
        written.write("customerId,productFamily,note\n" if name.endswith("csv") else "")
        for number in range(4_000):
            customer, note = f"2f3e9a10-5b1c-4d6e-8f70-{number:012x}", "x" * 3000
            as_json = body(customer, note=note).decode()
            written.write(f"{customer},Azure,{note}\n" if name.endswith("csv") else f"{as_json}\n")
    with opened(str(path), families=FAMILIES) as file:
        tracemalloc.start()
        found = validate(file, lambda _: None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(found.keys) == 4_000
    assert peak < 2_000_000 < path.stat().st_size / 5
