"""The least-privilege AWS policy for the deployment of an environment, generated from its program."""
