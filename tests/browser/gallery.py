"""The widgets that are shown to somebody, each with what it must say and do, and the real runs that they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import answer

FOLDER = "gallery"

MAKE = """
import json
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import modellab_jupyter as ml

cancer = load_breast_cancer(as_frame=True)
frame = cancer.data.iloc[:, :8].assign(diagnosis=cancer.target_names[cancer.target])
train, test = train_test_split(frame, test_size=0.5, random_state=0, stratify=frame["diagnosis"])
x, y = train.drop(columns="diagnosis"), train["diagnosis"]
x_test, y_test = test.drop(columns="diagnosis"), test["diagnosis"]
scale = StandardScaler().fit(x)

def start(name, **given):
    return ml.start_run(name, project_id="cancer", seed=7, **given)

def judge(run, predict):
    ml.log_dataset(train, "cancer train", split="train")
    ml.log_dataset(test, "cancer test", split="test")
    report = run.evaluate(predict(x_test), y_test, x_test, predict=predict)
    found[run.name] = {"accuracy": report.metrics["accuracy"], "takeaway": report.get_takeaway()}

with ml.start_run("first look", project_id="flowers") as run:
    ml.log_dataset(load_iris(as_frame=True).frame, "iris")
found = {}
with start("dummy", baseline=True, params={"strategy": "prior"}) as run:
    judge(run, DummyClassifier().fit(x, y).predict_proba)
with start("logistic", params={"alpha": 0.001, "loss": "log_loss"}, tags=["linear"], total_steps=60) as run:
    model = SGDClassifier(loss="log_loss", alpha=0.001, random_state=7)
    for step in range(60):
        model.partial_fit(scale.transform(x), y, classes=["benign", "malignant"])
        losses = [log_loss(b, model.predict_proba(scale.transform(a))) for a, b in ((x, y), (x_test, y_test))]
        ml.log_metrics({"train_loss": losses[0], "test_loss": losses[1]}, step=step)
    ml.log_artifact(model.coef_, "coefficients.npy")
    judge(run, make_pipeline(scale, model).predict_proba)
with start("boosting", params={"learning_rate": 0.05, "max_depth": 2}, tags=["trees"], total_steps=80) as run:
    model = GradientBoostingClassifier(learning_rate=0.05, max_depth=2, n_estimators=80, random_state=7).fit(x, y)
    for step, both in enumerate(zip(model.staged_predict_proba(x), model.staged_predict_proba(x_test))):
        losses = [log_loss(b, p) for p, b in zip(both, (y, y_test))]
        ml.log_metrics({"train_loss": losses[0], "test_loss": losses[1]}, step=step)
    ml.log_artifact(dict(zip(x.columns, model.feature_importances_.tolist())), "importances.json")
    judge(run, model.predict_proba)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Shown:
    """A widget: the expression that gives it, what it must say in any form, and what a person does with it."""

    name: str
    code: str
    says: Callable[[dict[str, Any]], list[str]]
    plays: tuple[Callable[[Any, Any], None], ...]


def sorts(page: Any, widget: Any) -> None:
    """One of the table's headings puts its rows in order, and pressed again turns it."""
    headings = widget.locator(".ml-head [aria-sort] .ml-title, th button")
    assert headings.count() > 0

    def rows() -> list[str]:
        found = widget.locator(".ml-body .ml-row, tbody tr").all()
        at = [one.get_attribute("aria-rowindex") for one in found]
        order = sorted(range(len(found)), key=lambda i: int(at[i] or i))
        return [found[i].inner_text() for i in order]

    for i in range(headings.count()):
        headings.nth(i).scroll_into_view_if_needed()
        headings.nth(i).click()
        one = rows()
        headings.nth(i).click()
        if rows() != one:
            assert widget.locator("[aria-sort=ascending], [aria-sort=descending]").count() >= 1
            return
    raise AssertionError("no heading changed the order of the rows")


def charts(page: Any, widget: Any) -> None:
    """A chart is drawn by Plotly with something in it, once it is on the screen."""
    plot = widget.locator(".ml-plot.js-plotly-plot").first
    widget.locator(".ml-chart").first.scroll_into_view_if_needed()
    plot.locator(".main-svg").first.wait_for(state="attached")
    plot.locator(".scatterlayer .trace, .barlayer .trace, .heatmaplayer, .parcoords").first.wait_for(state="attached")


def slides(page: Any, widget: Any) -> None:
    """Keys move the threshold: rows go from one column of the confusion matrix to the other, and none is lost."""
    panel = widget.locator(".ml-threshold").first
    panel.scroll_into_view_if_needed()

    def counts() -> list[float]:
        cells = panel.locator("tbody").first.locator("td").all_inner_texts()
        return [float(text.split()[0].replace(",", "")) for text in cells]

    before = counts()
    slider = panel.locator("input[type=range]").first
    slider.focus()
    for _ in range(4):
        page.keyboard.press("PageUp")
    after = counts()
    assert sum(after) == sum(before)
    assert after[0] < before[0]


def share(value: float) -> str:
    return f"{value:.4g}"


WIDGETS = (
    Shown(
        "dashboard",
        'ml.dashboard("cancer")',
        lambda found: ["cancer", "boosting", "logistic", *[share(one["accuracy"]) for one in found.values()]],
        (sorts, charts),
    ),
    Shown(
        "compare",
        'ml.compare("dummy", "logistic", "boosting")',
        lambda found: ["learning_rate", "0.05", *[share(one["accuracy"]) for one in found.values()]],
        (sorts, charts),
    ),
    Shown(
        "evaluation",
        'ml.evaluation("boosting")',
        lambda found: [found["boosting"]["takeaway"].splitlines()[0], share(found["boosting"]["accuracy"])],
        (sorts, charts, slides),
    ),
    Shown("datasets", "ml.datasets", lambda found: ["cancer test", "285", "iris", "150"], (sorts,)),
    Shown("projects", "ml.projects", lambda found: ["cancer", "flowers", "logistic"], (sorts,)),
)
"""Today's; one more is one more entry here."""


def make(folder: Path) -> dict[str, Any]:
    """Record three runs on scikit-learn's breast cancer data in a folder's store; return what was found."""
    folder.mkdir()
    return json.loads(answer(f"import os\nos.chdir({str(folder)!r})\n{MAKE}", timeout=300).splitlines()[-1])
