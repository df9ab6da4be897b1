"""The page in a real browser: found, chosen, moved, linked to, in both themes, on a phone; nothing it shows can act."""

import io
import json

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from PIL import Image
from test_view import HOSTILE, model_of, numbered

from parw2v import write_view
from parw2v.view import make_map, render

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium")

FRAMES, FRAME_MS = 40, 33
"""Processor time of the page for a frame in which ten thousand words are moved and a processor draws them all."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def model():
    words = [*HOSTILE, *(f"{kind}{i}" for i in range(90) for kind in ("apple", "pear", "Plum"))]
    return model_of(words, dimension=30)


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    return write_view(model, tmp_path_factory.mktemp("page") / "map of words.html", method="pca", name="m.npz").as_uri()


@pytest.fixture
def page(browser, address):
    page = browser.page()
    page.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    page.open(address)
    yield page
    assert page.complaints == []
    assert page.requests == []
    assert page.value("typeof hurt + document.scripts.length") == "undefined2"
    page.close()


def pixels(page):
    with Image.open(io.BytesIO(page.picture())) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def choose(page, word):
    """As a person does: the key, the word, Enter."""
    page.key("/")
    page.type(word)
    page.key("Enter")
    page.frames(2)


def text(page, selector):
    return page.value(f"document.querySelector({selector!r}).textContent")


def shown(page, selector):
    return page.value(f"document.querySelector({selector!r}).getClientRects().length > 0")


def near(page):
    """[(word, cosine as written)]"""
    return page.value(
        "[...document.querySelectorAll('#near button')]"
        ".map((b) => [b.querySelector('bdi').textContent, b.querySelector('small').textContent])"
    )


def place_of(model, page, word):
    """Where a word is, in CSS pixels, while the whole map is shown."""
    xy = make_map(model, method="pca").xy / 65535
    right, width, height = page.value(
        "(() => { const r = document.querySelector('#panel').getBoundingClientRect();"
        "return [r.right, innerWidth, innerHeight]; })()"
    )
    span = np.ptp(xy, axis=0)
    scale = min((width - right - 48) / span[0], (height - 48) / span[1])
    middle = np.array([(right + width) / 2, height / 2])
    return middle + (xy[model.vocab.index[word]] - (xy.min(axis=0) + xy.max(axis=0)) / 2) * scale


def test_it_says_what_it_shows(page, model):
    assert text(page, "#about") == f"m.npz · {len(model)} words · PCA"
    assert page.value("document.title") == "m.npz: map of words"
    assert not shown(page, "#chosen")
    image = pixels(page)[:, 340:]
    assert (np.ptp(image, axis=2) > 40).mean() > 0.01, "points and labels in colour"


def test_a_word_is_found_and_its_neighbours_are_the_models(page, model):
    page.key("/")
    assert page.value("document.activeElement.id") == "search"
    page.type("appl")
    options = "[...document.querySelectorAll('#found [role=option] bdi')].map((o) => o.textContent)"
    assert page.value(options) == [f"apple{i}" for i in range(50)]
    assert text(page, "#status") == "90 words, the first 50 shown"
    assert page.value("document.querySelector('#search').getAttribute('aria-activedescendant')") == "found-0"
    page.key("ArrowDown")
    page.key("ArrowDown")
    page.key("ArrowUp")
    page.key("Enter")
    page.frames(2)
    assert text(page, "#word") == "apple1"
    assert text(page, "#status").startswith("apple1. Nearest: ")
    assert page.value("location.hash") == "#apple1"
    assert not shown(page, "#found")
    assert (
        text(page, "#facts")
        == f"{10 * (len(model) - model.vocab.index['apple1']):,} times in the text, rank {model.vocab.index['apple1'] + 1}"
    )
    answers = near(page)
    assert len(answers) == 12
    written = [float(cosine) for _, cosine in answers]
    assert written == sorted(written, reverse=True)
    for (word, cosine), (_, exact) in zip(answers, model.most_similar("apple1", 12), strict=True):
        assert float(cosine) == pytest.approx(exact, abs=0.006)
        assert float(cosine) == pytest.approx(model.similarity("apple1", word), abs=0.006)


def test_exact_matches_come_first_then_beginnings_then_parts_in_any_case(page):
    page.key("/")
    page.type("LUM1")
    options = "[...document.querySelectorAll('#found [role=option] bdi')].map((o) => o.textContent)"
    assert page.value(options)[:2] == ["Plum1", "Plum10"]
    page.key("Escape")
    assert page.value("document.querySelector('#search').value") == ""
    page.type("pear1")
    assert page.value(options)[:3] == ["pear1", "pear10", "pear11"]
    page.key("Escape")
    page.type("nowhere")
    assert text(page, "#found") == "No such word on the map"
    assert text(page, "#status") == "0 words"
    page.key("Enter")
    assert not shown(page, "#chosen")


def test_a_neighbour_is_a_button_and_escape_clears(page):
    choose(page, "pear7")
    second = near(page)[1][0]
    page.click_on("#near li:nth-child(2) button")
    page.frames(2)
    assert text(page, "#word") == second
    page.key("Escape")
    assert not shown(page, "#chosen")
    assert shown(page, "#legend")
    assert page.value("location.hash") == ""


def test_a_click_on_a_point_chooses_the_word(page, model):
    xy = make_map(model, method="pca").xy.astype(float)
    apart = np.linalg.norm(xy[:, None] - xy, axis=2) + np.diag(np.full(len(xy), np.inf))
    alone = int(apart.min(axis=1).argmax())  # the word with the most room
    x, y = place_of(model, page, model.vocab.words[alone])
    page.click(x, y)
    page.frames(1)
    assert shown(page, "#chosen")
    assert text(page, "#facts").endswith(f"rank {alone + 1}")
    page.click(1270, 10)  # nothing is there
    assert not shown(page, "#chosen")


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_words_are_inert(page, model, word):
    """Each can be linked to, chosen and read; the fixture looks for errors, requests and programs."""
    if word == "\ud800":
        pytest.skip("half a surrogate pair has no address")
    page.value(f"void (location.hash = encodeURIComponent({json.dumps(word)}))")
    page.until("!document.querySelector('#chosen').hidden")
    page.frames(2)
    assert text(page, "#facts").endswith(f"rank {model.vocab.index[word] + 1}")
    assert len(near(page)) == 12
    heading = text(page, "#word")
    if word.isprintable() and "\u0301" not in word:
        assert heading.replace("□", "") in (word, word.replace("\u202e", ""))
    for sign in "\x1b\u202e\u2028\n\t":
        assert sign not in heading
    assert page.value("document.querySelectorAll('img, b, #panel script').length") == 0
    page.click_on("#clear")
    assert not shown(page, "#chosen")


def test_links(page, address):
    page.open(f"{address}#apple3")
    assert text(page, "#word") == "apple3"
    choose(page, "pear4")
    page.value("history.back()")
    page.until("document.querySelector('#word').textContent === 'apple3'")
    page.value("void (location.hash = '#nowhere')")
    page.until("document.querySelector('#chosen').hidden")
    assert text(page, "#status") == "nowhere is not on the map"
    page.value("void (location.hash = '#%E0%A4%A')")
    page.frames(2)


def test_the_map_moves_and_grows(page):
    """By wheel, drag, keys, buttons: the picture changes each time, and 0 brings the first one back."""
    start = pixels(page)[20:780, 400:1200]  # without the ring around a map that has the focus

    def changed():
        page.frames(3)
        return (abs(pixels(page)[20:780, 400:1200] - start).max(axis=2) > 30).mean() > 0.002

    def back():
        page.mouse("Moved", 1250, 20)
        page.key("0")
        return not changed()

    assert not changed()
    page.mouse("Wheel", 800, 400, deltaX=0, deltaY=-400)
    assert changed()
    assert back()
    for key in ("+", "-", "ArrowLeft", "ArrowUp"):
        page.key(key)
        assert changed(), key
        assert back()
    page.click_on("#in")
    assert changed()
    page.click_on("#all")
    page.mouse("Moved", 1250, 20)
    assert not changed()
    page.mouse("Pressed", 800, 400, button="left", clickCount=1)
    page.mouse("Moved", 860, 430, button="left", buttons=1)
    page.mouse("Moved", 900, 450, button="left", buttons=1)
    page.mouse("Released", 900, 450, button="left")
    assert changed()
    assert not shown(page, "#chosen"), "a drag is no click"
    assert back()
    touches = [{"x": 700, "y": 400, "id": 0}, {"x": 900, "y": 400, "id": 1}]
    page.do("Input.dispatchTouchEvent", type="touchStart", touchPoints=touches)
    touches[0]["x"], touches[1]["x"] = 600, 1000
    page.do("Input.dispatchTouchEvent", type="touchMove", touchPoints=touches)
    page.do("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert changed()
    assert back()


def test_themes(page, address):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.value(ground)
    page.click_on("#theme")
    dark = page.value(ground)
    assert dark != light
    assert page.value("document.querySelector('#theme').getAttribute('aria-pressed')") == "true"
    assert pixels(page)[:, 400:].mean() < 60, "the canvas too"
    page.open(address)
    assert page.value(ground) == dark, "it is remembered"
    page.value("localStorage.clear()")
    page.open(address)
    assert page.value(ground) == light
    page.prefer(prefers_color_scheme="dark")
    page.frames(2)
    assert page.value(ground) == dark
    assert pixels(page)[:, 400:].mean() < 60


def test_a_colour_can_be_looked_at_alone(page):
    before = (np.ptp(pixels(page)[:, 400:1200], axis=2) > 60).mean()
    page.click_on("#groups li:nth-child(3) button")
    page.frames(2)
    assert page.value("document.querySelector('#groups [aria-pressed=true]') !== null")
    assert (np.ptp(pixels(page)[:, 400:1200], axis=2) > 60).mean() < 0.6 * before
    page.click_on("#groups li:nth-child(3) button")
    assert page.value("document.querySelector('#groups [aria-pressed=true]') === null")


def test_on_a_phone(page, address):
    page.size(390, 760, 3, mobile=True)
    page.open(address)
    assert page.value("document.documentElement.scrollWidth") <= 390
    assert page.value("document.querySelector('#panel').getBoundingClientRect().top") > 400
    page.click_on("#search")
    page.type("apple5")
    page.key("Enter")
    page.frames(2)
    assert text(page, "#word") == "apple5"
    assert page.value("document.querySelector('#map').width") == 3 * 390


def test_every_control_has_a_name(page):
    choose(page, "apple5")
    tree = page.do("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if node.get("role", {}).get("value") in ("button", "combobox", "application")]
    assert len(controls) >= 18
    assert [node for node in controls if not node.get("name", {}).get("value")] == []


def test_ten_thousand_words_move_smoothly(browser, tmp_path):
    words = numbered(10_000)
    model = model_of(words, dimension=100)
    path = tmp_path / "large.html"
    path.write_text(render(make_map(model, method="pca"), "", len(words)))
    assert path.stat().st_size < 1.8e6
    page = browser.page()
    page.prefer(prefers_reduced_motion="reduce")
    page.open(path.as_uri())
    page.do("Performance.disable")
    page.do("Performance.setTimeDomain", timeDomain="threadTicks")  # processor time: others may be busy
    page.do("Performance.enable")
    page.frames(5)
    before = page.metrics()["TaskDuration"]
    page.key("ArrowLeft", up=False)  # held down, it moves a little each frame
    page.frames(FRAMES)
    page.key("ArrowLeft", down=False)
    spent = 1000 * (page.metrics()["TaskDuration"] - before) / FRAMES
    assert page.complaints == []
    page.close()
    assert 0.5 < spent < FRAME_MS
