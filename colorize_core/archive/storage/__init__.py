"""Where a run keeps what it makes: a local folder, or object storage."""
