"""Code that also runs alone, on Python 3.8 and without Flaskship: what an isolated environment needs.

Its modules import the standard library and NumPy only, and each other never.
"""
