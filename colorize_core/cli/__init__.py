"""What a user types: one verb, one file. Parse, load settings, call, return an exit code."""
