"""One patient under two ids, found by the images."""
