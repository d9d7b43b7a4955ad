"""What a result is held against: shuffled labels, the leak, fewer training patients."""
