"""What needs a browser is collected only where there is one: CHROMIUM names it, else `chromium` is looked for."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
collect_ignore_glob = [] if CHROMIUM and find_spec("playwright") else ["test_*.py"]

if not collect_ignore_glob:
    from playwright.sync_api import Browser, sync_playwright

    @pytest.fixture(scope="session")
    def chromium() -> Iterator[Browser]:
        """Headless, and without its sandbox: it opens nothing but our own files, and root could not use one."""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            yield browser
            browser.close()
