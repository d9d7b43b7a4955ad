"""Scores and predictions as other programs read them."""
