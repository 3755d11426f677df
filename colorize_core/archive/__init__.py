"""What is to be done and what is done: sources, work units, the manifest."""
