"""What stands on the page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from rankqa_datasets.errors import InputError
from shared_engine.report.evidence import collect_evidence
from shared_engine.report.page import render_page, write_report
from shared_engine.report.stimulus_groups import distortion_of, misjudged

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Checks that tags close in order, and gathers attributes and the rows of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def no_picture(modality: str, path: Path, side: int) -> None:
    return None


@pytest.fixture(scope="module")
def text(sweep) -> str:
    return render_page(collect_evidence([sweep]), pictures=2, draw=no_picture)


def test_numbers_are_those_of_the_results(sweep, text):
    table = text[text.index('id="table"') :].partition("</table>")[0]
    rows = {re.search(r">([^<]*)</th>", row)[1]: row for row in re.findall(r"<tr><th scope.*?</tr>", table)}
    assert len(rows) == 24
    for run, row in rows.items():
        part = json.loads((sweep / "runs" / run / "result.json").read_text())["parts"]["test"]
        values = [float(value) for value in re.findall(r'data-value="([^"]*)"', row)]
        assert values == [part[k] for k in ("srocc", "plcc_mapped", "krocc", "rmse")] + [part["intervals"]["srocc"][0]]
        assert f">{part['srocc']:.4f}<" in row


def test_the_answer_comes_first_and_is_escaped(text):
    page = text[text.index("<main>") :]
    assert page.index("spearman + bank wins") < page.index("<svg")
    assert "<h1>Which &lt;loss&gt;?</h1>" in text
    assert "failed: diverged" in text


def test_the_page_is_well_formed_accessible_and_needs_no_other_file(text):
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.found if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert not any(a.get("src", "data:").startswith("http") or a.get("rel") == "stylesheet" for _, a in page.found)
    targets = [a["href"] for a in page.all("a")]
    assert all(target[0] == "#" and target[1:] in ids for target in targets)
    uses = [a["xlink:href"][1:] for a in page.all("use")]
    assert set(uses) <= set(ids)
    clips = re.findall(r"url\(#([^)]*)\)", text)
    assert clips
    assert set(clips) <= set(ids)
    assert all(a.get("aria-label") for a in page.all("svg"))
    assert all(a.get("scope") for a in page.all("th"))
    # No colour of matplotlib's own is left, which would not follow the theme.
    assert not re.findall("#0102[0-9a-f]{2}", text)


def test_equal_runs_give_an_equal_page(sweep, text):
    assert render_page(collect_evidence([sweep]), pictures=2, draw=no_picture) == text


def test_a_single_run(generated, tmp_path):
    summary = generated.write_run(tmp_path / "only", noise=0.5)
    text = render_page(collect_evidence([tmp_path / "only"]), pictures=2, draw=no_picture)
    Page(text)
    assert f"SROCC {summary['srocc']:.4f}" in text
    assert "There is one run: there is nothing to compare." in text


def test_a_run_of_constant_scores_alone(generated, tmp_path):
    generated.write_run(tmp_path / "flat", noise=0.5, constant=True)
    text = render_page(collect_evidence([tmp_path]), pictures=2, draw=no_picture)
    assert "SROCC undefined" in text


def test_pictures_where_the_files_are_still_there(generated, tmp_path):
    data = tmp_path / "set"
    data.mkdir()
    rows = generated.stimuli()
    lines = [f"{row['id']},{row['target']},pristine.png" for row in rows]
    (data / "manifest.csv").write_text("\n".join(["path,target,reference", *lines]))
    generated.write_run(tmp_path / "runs/a", noise=2.0, manifest=str(data / "manifest.csv"))
    evidence = collect_evidence([tmp_path / "runs"])
    worst, second = misjudged(evidence.outcomes, 2)
    assert abs(worst.mapped - worst.target) >= abs(second.mapped - second.target)
    (data / worst.id).touch()
    (data / "pristine.png").touch()

    def draw(modality: str, path: Path, side: int) -> Image.Image:
        if path.name == second.id:
            raise InputError("damaged")
        return Image.new("RGB", (side, side), (200, 30, 30))

    images = Page(render_page(evidence, pictures=2, draw=draw)).all("img")
    assert [image["alt"].partition(",")[0] for image in images] == [worst.id, "Its reference"]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    (data / second.id).touch()
    assert len(Page(render_page(evidence, pictures=2, draw=draw)).all("img")) == 2


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        ("gaussian_blur_1", "gaussian_blur"),
        ("noise-0.5", "noise"),
        ("jpeg level 3", "jpeg"),
        ("blur", "blur"),
        ("", ""),
    ],
)
def test_the_type_of_a_distortion(recipe, kind):
    assert distortion_of({"recipe": recipe}) == kind


def test_a_page_that_cannot_be_written(generated, tmp_path):
    generated.write_run(tmp_path / "runs/a", noise=0.5)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        write_report(
            collect_evidence([tmp_path / "runs"]), tmp_path / "file" / "page.html", pictures=0, draw=no_picture
        )


def test_a_damaged_prediction(generated, tmp_path):
    generated.write_run(tmp_path / "a", noise=0.5)
    path = tmp_path / "a" / "predictions.csv"
    path.write_text(path.read_text().replace("target,", "goal,", 1))
    with pytest.raises(InputError, match="no number for score or target"):
        render_page(collect_evidence([tmp_path]), pictures=0, draw=no_picture)
