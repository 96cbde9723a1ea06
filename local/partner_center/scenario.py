"""How one customer's calls go: a scenario, as data.

In JSON `{"about": "...", "create": [step, ...], "status": [...], "eligibility": [...], "existing": ..., "course":
...}`, any of which may be left out; for steps see `steps`. `existing` (`in progress`, `completed`, `failed`) is an
upgrade that is there before the first call. A course is `{"polls": 2, "end": "failed", "line_items": [item, ...],
"error": {"code": 900120, "description": "..."}}`, an item `{"status": "completed"}` or `{"status": "failed", "code":
900107, "description": "..."}`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from local.partner_center.steps import ScenarioError, Step, step_from

type End = Literal["completed", "failed"]
type Existing = Literal["in progress", "completed", "failed"]
type ErrorDetails = Mapping[str, object]


@dataclass(frozen=True)
class LineItem:
    """`status` as it will be in the end; `error` is sent as it stands."""

    status: str
    error: ErrorDetails | None = None


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an upgrade goes: its end shows at the `polls`-th status call (None: never)."""

    polls: int | None = 2
    end: End = "completed"
    line_items: tuple[LineItem, ...] = (LineItem("completed"),)
    error: ErrorDetails | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Each call takes the next step of its kind; after the last one calls are answered normally."""

    about: str = ""
    create: tuple[Step, ...] = ()
    status: tuple[Step, ...] = ()
    eligibility: tuple[Step, ...] = ()
    existing: Existing | None = None
    course: Course = Course()

    @property
    def existing_course(self) -> Course:
        """The course of the upgrade that was there before the first call."""
        if self.existing == "failed":
            return replace(self.course, polls=0, end="failed", line_items=(LineItem("failed"),))
        return replace(self.course, polls=0) if self.existing == "completed" else self.course


def scenario_from(document: Mapping[str, Any]) -> Scenario:
    """The scenario that a JSON object describes.

    Raises:
        ScenarioError: it describes none.
    """
    fields = dict(document)
    for kind in ("create", "status", "eligibility"):
        fields[kind] = tuple(step_from(step, kind) for step in fields.get(kind, ()))
    fields["course"] = course_from(fields.get("course", {}))
    try:
        scenario = Scenario(**fields)
    except TypeError as error:
        raise ScenarioError(str(error)) from error
    if scenario.existing not in (None, "in progress", "completed", "failed"):
        raise ScenarioError(f"{scenario.existing!r} is no state of an existing upgrade")
    return scenario


def course_from(document: Mapping[str, Any]) -> Course:
    fields = dict(document)
    if "line_items" in fields:
        fields["line_items"] = tuple(_line_item_from(item) for item in fields["line_items"])
    try:
        course = Course(**fields)
    except TypeError as error:
        raise ScenarioError(str(error)) from error
    if course.end not in ("completed", "failed"):
        raise ScenarioError(f"{course.end!r} is no end of an upgrade")
    return course


def course_document(course: Course) -> dict[str, Any]:
    """The JSON form that `course_from` reads."""
    items = [{"status": item.status, **(item.error or {})} for item in course.line_items]
    return asdict(course) | {"line_items": items}


def _line_item_from(document: Mapping[str, Any]) -> LineItem:
    error = {name: value for name, value in document.items() if name != "status"}
    return LineItem(document["status"], error or None)
