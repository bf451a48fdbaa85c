"""What an environment is, against what its stack says. Nothing is ever changed by it."""
