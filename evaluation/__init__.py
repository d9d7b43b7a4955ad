"""One score per patient, and how sure we are."""
