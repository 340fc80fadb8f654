#!/bin/sh
# Makes .venv with flaskship in it, editable, and what an extra asks for: setup_venv.sh PYTHON EXTRA
set -e
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || "$1" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet 'uv>=0.5'
# Byte code is compiled here because PYTHONDONTWRITEBYTECODE, where it is set, would cost every later start a second.
scripts/indexes.sh .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode --editable ".[$2]"
touch ".venv/.$2"
