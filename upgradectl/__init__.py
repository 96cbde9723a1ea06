"""The command line of producers, operators and administrators.

- `app`, `commands`           the commands: their options, and what they print
- `options`, `errors`, `output`  what they have in common: which system, exit codes, errors in one line, tables and JSON
- `listing`, `figures`, `phrases`, `instants`, `interrupts`  tables that stream, numbers, words, instants, Ctrl-C
- `target`, `connections`     the system's settings, and its clients: `vault`, `tokens`, `service_bus`, `store`

Ask for upgrades
- `requests_file`, `given_requests`  requests from a file or the command line, held against the contract
- `submit`                    which of them are sent, and what is known of the others
- `eligibility`, `eligibility_record`  what Partner Center says of customers before anything is asked for

Look
- `overview`, `totals`, `customers`, `standing_report`, `queue_depth`  what `status` tells
- `watching`, `live_view`     what `watch` reads, and shows
- `selection`, `export`, `files`  which results, and CSV and JSON of them; a file as a whole or not at all
- `report`, `report_sections`, `charts`, `markup`, `tally`, `durations`  the HTML report, and what it counts

Repair and stop
- `dead_letter_queue`, `dead_letters`  dead letters, and what each is to us
- `dead_letter_resubmit`, `request_id_in_body`, `dead_letter_discard`  sending them again, or away
- `choosing`, `retrying`      which upgrades are asked for again, under which request id
- `cancelling`, `cancel_report`, `stuck`  what can be withdrawn, and what has to be given up
- `gate_report`               a change of the gate

Set up
- `consent`, `browser`, `probe`  a person signs in, and the refresh token goes to Key Vault
- `doctor`, `diagnosis`, `reach_checks`, `azure_checks`, `partner_checks`  what is wrong with a system

It imports the core (`shared`); the core knows nothing of it, and it is not deployed.
"""
