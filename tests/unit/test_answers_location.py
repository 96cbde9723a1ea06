"""Where an accepted create call names the new upgrade."""

import pytest

from tests.unit.replies import HOST, UPGRADE, answer, created


@pytest.mark.parametrize(
    "location",
    [
        f"productUpgrades/{UPGRADE}",
        f"/productUpgrades/{UPGRADE}",
        f"/v1/productUpgrades/{UPGRADE}",
        f"productupgrades/{UPGRADE}",
        f"PRODUCTUPGRADES/{UPGRADE.upper()}",
        f"productUpgrades/{UPGRADE}/",
        f"productUpgrades/{UPGRADE}/status",
        f"productUpgrades/{UPGRADE}?a=b#c",
        f"https://{HOST}/v1/productUpgrades/{UPGRADE}",
        f"HTTPS://{HOST.upper()}/v1/ProductUpgrades/{UPGRADE}/status",
        f"//{HOST}/v1/productUpgrades/{UPGRADE}",
        f"  productUpgrades/{UPGRADE}  ",
    ],
)
def test_the_id_is_read_from_every_form_of_location(location: str) -> None:
    assert created(answer(202, location=location)) == UPGRADE


@pytest.mark.parametrize(
    "location",
    [
        "",
        "productUpgrades",
        "productUpgrades/",
        "productUpgrades/not-a-guid",
        f"productUpgrades/{UPGRADE}0",
        f"productUpgrades/0{UPGRADE}",
        f"productUpgrades/{{{UPGRADE}}}",
        f"productUpgrades/{UPGRADE[:-1]}٣",
        f"otherUpgrades/{UPGRADE}",
        f"notproductUpgrades/{UPGRADE}",
        f"productUpgrades/x/{UPGRADE}",
        UPGRADE,
        f"https://example.net/v1/productUpgrades/{UPGRADE}",
        f"https://{HOST}.example.net/v1/productUpgrades/{UPGRADE}",
        f"https://{HOST}@example.net/v1/productUpgrades/{UPGRADE}",
        f"https://example.net/?x={HOST}/productUpgrades/{UPGRADE}",
        f"?next=/productUpgrades/{UPGRADE}",
        f"#/productUpgrades/{UPGRADE}",
        f"https://[/productUpgrades/{UPGRADE}",
    ],
)
def test_a_location_that_names_no_upgrade_of_the_api_is_unusable(location: str) -> None:
    assert created(answer(202, location=location)) is None


@pytest.mark.parametrize("content", [None, b"<html>", {"id": UPGRADE}, {"status": "InProgress"}, b"\x00\xff"])
def test_an_accepted_call_may_have_any_body(content: object) -> None:
    assert created(answer(202, content, location=f"productUpgrades/{UPGRADE}")) == UPGRADE
    assert created(answer(202, content)) is None


@pytest.mark.parametrize("http_status", [200, 201, 204])
def test_every_2xx_is_an_accepted_call(http_status: int) -> None:
    assert created(answer(http_status, location=f"productUpgrades/{UPGRADE}")) == UPGRADE
