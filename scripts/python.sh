#!/bin/sh
# Prints a Python of 3.11 or later that can make virtual environments.
for each in python3 python3.13 python3.12 python3.11 python3.14 /usr/bin/python3; do
    if "$each" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$each"
        exit 0
    fi
done
echo "No Python 3.11 or later with its venv module found. Install one (Debian: apt-get install python3 python3-venv)," \
    "or say which: make PYTHON=/path/to/python3" >&2
exit 1
