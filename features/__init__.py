"""Stage 1: one vector per MRI slice, kept in an HDF5 cache (`python -m features --help`)."""

__version__ = "0.1.0"
