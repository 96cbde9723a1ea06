"""A fake Partner Center: the three calls of product upgrades, and the token endpoint of its sign-in.

What it knows of the vendor's service follows the pages "Create a product upgrade entity", "Get product upgrade status",
"Get eligibility for product upgrade", "Partner Center REST headers", "error codes" and "API throttling guidance".

- `__main__` reads the command line, `world` puts the parts together; `api`, `control` and `authority` speak HTTP.
- `service` answers the three calls (`calls`). Before it stand `gateway` (outages, limits) and `tokens` (who may call,
  with `clients` and the errors of `aadsts`); behind it `upgrades`, and `memory` (answers by MS-RequestId).
- `scenario` is how one customer's calls go, `steps` how one call; `scenarios` is the catalogue, and `script` knows
  which step is next. `switches` concern every customer. `replies` are what is said, `wire` how it is sent.
- `ledger` is the truth about every call, for tests to compare with. All state is made of the events in `journal`.
"""
