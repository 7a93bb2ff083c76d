"""The console as an operator uses it, and what must never be seen in it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Locator, Page, Request, expect

GRAVE = {"serious", "critical"}
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation",
    (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""
# Loaded once: it is half a megabyte of script.
AXE = Axe()


@dataclass
class Watch:
    """What a page did wrong. `expected` are statuses whose refusal belongs to the test."""

    host: str
    expected: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Watch this page from now on."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        belongs = any(f"status of {status} " in message.text for status in self.expected)
        if message.type in ("error", "warning") and not belongs:
            self.wrong.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if request.url.startswith("data:"):
            return
        if urlsplit(request.url).netloc != self.host:
            self.wrong.append(f"a request to {request.url}")


async def decoding(page: Page, api: str) -> None:
    """Set Temporal's UI to have payloads decoded by the front door, as its user does in its dialog."""
    chosen = {
        "endpoint": f"{api}/codec",
        "includeCredentials": True,
        "overrideRemoteCodecConfiguration": True,
    }
    for name, value in chosen.items():
        said = f"localStorage.setItem({json.dumps(name)}, {json.dumps(json.dumps(value))})"
        await page.add_init_script(said)


@dataclass
class Console:
    """The console in one browser tab."""

    page: Page
    api: str
    token: str
    watch: Watch

    async def open(self, address: str = "") -> None:
        """Open the console at a view's address, such as `#/breakers`."""
        await self.page.goto(f"{self.api}/console{address}")

    async def sign_in(self, address: str = "") -> None:
        """Open the console and sign in."""
        await self.open(address)
        await self.page.get_by_label("Token").fill(self.token)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    async def go(self, name: str) -> None:
        """Go to a view by its link."""
        await self.page.get_by_role("navigation", name="Views").get_by_role("link", name=name).click()
        await expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def card(self, name: str) -> Locator:
        """A partner's or trip's card."""
        heading = self.page.get_by_role("heading", level=2, name=name)
        return self.page.get_by_role("listitem").filter(has=heading)

    def step(self, name: str) -> Locator:
        """A step's row on a trip's page."""
        table = self.page.get_by_role("table", name="Steps of the trip")
        return table.get_by_role("row").filter(has=self.page.get_by_role("rowheader", name=name))

    async def book(self, card: str = "tok_visa") -> str:
        """Book the example trip with its form; the trip's id. Its page is open then."""
        await self.go("Book a trip")
        await self.page.get_by_label("Card", exact=True).fill(card)
        await self.page.get_by_role("button", name="Book", exact=True).click()
        await self.page.wait_for_url("**/console#/trips/*")
        return self.page.url.rpartition("/")[2]

    async def is_now(self, status: str) -> None:
        """The open trip's page says this status, in time."""
        heading = self.page.get_by_role("heading", level=1)
        await expect(heading).to_contain_text(status)

    async def hurt(self, partner: str, how: str, calls: str = "all calls") -> None:
        """Break a partner with the lab's buttons."""
        await self.go("Lab")
        await self.card(partner).get_by_label("On").select_option(calls)
        await self.page.get_by_role("button", name=f"{how}: {partner}").click()
        await expect(self.card(partner)).to_contain_text("broken")

    async def mend(self, partner: str) -> None:
        """Mend a partner."""
        await self.go("Lab")
        await self.page.get_by_role("button", name=f"Mend {partner}").click()
        await expect(self.card(partner)).to_contain_text("healthy")

    async def answer(self, text: str, action: str) -> None:
        """Fill in the open dialog and go through with it."""
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_role("textbox").fill(text)
        await dialog.get_by_role("button", name=action).click()
        await expect(dialog).to_be_hidden()

    async def is_accessible(self) -> None:
        """axe finds nothing grave on the page as it stands."""
        found = (await AXE.run(self.page)).response["violations"]
        grave = [violation for violation in found if violation["impact"] in GRAVE]
        assert not grave, json.dumps(grave, indent=1)[:4000]

    async def picture(self, place: Path, name: str) -> None:
        """A picture of the window."""
        await self.page.screenshot(path=place / f"{name}.png")
