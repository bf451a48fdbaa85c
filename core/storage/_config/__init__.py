"""The env contract read: env files, validation, and the settings that hold now."""
