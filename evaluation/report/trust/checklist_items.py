"""The items of CLAIM 2024 and TRIPOD+AI, and which recorded fact answers each.

CLAIM 2024 update: Tejani et al., Radiology: Artificial Intelligence 2024, doi:10.1148/ryai.240300.
TRIPOD+AI: Collins et al., BMJ 2024, doi:10.1136/bmj-2023-078378. Item numbers are theirs, the topics are in our words.
"""

from __future__ import annotations

# (number, topic, name of the fact that answers it); an item may have several facts
CLAIM = (
    ("1", "Title", ""), ("2", "Abstract", ""), ("3", "Background and intended use", ""), ("4", "Aims and hypotheses", ""),
    ("5", "Prospective or retrospective", ""), ("6", "Goal of the study", ""), ("7", "Data sources", "sources"),
    ("8", "Who was eligible", ""), ("9", "Preprocessing", "preprocessing"), ("10", "Subsets of the data", "subsets"),
    ("11", "De-identification", ""), ("12", "Missing data", "missing"), ("13", "Image acquisition", ""),
    ("14", "Reference standard: definition", "label"), ("15", "Reference standard: why this one", ""),
    ("16", "Reference standard: who made it", ""), ("17", "Annotation of the test set", ""), ("18", "Agreement of raters", ""),
    ("19", "How data were split", "split"), ("20", "Level at which the parts are disjoint", "disjoint"),
    ("21", "Sample size", "size"), ("22", "Model", "model"), ("23", "Software", "software"),
    ("24", "Initial parameters", "initial"), ("25", "Training", "training"), ("26", "Choice of the final model", "selection"),
    ("27", "Ensembles", "ensembles"), ("28", "Performance metrics", "metrics"), ("29", "Significance and uncertainty", "tests"),
    ("30", "Robustness or sensitivity", "robustness"), ("31", "Explanations", ""),
    ("32", "Evaluation on internal data", "internal"), ("33", "Test on external data", "external"),
    ("34", "Trial registration", ""), ("35", "Numbers included and excluded", "flow"), ("36", "Characteristics by part", ""),
    ("37", "Performance with uncertainty", "performance"), ("38", "Diagnostic performance and precision", "diagnostic"),
    ("39", "Analysis of failures", ""), ("40", "Limitations", ""), ("41", "Implications for practice", ""),
    ("42", "Protocol or further technical detail", "again"), ("43", "Availability of software, model and data", "code"),
    ("44", "Funding", ""),
)  # fmt: skip

TRIPOD = (
    ("1", "Title", ""), ("2", "Abstract", ""), ("3a", "Clinical context", ""), ("3b", "Target population and users", ""),
    ("3c", "Known health inequalities", ""), ("4", "Objectives", ""), ("5a", "Data sources", "sources"), ("5b", "Dates", ""),
    ("6a", "Setting and centres", ""), ("6b", "Eligibility", ""), ("6c", "Treatments", ""),
    ("7", "Data preparation", "preprocessing"), ("8a", "Outcome: definition", "label"), ("8b", "Outcome: assessors", ""),
    ("8c", "Outcome: blinding", ""), ("9a", "Choice of predictors", "predictors"), ("9b", "Predictors: definition", "features"),
    ("9c", "Predictors: assessors", ""), ("10", "Sample size", "size"), ("11", "Missing data", "missing"),
    ("12a", "Use and partition of the data", "split"), ("12b", "Handling of predictors", "predictors"),
    ("12c", "Model type and building", "training"), ("12d", "Differences between clusters", ""),
    ("12e", "Measures of performance", "metrics"), ("12f", "Model updating", ""),
    ("12g", "How predictions were computed", "predictions"), ("13", "Class imbalance", "imbalance"), ("14", "Fairness", ""),
    ("15", "Output of the model and thresholds", "output"), ("16", "Development against evaluation data", ""),
    ("17", "Ethical approval", ""), ("18a", "Funding", ""), ("18b", "Conflicts of interest", ""), ("18c", "Protocol", ""),
    ("18d", "Registration", ""), ("18e", "Data sharing", ""), ("18f", "Code sharing", "code"),
    ("19", "Patient and public involvement", ""), ("20a", "Flow of participants", "flow"),
    ("20b", "Characteristics of participants", ""), ("20c", "Comparison with development data", ""),
    ("21", "Participants and events in each analysis", "events"), ("22", "Full specification of the model", "model"),
    ("23a", "Performance with intervals", "performance"), ("23b", "Performance by cluster", "groups"),
    ("24", "Results of updating", ""), ("25", "Interpretation", ""), ("26", "Limitations", ""),
    ("27a", "Input of poor quality", "quality"), ("27b", "What users must do", ""), ("27c", "Next steps", ""),
)  # fmt: skip
