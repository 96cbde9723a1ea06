"""The operator's command line.

- `app`, `commands`           the commands: their options, and what they print
- `options`, `errors`, `output`  what they have in common: which system, exit codes, errors in one line, tables and JSON
- `target`, `connections`     the system's settings, and its clients; `vault`, `service_bus` two of these
- `consent`, `browser`        a person signs in, and the refresh token goes to Key Vault
- `probe`                     what Partner Center thinks of a sign-in
- `doctor`, `diagnosis`       what is wrong with a system: the order of the checks, and how one is made
- `reach_checks`, `azure_checks`, `partner_checks`  the checks themselves

It imports the core (`shared`); the core knows nothing of it, and it is not deployed.
"""
