"""The core of the app: upgrade requests in, true results out.

Read in this order:

- `models`, `errors`       what is talked about, and what can go wrong
- `messages`               a message's body -> an `UpgradeRequest`
- `upgrades`               claim, check, submit: what CreateUpgrade does with a request
- `tick`, `polling`        what PollUpgrade does with the rows that are due
- `outcomes`, `setbacks`   what each answer makes of a row; `results` the final row
- `giving_up`              what an operator makes of a row that does not end by itself
- `gate`, `evidence`       who may call now, and what the answers say about the service; `pace`, `backoff` how fast
- `ports`                  what the above need of the outside
- `partner_center`         the three calls; `answers`, `refusals` and `verdicts` understand what comes back
- `credentials`, `sign_in` the access token and its exchange; `key_vault` the secrets
- `upgrade_store`          Table Storage; `entities` its columns
- `transport`              HTTP with a total deadline
- `settings`, `wiring`     the only place that reads the environment and puts the above together

Imports point inward: function folders -> `wiring` -> adapters -> `models`, `errors`.
"""
