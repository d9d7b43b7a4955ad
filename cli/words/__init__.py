"""What users are told, in words; the commands print it."""
