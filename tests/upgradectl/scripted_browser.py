"""A browser without a screen: `scripted_browser.py [NAME=VALUE...] URL` goes there and does what the page says.

The person in front of it does what the NAME=VALUE say (see `local.partner_center.authorization`). As BROWSER of the
environment it is what Python's webbrowser opens.
"""

import sys
from html.parser import HTMLParser

import requests


def visit(url: str, *person: str) -> requests.Response:
    """Where the sign-in ends: with a redirect, which is not followed, or with a form."""
    return requests.get("&".join((url, *person)), timeout=10, allow_redirects=False)


class Form(HTMLParser):
    """The one form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input":
            self.fields[attributes["name"]] = attributes["value"]


def main(url: str, *person: str) -> None:
    page = visit(url, *person)
    assert page.status_code == 200, page.text
    form = Form(page.text)
    # What real ones ask for besides, and a page elsewhere that knows the port but not the state.
    assert requests.get(f"{form.action}/favicon.ico", timeout=10).status_code == 404
    assert requests.get(form.action, params=form.fields, timeout=10).status_code == 404
    assert requests.post(form.action, {"code": "guessed", "state": "guessed"}, timeout=10).status_code == 404
    assert requests.post(form.action, form.fields, timeout=10).status_code == 200


if __name__ == "__main__":
    main(sys.argv[-1], *sys.argv[1:-1])
