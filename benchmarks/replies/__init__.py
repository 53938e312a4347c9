"""Replies to read: slates and styles of titles, real replies, and what is done to them."""
