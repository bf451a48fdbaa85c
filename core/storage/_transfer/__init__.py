"""Downloads and uploads, of one object and of many."""
