"""What must hold for every film, tree of names and setting, not only for some examples."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colorize_core.archive.records.keys import Maker, film_settings, item_key, photo_settings
from colorize_core.archive.source.collisions import without_collisions
from colorize_core.archive.source.filters import Row, ScanFilter
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.out_names import OutNames
from colorize_core.config import ColorizeConfig, as_tree, from_tree
from colorize_core.config.reference import Setting, settings_in
from colorize_core.config.settings import literals, meta_of
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.names import FILM_SUFFIXES, film_outputs
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.segments import plan_segments
from colorize_core.media.picture.names import PHOTO_SUFFIXES, output_path
from tests.film_helpers import make_film

# The same examples on every run: a failure can be repeated, and no run is red by chance.
REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=100)


@pytest.fixture(scope="module")
def probe(tmp_path_factory) -> FilmProbe:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_film(path, frames=8)
    return probe_film(path, max_pixels=10**6, max_frames=10**6, fps=24.0)


@REPEATABLE
@given(
    frames=st.integers(1, 3000),
    length=st.integers(16, 600),
    keyframes=st.sets(st.integers(1, 2999), max_size=60),
)
def test_segments_partition_a_film(probe, frames, length, keyframes):
    starts = np.array(sorted({0, *(k for k in keyframes if k < frames)}), np.int64)
    film = dataclasses.replace(probe, pts=np.arange(frames), keyframes=starts, is_segmentable=True)
    ranges = plan_segments(film, length)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == frames
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    sizes = [stop - start for start, stop in ranges]
    assert min(sizes) >= min(frames, length // 2)
    assert all(size >= 3 * length // 4 for size in sizes[:-1])


SUFFIXES = ("", ".gif", ".GIF", ".png", ".jpg", ".mkv", ".MKV", ".avi", ".mp4", ".gif.png")
NAMES = st.builds("{}{}".format, st.sampled_from(("a", "A")), st.sampled_from(SUFFIXES))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def outputs_of(row: Row) -> tuple[str, ...]:
    if any(row.path.lower().endswith(suffix) for suffix in FILM_SUFFIXES):
        return film_outputs(
            row.path, container="source", frames="none", is_folder=False, in_pieces=False
        )
    return (output_path(row.path),)


@REPEATABLE
@given(paths=st.sets(PATHS, min_size=2, max_size=25), fold_case=st.booleans())
def test_no_two_items_may_write_one_output(paths, fold_case):
    found = ScanFilter(PHOTO_SUFFIXES, FILM_SUFFIXES)
    rows = [Row(path, None, 1, 1) for path in paths]
    names = OutNames(None)
    names.folds_case = fold_case
    kept = without_collisions(rows, found, outputs_of, names)
    # Nothing is lost without a word.
    assert {row.path for row in kept} | {path for path, _ in found.problems} == paths
    assert len(kept) + len(found.problems) == len(paths)

    def seen(output: str) -> str:
        return output.lower() if fold_case else output

    outputs = Counter(seen(output) for row in kept for output in set(outputs_of(row)))
    assert set(outputs.values()) <= {1}
    parents = {seen(o).rpartition("/")[0] for row in kept for o in outputs_of(row)}
    folders = {"/".join(p.split("/")[:n]) for p in parents if p for n in range(1, 9)}
    assert not folders & set(outputs), "a file stands where another's folder must be"


SETTINGS = list(settings_in(ColorizeConfig))
# What a key must not know: which generator file (its sha256 counts) and how work is packed.
KEYLESS = {"model.weights", "photo.shard_photos", "video.max_memory"}
PHOTO = ("model.", "render.", "photo.", "colored")
FILM = ("model.", "render.", "video.", "temporal.", "colored")


def field_type(name: str) -> Any:
    kind: Any = ColorizeConfig
    for part in name.split("."):
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        kind = fields[part].type
    return kind


def others(setting: Setting) -> list[Any]:
    """Some valid values that are not the default."""
    meta, default = meta_of(field_type(setting.name)), setting.default
    if choices := literals(setting.kind):
        return [choice for choice in choices if choice != default]
    if setting.kind is bool:
        return [not default]
    if setting.kind is str:
        return [default + "x"]
    step = meta.multiple_of or (1 if setting.kind is int else 0.125)
    near = [default + step, default - step]
    return [setting.kind(value) for value in near if _is_valid(setting, value)]


def _is_valid(setting: Setting, value: Any) -> bool:
    try:
        msgspec.convert(setting.kind(value), field_type(setting.name))
    except msgspec.ValidationError:
        return False
    return True


def changed(name: str, value: Any) -> ColorizeConfig:
    tree = as_tree(ColorizeConfig())
    *groups, last = name.split(".")
    node = tree
    for group in groups:
        node = node[group]
    node[last] = value
    return from_tree(ColorizeConfig, tree, where="test")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_keys_change_exactly_with_the_settings_of_their_kind(setting: Setting):
    def key(kind: str, config: ColorizeConfig) -> str:
        item = SourceItem("a", "/a", 1, "s", kind)
        chosen = photo_settings(config) if kind == "photo" else film_settings(config)
        return item_key(item, Maker("0" * 64), settings=chosen, what=kind)

    values = others(setting)
    assert values
    for kind, prefixes in (("photo", PHOTO), ("film", FILM)):
        counts = setting.name.startswith(prefixes) and setting.name not in KEYLESS
        keys = {key(kind, changed(setting.name, value)) for value in values}
        assert len(keys) == (len(values) if counts else 1)
        assert (key(kind, ColorizeConfig()) in keys) is not counts
