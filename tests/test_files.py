"""Files that appear whole, and several of them together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pianogan_bgm.errors import one_line
from pianogan_bgm.files import appearing, write_atomically, write_together


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_are_written_together_in_the_order_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: [moved.append(Path(b).name), replace(a, b)])
    write_together({tmp_path / "new" / "weights": b"w", tmp_path / "new" / "card": b"c"})
    assert moved == ["weights", "card"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {
        "weights": b"w",
        "card": b"c",
    }


def test_a_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("fsync", "replace"):
        does = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, does=does: [done.append(name), does(*a)])
    write_atomically(tmp_path / "save", b"state")
    assert done == ["fsync", "replace"]


def test_if_one_cannot_be_written_all_old_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together({tmp_path / "weights": b"old", tmp_path / "card": b"old"})
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if data == b"new card":
            raise OSError("No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_together({tmp_path / "weights": b"new weights", tmp_path / "card": b"new card"})
    assert names(tmp_path) == ["card", "weights"]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"old"}


def test_a_folder_in_the_way_of_one_stops_all(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    with pytest.raises(FileExistsError, match="not a regular file"):
        write_together({tmp_path / "weights": b"w", tmp_path / "card": b"c"})
    assert names(tmp_path) == ["card"]


def test_a_file_written_in_a_block_appears_at_its_end_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "song"
    with appearing(target) as place:
        place.write_bytes(b"whole")
        assert not target.exists()
    assert (target.read_bytes(), names(target.parent)) == (b"whole", ["song"])

    def broken() -> None:
        with appearing(target) as place:
            place.write_bytes(b"half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        broken()
    assert (target.read_bytes(), names(target.parent)) == (b"whole", ["song"])


def test_what_goes_wrong_is_said_of_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source), None, str(target))

    def unopened(place: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(place))

    def unnamed(*_: object) -> None:  # as an error of a write is, on a full disk
        raise PermissionError(13, "Permission denied")

    ways: tuple[tuple[object, str, object], ...] = (
        (os, "replace", refused),
        (os, "fsync", unnamed),
        (Path, "write_bytes", unopened),
        (Path, "write_bytes", unnamed),
    )
    for place, name, instead in ways:
        monkeypatch.setattr(place, name, instead)
        with pytest.raises(PermissionError) as denied:
            write_atomically(tmp_path / "song", b"")
        assert one_line(denied.value) == f"{tmp_path / 'song'}: Permission denied"
    assert names(tmp_path) == []


def test_of_several_files_the_one_that_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(place: Path, data: bytes) -> None:
        if data == b"card":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as refused:
        write_together({tmp_path / "weights": b"w", tmp_path / "card": b"card", tmp_path / "more": b"m"})
    assert one_line(refused.value) == f"{tmp_path / 'card'}: No space left on device"


def test_where_nothing_can_be_removed_either_the_file_itself_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(place: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(place))

    monkeypatch.setattr(Path, "write_bytes", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(OSError, match="Read-only") as refused:
        write_atomically(tmp_path / "song", b"")
    assert one_line(refused.value) == f"{tmp_path / 'song'}: Read-only file system"


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_place_that_is_locked_for_a_moment_is_tried_again(
    attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refused = os.replace, []

    def locked(source: Path, target: Path) -> None:
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "Permission denied", str(source), None, str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", locked)
    monkeypatch.setattr("pianogan_bgm.files.ATTEMPTS", attempts)
    monkeypatch.setattr("pianogan_bgm.files.PAUSE", 0.0)
    if attempts < 3:
        with pytest.raises(PermissionError):
            write_atomically(tmp_path / "new", b"whole")
        assert names(tmp_path) == []
    else:
        write_atomically(tmp_path / "new", b"whole")
        assert names(tmp_path) == ["new"]
