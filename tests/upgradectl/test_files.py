"""A file that is replaced when all of it is there."""

import stat
from pathlib import Path

import pytest

from upgradectl.errors import CommandError
from upgradectl.files import replaced


def test_a_file_replaces_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    with replaced(tmp_path / "link") as file:
        file.write("new")
        assert not (tmp_path / "there" / "file").exists()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "new"


def test_a_new_file_is_its_owners_alone_and_another_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for mode in (0o600, 0o640, 0o444):
        with replaced(path) as file:
            file.write("new")
            (beside,) = (one for one in tmp_path.iterdir() if one != path)
            assert stat.S_IMODE(beside.stat().st_mode) == mode
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod({0o600: 0o640, 0o640: 0o444}.get(mode, mode))


def test_what_is_no_file_is_never_replaced() -> None:
    with pytest.raises(CommandError, match="/dev/null is no file"), replaced(Path("/dev/null")):
        pass
    assert Path("/dev/null").is_char_device()
