"""`auto` is decided once per OUT."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from colorize_core.config import ColorizeConfig, ModelSettings
from colorize_core.pipeline.precision import with_precision


def asked(precision: str) -> ColorizeConfig:
    return replace(ColorizeConfig(), model=ModelSettings(precision=precision))


@pytest.fixture
def decide(tmp_path: Path):
    record = tmp_path / "precision.json"

    def decide(precision: str, *, is_new: bool = False, has_bf16: bool | None = None) -> str:
        def ask() -> bool:
            assert has_bf16 is not None, "workers were asked"
            return has_bf16

        config = with_precision(asked(precision), record, is_new=is_new, has_bf16=ask)
        return config.model.precision

    decide.record = record
    return decide


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_what_the_workers_of_the_first_run_have(decide, has_bf16, precision):
    assert decide("auto", is_new=True, has_bf16=has_bf16) == precision
    assert json.loads(decide.record.read_text()) == {"precision": precision}
    # Later runs ask nobody, whether or not the first one came to a result.
    assert decide("auto") == decide("auto", is_new=True) == precision


def test_results_of_an_older_version_stay_fp32(decide):
    assert decide("auto") == "fp32"


def test_what_the_user_sets_is_followed_and_kept(decide):
    assert decide("bf16", is_new=True) == "bf16"
    assert decide("auto") == "bf16"
    assert decide("fp32") == "fp32"
    assert decide("auto") == "fp32"


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"precision": 3}', '{"precision": "auto"}'])
def test_a_damaged_record_is_as_none(decide, damaged):
    decide.record.write_text(damaged)
    assert decide("auto") == "fp32"
