"""Findings -> words, tables, figures, HTML."""
