"""What a result is held against: shuffled labels, heads that saw no image, fewer patients, further looks, copies, a leak."""
