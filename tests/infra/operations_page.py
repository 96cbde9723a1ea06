"""docs/operations.md as what alerts link to: its sections, by the anchors that they have on a page."""

import re
from collections.abc import Mapping

from tests.infra.combinations import INFRA

PAGE = INFRA.parent / "docs" / "operations.md"


def chapters() -> Mapping[str, Mapping[str, str]]:
    """Each chapter's sections: their texts by anchor."""
    found = {}
    for chapter in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, *sections = re.split(r"^### ", chapter, flags=re.MULTILINE)
        found[title.partition("\n")[0]] = {anchor(text.partition("\n")[0]): text for text in sections}
    return found


def anchor(heading: str) -> str:
    """Follows "Section links" (GitHub's documentation)."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
