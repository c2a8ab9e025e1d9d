"""Real tables, as they ship, through the whole of `read_table`, `plan` and `fit_models`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from modellab_jupyter.templates import MODELS, fit_models, plan, read_table, train


@dataclass(frozen=True)
class Table:
    """One file of a package, and a sensible target in it."""

    package: str
    file: str
    target: str
    task_type: str

    @property
    def path(self) -> Path:
        return Path(str(distribution(self.package).locate_file(self.file)))

    def __str__(self) -> str:
        return f"{Path(self.file).name}-{self.target}"


TABLES = (
    Table("palmerpenguins", "palmerpenguins/data/penguins.csv", "species", "classification"),
    Table("palmerpenguins", "palmerpenguins/data/penguins-raw.csv", "Sex", "classification"),
    Table("palmerpenguins", "palmerpenguins/data/penguins-raw.csv", "Body Mass (g)", "regression"),
    Table("vega-datasets", "vega_datasets/_data/seattle-weather.csv", "weather", "classification"),
    Table("vega-datasets", "vega_datasets/_data/seattle-weather.csv", "temp_max", "regression"),
    Table("vega-datasets", "vega_datasets/_data/la-riots.csv", "type", "classification"),
    Table("bokeh-sampledata", "bokeh_sampledata/_data/titanic_all.csv", "survived", "classification"),
    Table("bokeh-sampledata", "bokeh_sampledata/_data/forensic_glass.csv", "type", "classification"),
    Table("bokeh-sampledata", "bokeh_sampledata/_data/auto-mpg.csv", "mpg", "regression"),
    Table("bokeh-sampledata", "bokeh_sampledata/_data/SampleSuperstore.csv.gz", "Sales", "regression"),
    Table("plotly", "plotly/package_data/datasets/tips.csv.gz", "day", "classification"),
    Table("plotly", "plotly/package_data/datasets/gapminder.csv.gz", "lifeExp", "regression"),
)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_a_real_table_is_read_planned_and_learnt(table: Table):
    """Without any help a real table gives three models, and the best of them beats the dummy."""
    decided = plan(read_table(table.path), table.target, table.task_type)
    results = list(fit_models(decided))
    _, labels = decided.rows_of("test")
    if decided.classes:
        codes = np.searchsorted(decided.classes, labels)
        everything = range(len(decided.classes))
        losses = [log_loss(codes, result.test_probabilities, labels=everything) for result in results]
    else:
        losses = [mean_squared_error(labels, result.test_predictions) for result in results]

    assert tuple(result.name for result in results) == MODELS
    assert min(losses[1:]) < losses[0]
    assert all(result.notes == () for result in results)


def test_what_is_left_out_of_the_raw_penguins_has_its_reason():
    """Constants and identifiers are left out, dates and answers in words are used."""
    table = next(table for table in TABLES if table.target == "Sex")
    decided = plan(read_table(table.path), table.target, table.task_type)
    uses = {column.name: column.use for column in decided.columns}

    assert uses["Region"] == uses["Stage"] == uses["Individual ID"] == "left out"
    assert uses["Date Egg"] == "date"
    assert uses["Clutch Completion"] == "boolean"
    assert uses["Species"] == "category"
    assert decided.classes == ("FEMALE", "MALE")
    assert "11 rows without a value of 'Sex' left out." in decided.notes


@pytest.mark.parametrize("table", TABLES[::3], ids=str)
def test_train_says_how_real_tables_went(table: Table):
    """The printed summary of a real table has a line for every model and ends with the verdict."""
    found = train(table.task_type, table.path, table.target)

    assert all(model.title in str(found) for model in found.models)
    assert str(found).endswith(found.verdict)
    assert found.best.evidence == "better"
