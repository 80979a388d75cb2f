"""The page in a real browser."""

import os

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from webtest.http import StopableWSGIServer

from tools.browser import find
from tools.servers.errors import MissingDependency

# A browser sees no difference between databases; two are enough.
pytestmark = pytest.mark.parametrize(
    "database_settings", ["sqlite", "postgresql"], indirect=True, scope="package"
)

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars"),
)


@pytest.fixture(scope="module")
def browser():
    """The browser of the distribution."""
    try:
        binary, driver = find()
    except MissingDependency as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_window_size(1300, 1000)
    yield browser
    browser.quit()


@pytest.fixture
def address(site):
    """Where the application is served."""
    server = StopableWSGIServer.create(site.wsgi)
    yield server.application_url.rstrip("/")
    server.shutdown()


def all_of(browser, selector):
    return browser.find_elements(By.CSS_SELECTOR, selector)


def one(browser, selector):
    return WebDriverWait(browser, 20).until(lambda _: all_of(browser, selector))[0]


def follow(browser, element):
    """Click, and wait for the page that comes."""
    page = one(browser, "html")
    element.click()
    left(browser, page)


def left(browser, page):
    def is_left(_):
        try:
            page.is_enabled()
        except WebDriverException:
            return True
        return False

    WebDriverWait(browser, 20).until(is_left)


def total(browser):
    return int(one(browser, "#total strong").text.replace(",", ""))


def test_a_visitor_searches_narrows_edits_and_finds_the_change(browser, address, film):
    browser.get(address)
    # The film that is edited below may be visible already, or not yet.
    everything = total(browser)
    assert everything in (3201, 3202)

    search, page = one(browser, "#q"), one(browser, "html")
    search.send_keys("the", Keys.ENTER)
    left(browser, page)
    found = total(browser)
    assert 0 < found < everything

    link = one(browser, "#facet-genre a")
    count = int(link.find_element(By.CSS_SELECTOR, ".count").text.split()[0])
    follow(browser, link)
    assert total(browser) == count < found
    assert one(browser, "#facet-genre a[aria-current]")

    bar = one(browser, "[aria-labelledby=years] a[aria-label^='1990s']")
    films = int(bar.get_attribute("aria-label").split(":")[1].split()[0])
    follow(browser, bar)
    assert total(browser) == films
    years = [element.text for element in all_of(browser, ".card .by span:first-child")]
    assert years
    assert all(year.startswith("199") for year in years)

    search, page = one(browser, "#q"), one(browser, "html")
    browser.get(f"{address}/?q=okapi")
    follow(browser, one(browser, ".card a"))
    follow(browser, one(browser, "a.edit"))
    title, page = one(browser, "#title"), one(browser, "html")
    title.clear()
    title.send_keys("The Manatee Affair", Keys.ENTER)
    left(browser, page)
    assert one(browser, "h1").text == "The Manatee Affair"

    search, page = one(browser, "#q"), one(browser, "html")
    search.send_keys("manatee", Keys.ENTER)
    left(browser, page)
    assert [card.text for card in all_of(browser, ".card h3")] == ["The Manatee Affair"]
    assert browser.get_log("browser") == []


def test_choosing_an_order_shows_the_films_in_it(browser, address):
    browser.get(address)
    page = one(browser, "html")
    one(browser, "#sort").send_keys("Title")
    left(browser, page)
    titles = [element.text for element in all_of(browser, ".card h3")]
    assert titles == sorted(titles)


def test_text_of_users_is_not_run(browser, address, site, film):
    with site.database.begin() as store:
        row = store.find(site.Movie, id=film.id)
        row.title = "<img src=x onerror=\"document.title='taken'\"> gnu"
        store.save(row)
    browser.get(f"{address}/films/{film.id}")
    assert one(browser, "h1").text.startswith("<img src=x")
    assert browser.title != "taken"
    assert not all_of(browser, "img")


@pytest.mark.parametrize("path", ["/", "/?q=alien", "/films/5", "/films/5/edit"])
def test_nothing_is_wider_than_a_narrow_window(browser, address, path):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        browser.get(address + path)
        assert browser.execute_script("return document.body.scrollWidth") <= 360
        # The films come before the filters.
        assert not all_of(browser, "details.filters[open]")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
