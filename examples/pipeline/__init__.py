"""A small media pipeline on top of `core.storage`: upload, frames, detection, replay, and a page to look at it."""
