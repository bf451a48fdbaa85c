"""Listings of objects."""
