"""Recommenders from elsewhere, as worked examples of `recommender.model: module:Class`; copy one and change it."""
