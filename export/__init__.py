"""Export scripts: from a training run to the package, from the package to files."""
