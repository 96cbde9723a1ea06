"""What is done with the system from outside: build the package, try a deployment. Never deployed."""
