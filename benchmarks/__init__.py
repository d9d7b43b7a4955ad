"""One file per question, in a folder for each kind of question: `python -m benchmarks NAME`."""
