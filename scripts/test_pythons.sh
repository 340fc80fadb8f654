#!/bin/sh
# Runs the tests on each Python that is on this machine, in .venvs/VERSION. Names those that are not.
cd "$(dirname "$0")/.." || exit 1
uv() { scripts/indexes.sh .venv/bin/uv "$@"; }
find_python() {
    for each in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        "$each" -c '' 2>/dev/null && command -v "$each" && return # a shim may be there without its Python
    done
    uv python find --no-python-downloads "$1" 2>/dev/null
}

failed=
for version in ${*:-3.11 3.12 3.13 3.14}; do
    if ! python=$(find_python "$version"); then
        echo "== Python $version: not on this machine"
        continue
    fi
    echo "== Python $version: $python"
    home=.venvs/$version
    [ -x "$home/bin/python" ] || uv venv --quiet --seed --python "$python" "$home"
    scripts/install.sh "$home/bin/python" dev tests &&
        PATH="$PWD/$home/bin:$PATH" scripts/indexes.sh "$home/bin/python" -m pytest -q || failed="$failed $version"
done
[ -z "$failed" ] || { echo "Failed on:$failed"; exit 1; }
