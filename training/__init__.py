"""Training: data, networks, losses, runs, evaluation. Needs the extra ``train``; the runtime never does."""
