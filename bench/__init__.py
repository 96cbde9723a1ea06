"""The benchmarks: this app beside the obvious one, on the local cloud."""
