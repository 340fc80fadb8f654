#!/bin/sh
# install.sh PYTHON EXTRA [OTHER]: flaskship, editable, and what the extra asks for, into the environment of PYTHON.
# OTHER is the extra in its place where torch for CPUs cannot be had for that Python.
cd "$(dirname "$0")/.." || exit 1
# Byte code is compiled here because PYTHONDONTWRITEBYTECODE, where it is set, would cost every later start a second.
install() { scripts/indexes.sh .venv/bin/uv pip install --quiet --python "$python" --compile-bytecode "$@"; }
python=$1 extra=$2

# torch for CPUs alone, 200 MB instead of the gigabytes that come with the other: from a folder of wheels that pip is told
# of, else from PyTorch's own index. Where neither has it, the next line takes what there is.
install --no-index --no-deps 'torch>=2.6' 2>/dev/null || install --torch-backend cpu 'torch>=2.6' 2>/dev/null ||
    extra=${3:-$extra}
install --editable ".[$extra]"
