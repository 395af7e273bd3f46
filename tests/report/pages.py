"""A page of the report in the browser, with the few things that tests do on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

_PATIENCE = 20
"""Seconds until a wait gives up; a busy machine is slow, so it says nothing about speed."""


class Shown:
    """A page opened from disk."""

    def __init__(self, chrome: Chrome, site: Path, address: str) -> None:
        self.chrome = chrome
        chrome.get_log("browser")  # what an earlier page said is not of this one
        chrome.get("about:blank")
        chrome.get(f"{site.resolve().as_uri()}/{address}")
        if address.startswith("samples/"):
            self.until("return document.getElementById('browser').dataset.ready !== undefined")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def until(self, script: str) -> Any:
        """Waits for a script to give something true."""
        return WebDriverWait(self.chrome, _PATIENCE, 0.05).until(lambda _: self.run(script))

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The visible text of elements that can be seen."""
        return [e.text for e in self.all(selector) if e.is_displayed()]

    def press(self, *keys: str) -> None:
        self.chrome.switch_to.active_element.send_keys(*keys)

    def type(self, selector: str, text: str) -> None:
        """Fills a field anew."""
        field = self.one(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def choose(self, name: str, text: str) -> None:
        """An option of a filter."""
        Select(self.one(f"[name='{name}']")).select_by_visible_text(text)

    @property
    def found(self) -> str:
        """How many samples the list says there are."""
        return self.one("#found").text

    @property
    def sample(self) -> str:
        """The open sample's id, or nothing."""
        return str(self.run("return (document.querySelector('.detail-head h2') || {}).textContent || ''"))

    def await_sample(self, name: str) -> None:
        WebDriverWait(self.chrome, _PATIENCE, 0.05).until(lambda _: self.sample == name, f"sample {name}")

    def await_found(self, text: str) -> None:
        WebDriverWait(self.chrome, _PATIENCE, 0.05).until(lambda _: self.found == text, f"found {text}")

    def complaints(self) -> list[str]:
        """What the console holds: errors of scripts, files that are missing, what the policy blocked."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]
