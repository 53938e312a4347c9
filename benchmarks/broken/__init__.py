"""The corpus of `benchmarks.broken_files`: files that are broken on purpose, and what has to become of each."""
