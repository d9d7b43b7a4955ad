"""Sections on how well the heads do."""
