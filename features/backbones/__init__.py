"""Frozen networks: (n, 224, 224) uint8 slices -> (n, d) float32 vectors. TensorFlow lives here."""
