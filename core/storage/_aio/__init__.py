"""The functions of `core.storage.aio`. They are defined here because editors also offer what a module imports."""
