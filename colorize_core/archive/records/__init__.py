"""What is written about a run: work units, manifest, lock, summary, settings per item."""
