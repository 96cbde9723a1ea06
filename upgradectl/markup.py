"""HTML and SVG put together so that no text can become markup by accident."""

import html
from collections.abc import Iterable, Mapping
from string import Template
from typing import Any


class Html(str):
    """Markup. Any other text is escaped where it is put into markup."""

    __slots__ = ()


def escaped(content: object) -> Html:
    return content if isinstance(content, Html) else Html(html.escape(str(content)))


def element(name: str, *content: object, **attributes: object) -> Html:
    """`class_` is class, `text_anchor` is text-anchor. An attribute that is None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(content)}</{name}>")


def joined(parts: Iterable[object]) -> Html:
    return Html("".join(map(escaped, parts)))


def filled(template: str, values: Mapping[str, Any]) -> Html:
    """`$name` in the template is the value of that name.

    Raises:
        KeyError: a name has no value.
    """
    return Html(Template(template).substitute({name: escaped(value) for name, value in values.items()}))
