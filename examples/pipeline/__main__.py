"""`python -m examples.pipeline <command>`."""

from examples.pipeline.commands import main

if __name__ == "__main__":
    main()
