import json

import pytest

from colorize_core.errors import ManifestError
from colorize_core.report.stream import read_summary


def read(path):
    header = {}
    return list(read_summary(path, header)), header


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("items_first", [True, False])
def test_items_one_by_one_and_the_rest_in_the_header(tmp_path, indent, items_first):
    items = [{"n": n, "text": 'ab\\"é' * (n % 50), "list": [1.5, None, {}]} for n in range(3000)]
    header = {"a": {"b": [1, 2]}, "seconds": 123456.75, "last": 12345}
    body = {"items": items, **header} if items_first else {**header, "items": items}
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(body, indent=indent))
    assert path.stat().st_size > 3 * 65536  # more than one block, so values cross borders
    assert read(path) == (items, header)


def test_numbers_that_end_at_a_block_border_are_read_whole(tmp_path):
    path = tmp_path / "summary.json"
    for shift in range(8):
        path.write_text('{"pad":"' + "x" * (65536 - 26 + shift) + '","seconds":1234567,"items":[]}')
        assert read(path)[1]["seconds"] == 1234567


@pytest.mark.parametrize("text", ['{"items": []}', "{}", '{"items":[],"a":1}'])
def test_empty_runs(tmp_path, text):
    path = tmp_path / "summary.json"
    path.write_text(text)
    assert read(path)[0] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[]",
        '{"items": [{"a": 1}',
        '{"items": [{"a": 1}, 3]}',
        '{"a" 1}',
        '{"a": 1 "b": 2}',
    ],
)
def test_torn_or_foreign_files_are_named(tmp_path, text):
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"summary\.json"):
        read(path)


def test_missing_file(tmp_path):
    with pytest.raises(ManifestError, match=r"summary\.json"):
        read(tmp_path / "summary.json")
