"""All settings, as frozen structs, and the strict YAML loader for them. Imports no torch."""

from colorize_core.config.colorizing import (
    Calibration,
    ColorizeConfig,
    ModelSettings,
    PhotoSettings,
    RenderSettings,
    RunOptions,
    TemporalSettings,
    VideoSettings,
)
from colorize_core.config.evaluation import EvaluateConfig, NetworkFile
from colorize_core.config.generator import EncoderName, GeneratorConfig
from colorize_core.config.loading import from_tree, load_config
from colorize_core.config.settings import Settings, as_tree, changed_tree, key_tree
from colorize_core.config.training import (
    CriticConfig,
    DegradeConfig,
    GroupWeight,
    LossConfig,
    OptimizerConfig,
    SavingConfig,
    StageConfig,
    TrainConfig,
    TrainDataConfig,
)
from colorize_core.config.yaml_file import read_yaml

__all__ = [
    "Calibration",
    "ColorizeConfig",
    "CriticConfig",
    "DegradeConfig",
    "EncoderName",
    "EvaluateConfig",
    "GeneratorConfig",
    "GroupWeight",
    "LossConfig",
    "ModelSettings",
    "NetworkFile",
    "OptimizerConfig",
    "PhotoSettings",
    "RenderSettings",
    "RunOptions",
    "SavingConfig",
    "Settings",
    "StageConfig",
    "TemporalSettings",
    "TrainConfig",
    "TrainDataConfig",
    "VideoSettings",
    "as_tree",
    "changed_tree",
    "from_tree",
    "key_tree",
    "load_config",
    "read_yaml",
]
