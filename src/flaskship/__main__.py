"""`python -m flaskship`."""

from flaskship.cli import main

main()
