from pathlib import Path

import pytest

from colorize_core.archive.records.work import FilmCopy
from colorize_core.archive.source.image_sequences import measure_folder
from colorize_core.archive.source.item import SourceItem
from colorize_core.errors import ChangedError, MissingError
from colorize_core.inference.films import run_copy


@pytest.mark.parametrize("is_folder", [False, True])
def test_only_the_scanned_film_is_copied(tmp_path: Path, is_folder: bool):
    source, out = tmp_path / "film", tmp_path / "out"
    if is_folder:
        source.mkdir()
        content = source / "1.png"
        content.write_bytes(b"in color")
        size, stamp = measure_folder(source)
    else:
        content = source
        content.write_bytes(b"in color")
        size, stamp = 8, f"mtime_ns:{source.stat().st_mtime_ns}"
    unit = FilmCopy(
        "k", SourceItem("film", str(source), size, stamp, "film"), stamp, "film", leave=False
    )
    assert run_copy(unit, out).sha256
    (out / "film").rename(tmp_path / "first")
    content.write_bytes(b"half of another")
    with pytest.raises(ChangedError, match="film: changed since"):
        run_copy(unit, out)
    assert list(out.iterdir()) == []
    source.rename(tmp_path / "moved")
    with pytest.raises(MissingError, match="film: not there any more"):
        run_copy(unit, out)
    assert list(out.iterdir()) == []
