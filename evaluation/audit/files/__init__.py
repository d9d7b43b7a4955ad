"""What other people's files hold: predictions, splits, and whose slide is whose."""
