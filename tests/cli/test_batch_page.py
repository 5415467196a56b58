"""The page of a batch, opened from disk in a real browser."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from aligner.cli.batch.record import FAILED, MADE, WAITING, Record
from aligner.cli.batch.summary import write_summary
from aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.media import add_sound, read_audio
from run import ROOT

from .. import chromium

#: A file name and a prompt as people write them, and as they break pages.
AWKWARD, PROMPT = "50% of a #1 däy.wav", "a bell </script><b>rings</b>"


def of_media(name, **scores):
    return Record(name, MADE, ("v2a", "clip.mp4"), {"prompt": PROMPT, "seed": 7}, scores, seconds=1.5)


@pytest.fixture
def opened(tmp_path):
    """A browser with the page of two sounds, a video, a picture, a failure and what is still waiting."""
    if not chromium.find():
        pytest.skip(chromium.NOT_FOUND)
    results = tmp_path / "the results"
    (results / "day").mkdir(parents=True)
    (results / AWKWARD).write_bytes(EXAMPLE_SOUND.read_bytes())
    (results / "day" / "still.png").write_bytes(EXAMPLE_IMAGE.read_bytes())
    add_sound(EXAMPLE_VIDEO, results / "day" / "clip.mp4", *read_audio(EXAMPLE_SOUND))
    records = [
        of_media(AWKWARD, **{"audio ~ video": 0.25}),
        of_media("day/clip.mp4", **{"audio ~ video": 0.75}),
        of_media("day/still.png"),
        Record("bad.mp4", FAILED, ("a2v", "x.wav"), error="x.wav cannot be read <i>at all</i>."),
        Record("later.mp4", WAITING),
    ]
    write_summary(results, records)
    driver = chromium.started(tmp_path / "home")
    try:
        driver.get((results / "index.html").as_uri())
        yield driver
        driver.save_screenshot(ROOT / "out" / "screenshots" / "batch.png")
    finally:
        driver.quit()


def shown(driver):
    return [each.text for each in driver.find_elements(By.CSS_SELECTOR, "article h2")]


def test_results_play_and_are_found(opened):
    driver = opened
    assert shown(driver) == [AWKWARD, "day/clip.mp4", "day/still.png", "bad.mp4", "later.mp4"]
    # Everything that is shown loads, from disk and from nowhere else.
    loaded = """
        const players = [...document.querySelectorAll('video, audio')];
        players.forEach((player) => { player.preload = 'auto'; });
        document.querySelectorAll('img').forEach((picture) => { picture.loading = 'eager'; });
        return players.every((player) => player.readyState >= 1 && player.duration > 1)
            && [...document.images].every((picture) => picture.complete && picture.naturalWidth > 0);
    """
    WebDriverWait(driver, 30).until(lambda driver: driver.execute_script(loaded))
    addresses = driver.execute_script("return performance.getEntriesByType('resource').map(({ name }) => name)")
    assert all(address.startswith("file:") for address in addresses)
    assert len(driver.find_elements(By.CLASS_NAME, "spectrogram")) == 2
    # What people wrote is text, never markup.
    assert not driver.find_elements(By.CSS_SELECTOR, "article b, article i")
    assert "rings</b>" in driver.find_element(By.TAG_NAME, "main").text
    # Filters and order.
    Select(driver.find_element(By.ID, "order")).select_by_value("audio ~ video")

    assert shown(driver)[:2] == ["day/clip.mp4", AWKWARD]
    driver.find_element(By.ID, "words").send_keys("DAY")
    assert shown(driver) == ["day/clip.mp4", "day/still.png"]
    assert driver.find_element(By.ID, "count").text == "2 of 5"
    driver.find_element(By.ID, "words").clear()
    driver.find_element(By.ID, "words").send_keys(" ")
    Select(driver.find_element(By.ID, "status")).select_by_value("failed")
    assert shown(driver) == ["bad.mp4"]
    assert "x.wav cannot be read <i>at all</i>." in driver.find_element(By.TAG_NAME, "main").text
    Select(driver.find_element(By.ID, "status")).select_by_value("")
