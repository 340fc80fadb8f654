"""What runs an app that somebody else wrote, in that app's own environment.

Python 3.8 and its standard library are all that this asks for, as flaskship/serve does.
"""
