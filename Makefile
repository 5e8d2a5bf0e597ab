# midge: `make demo` shows the main job, `make test` proves it. Both set themselves up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.midge-ready
# `make test EXTRAS=emulator,onnx,search,keras,train,dev` adds Keras and PyTorch (1 GB), whose tests skip without them.
EXTRAS ?= emulator,onnx,search,dev

.PHONY: setup demo test test-long bench accuracy compress-report lint format clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "midge needs Python 3.11 or newer: make setup PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "this Python cannot make environments: on Debian, apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP)
	$(BIN)/midge run examples/digits/digits.tflite --board nucleo_l4r5zi --emulate --data examples/digits/digits.npz

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -rs

test-long: $(STAMP)
	MIDGE_THOROUGH=1 $(BIN)/python -m pytest -n 2 -rs -m 'long or thorough' --timeout 3600

bench: $(STAMP)
	$(BIN)/python benchmarks/avr.py
	$(BIN)/python benchmarks/run.py

accuracy: $(STAMP)
	$(BIN)/python benchmarks/accuracy.py

compress-report: $(STAMP)
	$(BIN)/python benchmarks/compression.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files 'firmware/*.c' 'firmware/*.h' 'host/*.c' | xargs $(BIN)/clang-format --dry-run --Werror

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files 'firmware/*.c' 'firmware/*.h' 'host/*.c' | xargs $(BIN)/clang-format -i

clean:
	rm -rf $(VENV) build dist
