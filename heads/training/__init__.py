"""From features and labels to a run: what is asked for, what is read, what is fitted, and what comes out."""
