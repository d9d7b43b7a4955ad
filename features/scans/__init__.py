"""Files of MRI -> (n, 224, 224) uint8 slices."""
