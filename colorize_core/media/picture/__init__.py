"""The little that photos and films share."""
