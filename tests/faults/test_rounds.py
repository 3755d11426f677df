"""Some rounds of `tests.faults.rounds`; its command plays as many as there is time for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.archives import Archive, make_archive
from tests.faults.rounds import play

pytestmark = pytest.mark.faults
SEED = random.SystemRandom().randrange(10**6)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_archive(tmp_path_factory.mktemp("archive"))


@pytest.mark.parametrize("seed", range(SEED, SEED + 12))
def test_a_disturbed_archive_ends_as_an_undisturbed_one(
    archive: Archive, tmp_path: Path, seed: int
):
    found = play(seed, archive, tmp_path)
    assert not found.wrong, f"python -m tests.faults.rounds --rounds 1 --seed {seed}: {found}"
