"""Sending a whole round at once through the Batch API: half the price, answered within a day."""
