# `make demo` and `make test` do all their own set-up in .venv.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test check docs lint clean

demo: .venv/demo
	test -f demo/cohort/train_labels.csv || rm -rf demo/cohort
	test -f demo/cohort/train_labels.csv || $(BIN)/python -m features phantom demo/cohort --patients 20 --effect 4 --slices 8 --sequence FLAIR T1wCE
	$(BIN)/python extract_features.py demo/cohort/train --out demo/features.h5
	$(BIN)/python train_head.py demo/features.h5 demo/cohort/train_labels.csv --fuse scores --out demo/runs/patients --overwrite
	$(BIN)/python train_head.py demo/features.h5 demo/cohort/train_labels.csv --head logistic --split slice --keep-blank --out demo/runs/slices --overwrite
	$(BIN)/python evaluate.py demo/runs/patients demo/runs/slices --out demo/report

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --cov --cov-report=term

check: lint
	$(BIN)/python -m pytest --numprocesses 2 -m "not slow"

docs: .venv/dev
	$(BIN)/python -m cli.reference

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/demo: requirements.txt requirements-heads.txt requirements-images.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0] + '; try make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/dev: .venv/demo requirements-dev.txt
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .coverage .mypy_cache .pytest_cache .ruff_cache demo report
