"""Pages of their own, beside the report."""
