"""What `make demo REQUESTS=...` reads."""

import json
from pathlib import Path

from local.requests_file import read

CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"


def test_each_line_of_a_jsonl_file_is_a_body_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b'{"a": 1}\r\n\n not JSON \n\xff\n')
    assert [message.body for message in read(file)] == [b'{"a": 1}', b" not JSON ", b"\xff"]


def test_each_row_of_a_csv_file_is_a_request_and_empty_cells_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "requests.CSV"
    file.write_text(f"\ufeffcustomerId,productFamily,requestId\n{CUSTOMER},Azure,r1\n{CUSTOMER},Azure,\n", "utf-8")
    first, second = (json.loads(message.body) for message in read(file))
    assert first == {"customerId": CUSTOMER, "productFamily": "Azure", "requestId": "r1"}
    assert second == {"customerId": CUSTOMER, "productFamily": "Azure"}


def test_every_message_has_an_id_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("{}\n{}\n")
    first, second = read(file)
    assert first.message_id != second.message_id
