"""One module for each command: its options, and what it prints. What it does lies in the modules above."""
