"""What a door calls: options in, one call, a summary out; the only place that prints."""
