"""What Flaskship reaches, side by side with what else people use. `python -m benchmarks --help`."""
