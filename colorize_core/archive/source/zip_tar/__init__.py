"""Members of zip and tar files."""
