"""What every layer shares: ids, tables, atomic files, locks, provenance, predictions. It imports nothing of ours."""

__version__ = "0.1.0"
