"""Runs one function of a function app as Azure Functions does, with the platform's own Python worker library.

    app         what host.json and function.json say (frozen dataclasses)
    settings    app settings, and %SETTING% in bindings
    messages    the worker's messages, without protobuf
    worker      Worker: loads functions and invokes them; SyncWorker: the same for tests without an event loop
    invocations one place that every invocation passes: its id, its time limit, its closing log line
    logs        which log lines leave the worker, and their form
    listeners   the listener that a trigger asks for
    schedule    when a timer is due (pure)
    timer       timer trigger: its data and its listener
    delivery    Service Bus trigger: its data
    connection  Service Bus trigger: its connection
    service_bus Service Bus trigger: its listener

`python -m local.functions_host --app FOLDER --function NAME` is the host. Each function runs in processes of its own,
as on the Flex Consumption plan: nothing passes in memory from one function to another.
"""
