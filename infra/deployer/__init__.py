"""The smallest policy for whoever deploys an environment on AWS, generated from the program itself."""
