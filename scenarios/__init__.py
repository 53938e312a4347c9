"""Scenario files that are shipped (copy one, change it, run it), and how such files are read."""
