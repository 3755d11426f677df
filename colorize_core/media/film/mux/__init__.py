"""Putting a film together: segments joined, streams copied, the result verified."""
