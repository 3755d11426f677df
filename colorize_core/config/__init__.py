"""All settings, as frozen dataclasses, and the strict YAML loader for them. Imports no torch."""

from colorize_core.config.colorizing import (
    ColorizeConfig,
    ModelSettings,
    PhotoSettings,
    RenderSettings,
    RunOptions,
    TemporalSettings,
    VideoSettings,
)
from colorize_core.config.evaluation import EvaluateConfig, NetworkFile
from colorize_core.config.loading import from_tree, load_config
from colorize_core.config.training import (
    CriticConfig,
    DegradeConfig,
    GeneratorConfig,
    GroupWeight,
    LossConfig,
    OptimizerConfig,
    SavingConfig,
    StageConfig,
    TrainConfig,
    TrainDataConfig,
)

__all__ = [
    "ColorizeConfig",
    "CriticConfig",
    "DegradeConfig",
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
    "StageConfig",
    "TemporalSettings",
    "TrainConfig",
    "TrainDataConfig",
    "VideoSettings",
    "from_tree",
    "load_config",
]
