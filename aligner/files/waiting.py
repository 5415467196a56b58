"""Waiting for what may never come, such as an answer from the network, so that the wait can be ended at any time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

#: Seconds between two looks at whether somebody wants to end the wait.
EVERY = 0.25

Result = TypeVar("Result")


def attended(work: Callable[[], Result], on_wait: Callable[[], None], seconds: float = math.inf) -> Result:
    """work(), in a thread of its own, while on_wait is called several times a second.

    An exception of on_wait ends the wait. The thread is then left alone: nothing can stop it, and its result is
    dropped, so that `work` must change nothing outside. Raises TimeoutError after so many seconds, and what `work`
    raises.
    """
    answer: Future[Result] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # it is raised where the answer is taken
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    until = time.monotonic() + seconds
    while not wait([answer], EVERY).done:
        on_wait()
        if time.monotonic() > until:
            raise TimeoutError(f"no answer within {seconds:g} s")
    return answer.result()
