"""Figures of quality for pictures, films and sets of pictures."""
