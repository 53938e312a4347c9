"""Measured speed and quality: `python -m benchmarks.NAME [--quick]`, one JSON object on the last line."""
