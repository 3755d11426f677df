"""What a training run is asked for, and where it keeps what."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.mirror import Mirror
from colorize_core.config import TrainConfig, changed_tree


@dataclass(frozen=True)
class RunSpec:
    """What to train, on what, and where. Only `config` can change the weights.

    Attributes:
        source: folder, tar or zip of color photos, or the URL of one.
        out: where the folders of runs are.
        kept: where they are in object storage, too; this machine then only works in `out`.
    """

    config: TrainConfig
    name: str
    source: str
    out: Path
    cache: Path
    val: Path | None = None
    device: str = "auto"
    threads: int = 0  # CPU threads of this process; 0 = as they are
    kept: Address | None = None

    @property
    def folder(self) -> Path:
        """The run's folder. Its name carries the configuration: another one never continues it."""
        return self.out / f"{self.name}-{config_hash(self.config)}"

    @property
    def exported(self) -> Path:
        """The finished generator."""
        return self.folder / "exports" / "generator.safetensors"

    def name_of(self, path: Path) -> str:
        """Where what stands in `out` is to be found, for people."""
        inside = path.relative_to(self.out).as_posix()
        return f"{self.kept}/{inside}" if self.kept else str(path)

    def mirror(self) -> Mirror | None:
        """Of the run's folder, where it is kept in object storage, too."""
        if self.kept is None:
            return None
        return Mirror(
            Address(self.kept.scheme, f"{self.kept.path}/{self.folder.name}"), self.folder
        )


def config_hash(config: TrainConfig) -> str:
    """Identity of a configuration.

    Settings at their default are left out, so that a new one with a neutral default does not orphan
    the runs before it; so is `saving`, which changes no weight.
    """
    tree = changed_tree(config)
    tree.pop("saving", None)
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:10]
