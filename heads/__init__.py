"""Stage 2: one score per slice (or patient), out of fold, from dense, logistic and boosted heads."""
