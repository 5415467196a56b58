"""ComfyUI's page in a real browser, headless, operated as an artist operates it."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from selenium.common.exceptions import JavascriptException

from .. import chromium
from .client import Prompt

SCRIPT = Path(__file__).with_name("page.js")
START_TIMEOUT = 180  # seconds; about 20 on two cores that do something else besides
TIMEOUT = 60
SETTLING = 6
#: The window and the final width of pictures of graphs, in pixels. Menus cover the edges of the page.
LARGE_WINDOW, PICTURE_WIDTH = (2400, 1700), 1400
MENUS = {"left": 120, "top": 160, "right": 60, "bottom": 120}
CONTENT = "[data-testid=template-workflows-content]"


class Page:
    """The page of a running server; use it as a context manager.

    home: an empty folder for what the browser writes.
    """

    def __init__(self, address: str, home: Path) -> None:
        self._address, self._home = address, home

    def __enter__(self) -> Page:
        self._driver = chromium.started(self._home)
        try:
            self._driver.set_script_timeout(START_TIMEOUT)
            self._driver.get(f"http://{self._address}")
            # The graph comes last.
            self._wait("its start", lambda: self._ask("return !!window.app?.graph?.nodes?.length"), START_TIMEOUT)
            self._ask(SCRIPT.read_text(encoding="utf-8"))
            self._dismiss_complaints_of_the_first_graph()
        except BaseException:
            self._driver.quit()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._driver.quit()

    def open_template(self, pack: str, name: str, node_ids: list[int]) -> None:
        """Open the templates, our category, and click a card once its picture is there."""
        self.dismiss_complaints()  # of the graph before
        self._ask("app.extensionManager.command.execute('Comfy.BrowseTemplates')")
        category = f"""[...document.querySelectorAll('[role=dialog] *, {CONTENT} *')]
                       .find(e => !e.children.length && e.textContent.trim() === '{pack}')"""
        card = f"""document.querySelector('[data-testid="template-workflow-{name}"]')"""
        # While the dialog loads it may forget which category was chosen. Cards and pictures come into being when they
        # come into view.
        last = "[...document.querySelectorAll('[data-testid^=template-workflow-]')].at(-1)"
        thumbnail = f"""if (!{card}) {{ {category}?.click(); {last}?.scrollIntoView(); }}
                        {card}?.scrollIntoView();
                        return {card}?.querySelector('img')?.naturalWidth > 0"""
        self._wait("a thumbnail", lambda: self._ask(thumbnail))
        self._click_in_page("the card", card)
        self._wait("the graph", lambda: sorted(self._call("ids")) == sorted(node_ids))
        self._wait("the dialog's end", lambda: not self._ask(f"return !!document.querySelector('{CONTENT}')"))
        self._show_all_nodes()

    def complaints(self) -> list[str]:
        """The texts of dialogs and error messages, for example about missing nodes and models."""
        return self._ask("""return [...document.querySelectorAll(
            '[role=dialog], [data-testid=error-overlay], .p-toast-message-error')].map(e => e.innerText)""")

    def wait_for_complaint(self, words: str) -> None:
        """Wait until the page says something about what a graph lacks. Newer pages say it in a panel."""
        self._ask("""[...document.querySelectorAll('[data-testid=error-overlay] button')]
                     .find(e => e.innerText.includes('View details'))?.click()""")
        panel = "document.querySelector('[data-testid=properties-panel]')?.innerText ?? ''"
        self._wait(f"'{words}'", lambda: words in "\n".join([*self.complaints(), self._ask(f"return {panel}")]))

    def dismiss_complaints(self) -> None:
        """Close all dialogs and error messages."""
        close = "[data-testid=error-overlay-dismiss], [role=dialog] .p-dialog-close-button, .p-toast-close-button"
        closed = f"document.querySelectorAll('{close}').forEach(button => button.click()); return true"
        self._wait("no complaint", lambda: self._ask(closed) and not self.complaints())

    def missing_nodes(self) -> list[str]:
        return self._call("missing")

    def overlapping_nodes(self) -> list[list[str]]:
        return self._call("overlapping")

    def hidden_links(self) -> list[list[str]]:
        """Links that run behind nodes: the titles of the nodes at both ends, and of the one in front."""
        return self._call("hidden")

    def zoom(self) -> float:
        return self._call("zoom")

    def show_in(self, width: int, height: int, graph: dict[str, Any]) -> None:
        """Open a graph in a page of a size in pixels, and wait until the view rests."""
        outer, inner = self._driver.get_window_size(), self._ask("return [innerWidth, innerHeight]")
        self._driver.set_window_size(width + outer["width"] - inner[0], height + outer["height"] - inner[1])
        self._wait("its new size", lambda: self._ask("return [innerWidth, innerHeight]") == [width, height])
        # The canvas follows the window later, and the page may still move the view to where an earlier graph fits.
        self._wait("a canvas of its new size", lambda: self._call("isCanvasDrawnInItsSize"))
        self._wait("a view at rest", self._rests)
        self.open_graph(graph)
        self._wait("a view at rest", self._rests)

    def _rests(self) -> bool:
        before = self.zoom()
        time.sleep(0.7)
        return self.zoom() == before

    def run(self, timeout: float = 600) -> dict[str, Any]:
        """Press Run and wait for the end. Returns the server's message about it: type, prompt_id and more."""
        before = len(self._ended())
        self.start()
        self._wait("the prompt's end", lambda: len(self._ended()) > before, timeout)
        return self._ended()[-1]

    def start(self) -> None:
        """Press Run."""
        # In one version the element is the button, in the other it contains the button.
        self._ask("""const run = document.querySelector('[data-testid=queue-button]');
                     (run.querySelector('button') ?? run).click()""")

    def wait_for_words(self, words: str) -> None:
        """Wait until the page shows words anywhere, without a click."""
        self._wait(f"'{words}'", lambda: self._ask(f"return document.body.innerText.includes({words!r})"))

    def previews(self, seconds: float) -> set[str]:
        """The addresses of the different pictures that nodes show within some time from the first one."""

        def shown() -> list[str]:
            return self._ask("return app.graph.nodes.flatMap(({ imgs }) => (imgs ?? []).map(({ src }) => src))")

        self._wait("a preview", lambda: bool(shown()))
        self._show_all_nodes()
        seen, deadline = set(), time.monotonic() + seconds
        while time.monotonic() < deadline:
            seen.update(shown())
        return seen

    def shown_by(self, node_id: int) -> list[dict[str, Any]]:
        """The players and pictures of a node. Waits until they are loaded."""

        def loaded() -> bool:
            shown = self._call("shown", node_id)
            return bool(shown) and all(each["ready"] or each.get("error") for each in shown)

        self._wait(f"the result in node {node_id}", loaded)
        return self._call("shown", node_id)

    def prompt(self) -> Prompt:
        """The prompt that Run would queue, without titles: the server ignores them."""
        return {
            key: {"class_type": node["class_type"], "inputs": node["inputs"]}
            for key, node in self._call("prompt").items()
        }

    def fill(self, types: list[str]) -> list[str]:
        """Replace the graph by one node of every type, with other values than the default ones, all wired.

        Returns the inputs for which no other node has an output.
        """
        return self._call("fill", types)

    def hasten(self, values: dict[str, Any]) -> None:
        """Set the widgets of these names, also those of search settings that no node of the graph has."""
        self._call("hasten", values)

    def open_graph(self, graph: dict[str, Any]) -> None:
        """Open a graph as a workflow file holds it."""
        self._call("openGraph", graph)

    def add_subgraph(
        self, name: str, giver: str | None, file: str | None, taken: str | None, result: str, steps: int
    ) -> list[str]:
        """An empty graph with a subgraph of the node library, its input from a core node, and its result shown.

        Returns the names of its inputs as they are on screen. giver: the type of the core node, which loads the
        file.
        """
        return self._call("addSubgraph", name, giver, file, taken, result, steps)

    def open_prompt(self, prompt: Prompt) -> None:
        """Open a prompt in the API's format as a graph."""
        self._call("openPrompt", prompt)

    def reopen(self) -> None:
        """Save the graph and open it again."""
        self._call("reopen")

    def screenshot(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._driver.save_screenshot(str(file))

    def picture_of_graph(self) -> Image.Image:
        """The graph without its notes and without the menus of the page."""
        size = self._driver.get_window_size()
        self._driver.set_window_size(*LARGE_WINDOW)
        time.sleep(1)  # the canvas follows the window
        box = self._call("frame", MENUS)
        with Image.open(BytesIO(self._driver.get_screenshot_as_png())) as shot:
            picture = shot.convert("RGB").crop([round(edge) for edge in box])
        self._driver.set_window_size(size["width"], size["height"])
        self._show_all_nodes()
        return picture.resize((PICTURE_WIDTH, round(picture.height * PICTURE_WIDTH / picture.width)))

    def _dismiss_complaints_of_the_first_graph(self) -> None:
        """Newer pages complain after a while that the models of their own first graph are missing."""
        deadline = time.monotonic() + SETTLING
        while time.monotonic() < deadline:
            self._ask("document.querySelector('[data-testid=error-overlay-dismiss]')?.click()")
            time.sleep(0.5)

    def _show_all_nodes(self) -> None:
        """The page draws only visible nodes, and loads only their players."""
        self._ask("app.extensionManager.command.execute('Comfy.Canvas.FitView')")

    def _ended(self) -> list[dict[str, Any]]:
        return self._ask("return seeingHearingTests.ended")

    def _call(self, function: str, *arguments: Any) -> Any:
        """Call a function of page.js and wait for its result."""
        answer = self._driver.execute_async_script(
            """const [name, given, done] = arguments;
               Promise.resolve().then(() => seeingHearingTests[name](...given))
                 .then(value => done({value}), error => done({error: String(error?.stack ?? error)}))""",
            function,
            arguments,
        )
        if "error" in answer:
            raise JavascriptException(f"{function}: {answer['error']}")
        return answer.get("value")

    def _ask(self, script: str) -> Any:
        return self._driver.execute_script(script)

    def _click_in_page(self, what: str, element: str) -> None:
        """Wait for the element of a JavaScript expression and click it."""
        self._wait(what, lambda: self._ask(f"const found = {element}; found?.click(); return !!found"))

    def _wait(self, what: str, condition: Callable[[], bool], timeout: float = TIMEOUT) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"The page did not show {what} within {timeout:g} s. It says: {self.complaints()}")
            time.sleep(0.2)
