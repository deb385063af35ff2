"""The command, and its page in a browser."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="needs the extra report")
pytest.importorskip("jinja2", reason="needs the extra report")

GENERATED = Path(__file__).parents[1] / "shared_engine" / "report" / "generated_runs.py"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """Two losses with two seeds each, on images that are there."""
    spec = importlib.util.spec_from_file_location("generated_runs", GENERATED)
    assert spec is not None
    assert spec.loader is not None
    generated = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generated)
    folder = tmp_path_factory.mktemp("sweep")
    Image.new("RGB", (32, 24), (90, 120, 40)).save(folder / "pristine.png")
    rows = generated.stimuli()
    for row in rows:
        shutil.copy(folder / "pristine.png", folder / row["id"])
    lines = ["path,target,reference", *(f"{row['id']},{row['target']},pristine.png" for row in rows)]
    (folder / "manifest.csv").write_text("\n".join(lines))
    settings = {}
    for loss, noise in (("mse", 1.2), ("spearman", 0.3)):
        for seed in (0, 1):
            settings[f"{loss}{seed}"] = {"loss": loss, "seed": seed}
            run = folder / "runs" / f"{loss}{seed}"
            generated.write_run(run, noise=noise, seed=seed, loss=loss, manifest=str(folder / "manifest.csv"))
    generated.write_index(folder, "Which loss?", settings)
    return folder


@pytest.fixture(scope="module")
def page(sweep) -> Path:
    from click.testing import CliRunner

    from rankqa_cli.main import cli

    result = CliRunner().invoke(cli, ["report", str(sweep)])
    assert result.exit_code == 0, result.output
    assert "loss, image: " in result.stdout
    return sweep / "report.html"


def test_a_sweep_becomes_a_page_with_pictures(page):
    text = page.read_text()
    assert "<h1>Which loss?</h1>" in text
    assert text.count('<img src="data:image/jpeg') >= 4


def test_clouds_are_drawn(clouds):
    from rankqa_cli.report import draw_stimulus

    picture = draw_stimulus("cloud", clouds / "0_0.ply", 96)
    assert picture is not None
    assert picture.size == (96, 96)
    assert len(picture.getcolors(100_000)) > 50
    assert draw_stimulus("features", clouds / "0_0.ply", 96) is None


def test_bad_input_ends_in_one_line(fails, sweep, tmp_path):
    assert "no folder" in fails(1, "report", tmp_path / "none")
    assert "no run folder in" in fails(1, "report", tmp_path)
    assert "did you mean 'loss'?" in fails(2, "report", sweep, "--axis", "los", "--out", tmp_path / "page.html")
    run = next((sweep / "runs").glob("*/config.json")).parent
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "predictions.csv").unlink()
    assert "has no predictions.csv" in fails(1, "report", tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    assert "no finished run with a test part" in fails(1, "report", tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text('{"status": "fini')
    assert "damaged" in fails(1, "report", tmp_path / "run")


@pytest.fixture
def browser():
    """Chromium of the system by its own driver; nothing is fetched."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with chromedriver on this machine: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = selenium.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.mark.slow
def test_the_page_works_in_a_browser_and_asks_nobody(browser, page):
    browser.get(page.as_uri())

    def column(number: int) -> list[float]:
        script = (
            "return [...document.querySelectorAll('#table tbody tr')].map(r => r.cells[arguments[0]].dataset.value)"
        )
        return [float(value) for value in browser.execute_script(script, number)]

    headers = browser.find_elements("css selector", "#table thead th")
    place = [header.text.partition(" ")[0] for header in headers].index("SROCC")
    # By keyboard: the header is a button.
    button = headers[place].find_element("tag name", "button")
    button.send_keys("\ue007")
    assert headers[place].get_attribute("aria-sort") == "descending"
    values = column(place)
    assert values == sorted(values, reverse=True)
    assert len(values) == 4
    button.send_keys(" ")
    assert headers[place].get_attribute("aria-sort") == "ascending"
    assert column(place) == sorted(values)
    assert [h.get_attribute("aria-sort") for h in headers].count("ascending") == 1
    assert "Sorted by SROCC, ascending" in browser.find_element("id", "status").text

    series = browser.find_element("css selector", "#curves-0 .series button")
    part = f"#curves-0 svg [data-series='{series.get_attribute('data-shows')}']"
    lines = browser.find_elements("css selector", part)
    assert lines
    for pressed, display in (("false", "none"), ("true", "inline")):
        browser.execute_script("arguments[0].click()", series)
        assert series.get_attribute("aria-pressed") == pressed
        assert {line.value_of_css_property("display") for line in lines} == {display}

    body = browser.find_element("tag name", "body")
    before = body.value_of_css_property("background-color")
    browser.find_element("id", "theme").click()
    assert body.value_of_css_property("background-color") != before

    for width in (390, 1280):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width

    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}
