"""Somebody else's predictions: leaks and optimism. Nothing else imports it."""
