"""The stack files of new environments: `./mpr new`, with a template for each kind of store or cloud."""
