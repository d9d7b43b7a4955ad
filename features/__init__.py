"""Stage 1: one vector per MRI slice, kept in an HDF5 cache (`python -m features --help`)."""
