#!/bin/sh
# Makes .venv with flaskship in it, editable, and what an extra asks for: setup_venv.sh PYTHON EXTRA
set -e
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || "$1" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet 'uv>=0.5'
scripts/install.sh .venv/bin/python "$2"
touch ".venv/.$2"
