import json

import numpy as np
import pytest

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.thumbnails import write_pair


@pytest.fixture
def make_run(tmp_path):
    """Write what a run leaves in OUT: summary.json and a thumbnail; return OUT and that picture."""

    def make(items, **header):
        out = tmp_path / "out"
        state = out / ".colorize"
        state.mkdir(parents=True, exist_ok=True)
        body = {"version": "1", "settings": {}, "seconds": 60.0, **header, "items": items}
        (state / "summary.json").write_text(json.dumps(body), encoding="ascii")
        return out

    return make


@pytest.fixture
def thumbnails(tmp_path):
    before = np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (40, 1))
    after = np.stack([before, before // 2, before // 3], axis=2)
    return vars(write_pair(before, after, RunFolder(tmp_path / "out").thumbs, "abc1"))


@pytest.fixture
def photo():
    """Make the summary's entry of one photo."""

    def make(number, **changes):
        item = {
            "source": f"album/{number:05d}.jpg",
            "output": f"album/{number:05d}.jpg",
            "status": "done",
            "kind": "photo",
            "key": f"k{number}",
            "size": 1000,
            "seconds": 0.5,
            "details": {},
        }
        return {**item, **changes}

    return make
