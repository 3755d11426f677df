"""One file per photo format."""
