"""The only package that imports aws_cdk: the model becomes stacks."""
