"""Chromium without a window."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from selenium import webdriver

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DRIVERS = ("chromedriver", "chromium-driver")
NOT_FOUND = (
    "No Chromium with its chromedriver here, so the page's tests are skipped. "
    "On Debian: apt install chromium chromium-driver."
)
#: No graphics card, no sandbox (which a container's root may not have), and no word to the internet.
FLAGS = (
    "--headless=new",
    "--window-size=1600,1000",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> tuple[str, str] | None:
    """A browser and its driver. None where one of them is missing."""
    browser, driver = (next(filter(None, map(shutil.which, names)), None) for names in (BROWSERS, DRIVERS))
    return (browser, driver) if browser and driver else None


def started(home: Path) -> webdriver.Chrome:
    """A browser that is there, see `find`. home: an empty folder for what it writes."""
    browser, driver = find()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={home / 'profile'}"):
        options.add_argument(flag)
    return webdriver.Chrome(
        options=options, service=webdriver.ChromeService(driver, env=os.environ | {"HOME": str(home)})
    )
