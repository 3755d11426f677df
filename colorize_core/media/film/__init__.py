"""Films: probe, plan, decode, encode."""
