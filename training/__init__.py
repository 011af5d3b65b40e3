"""Training: data, networks, losses, runs, evaluation. Needs the extra ``train``; never imported by the runtime."""
