"""How long a run will take, how much disk, what it costs: `--dry-run`."""
