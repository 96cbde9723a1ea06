"""`python -m upgradectl`."""

from upgradectl.app import app

if __name__ == "__main__":
    app(prog_name="upgradectl")
