"""The HDF5 cache of vectors: schema, reading, writing, safety, repair, merging, copies."""
