"""The results of a file: scores of patients, AUCs, the best of many, and what they say of a new patient."""
