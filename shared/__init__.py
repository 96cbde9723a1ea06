"""The core of the app: upgrade requests in, true results out.

Read in this order:

- `models`, `errors`    what is talked about, and what can go wrong
- `messages`            a message's body -> an `UpgradeRequest`
- `upgrades`            claim, check, submit: what CreateUpgrade does with a request
- `tick`, `polling`     what PollUpgrade does with the rows that are due
- `outcomes`            what each answer makes of a row, its result and the gate
- `gate`, `backoff`     who may call now, and when to try again
- `partner_center`      the three calls; `answers` and `refusals` understand what comes back
- `credentials`         Key Vault secrets -> access token
- `upgrade_store`       Table Storage
- `transport`           one HTTP call with a total deadline
- `settings`, `wiring`  the only place that reads the environment and puts the above together

Imports point inward: function folders -> `wiring` -> adapters -> `models`, `errors`.
"""
