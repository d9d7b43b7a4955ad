"""Configurations that are drawn, and chosen on inner folds."""
