"""One module a scenario: `NUMBER`, `TITLE` and `run(options)`."""
