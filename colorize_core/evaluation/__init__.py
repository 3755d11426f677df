"""Figures of a generator on photos and films whose true colors are known."""
