from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import modellab_jupyter as ml

X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


class Strange(BaseEstimator):
    """An estimator that nobody but its author knows."""

    def fit(self, rows: Any, labels: Any) -> Strange:
        """Learn nothing."""
        self.fitted_ = len(rows)
        return self


def keep(value: Any, name: str | None = None, **settings: Any) -> str:
    """Log one artifact and return its id."""
    with ml.start_run() as run:
        return run.log_artifact(value, name, **settings)


def stored() -> int:
    """Count the blobs."""
    return len([p for p in Path("modellab.files/blobs").rglob("*") if p.is_file()])


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(), RandomForestClassifier(3, random_state=0),
        Pipeline([("scale", StandardScaler()), ("fit", LogisticRegression())]),
        Pipeline([
            ("split", ColumnTransformer([("n", StandardScaler(), [0, 1]), ("c", OneHotEncoder(), [2])])),
            ("fit", LogisticRegression()),
        ]),
    ],
)  # fmt: skip
def test_an_estimator_comes_back_as_it_was(model: Any) -> None:
    """A model that was loaded predicts the same; of scikit-learn's own only trees, which are compiled, need trust."""
    model.fit(X.round(), Y)
    with ml.start_run() as run:
        found = run.log_model(model, "m")
    assert ml.artifacts.get(found).name == "m.skops"
    trusted = ["sklearn.tree._tree.Tree", "never.Needed"] if isinstance(model, RandomForestClassifier) else []
    again = ml.artifacts.load(found, trusted=trusted)
    assert type(again) is type(model)
    assert np.array_equal(again.predict_proba(X.round()), model.predict_proba(X.round()))


def test_a_model_of_unknown_types_says_which_must_be_trusted() -> None:
    """Without trust nothing is loaded; naming some of the types or saying "yes" to all is not enough."""
    found = keep(Strange().fit(X, Y), "strange")
    with pytest.raises(
        ml.InputError, match=r"types that are not known to be safe: .*Strange; .* trusted=\['.*Strange'\]"
    ) as info:
        ml.artifacts.load(found)
    with pytest.raises(ml.InputError, match="not known to be safe"):
        ml.artifacts.load(found, trusted="other.Type")
    with pytest.raises(ml.InputError, match=r"trusted must name types, .* found True"):
        ml.artifacts.load(found, trusted=True)  # type: ignore[arg-type]
    name = str(info.value).partition("trusted=['")[2].partition("'")[0]
    assert ml.artifacts.load(found, trusted=name).fitted_ == 40


def test_a_function_within_a_model_is_not_run_unasked(tmp_path: Path) -> None:
    """A transformer that calls the shell is a type to be trusted by name."""
    found = keep(FunctionTransformer(os.system), "t")
    with pytest.raises(ml.InputError, match=r"not known to be safe: .*system"):
        ml.artifacts.load(found)


@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor", "Booster"])
def test_a_model_of_xgboost_is_kept_in_its_own_json(name: str) -> None:
    """It comes back with its class, and XGBoost alone can read the file."""
    import xgboost

    if name == "Booster":
        model: Any = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 3)
        again_rows: Any = xgboost.DMatrix(X)
    else:
        model, again_rows = getattr(xgboost, name)(n_estimators=3, max_depth=2, n_jobs=1).fit(X, Y), X
    found = keep(model, "model")
    assert ml.artifacts.get(found).name == "model.json"
    again = ml.artifacts.load(found)
    assert type(again).__name__ == name
    assert np.array_equal(again.predict(again_rows), model.predict(again_rows))
    plain = xgboost.Booster()
    plain.load_model(bytearray(ml.artifacts.open(found)))
    assert plain.num_boosted_rounds() == 3
    if name != "Booster":
        with pytest.raises(ml.InputError, match="must be fitted"):
            keep(getattr(xgboost, name)())


def test_an_onnx_graph_is_kept_as_it_is() -> None:
    """ONNX is data and needs no trust."""
    import onnx

    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    sides = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", sides[:1], sides[1:]))
    with ml.start_run() as run:
        found = run.log_model(model)
    assert ml.artifacts.get(found).name == "model.onnx"
    assert ml.artifacts.load(found) == model


def test_objects_come_back() -> None:
    """JSON, arrays and frames of three libraries are what they were."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    for value in ({"k": [1, None, "ü"]}, [1.5, True]):
        assert ml.artifacts.load(keep(value)) == value
    for array in (X, X.astype("float16")[::2], np.array(["a", "ü"]), np.zeros(3, dtype=[("a", "i4")])):
        again = ml.artifacts.load(keep(array))
        assert again.dtype == array.dtype
        assert np.array_equal(again, array)
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        pd.testing.assert_frame_equal(ml.artifacts.load(keep(table)), frame)


def test_a_figure_takes_the_format_of_its_name() -> None:
    """PNG by itself; SVG, PDF and Plotly's JSON where the name ends so."""
    import matplotlib as mpl
    import plotly.graph_objects as go

    mpl.use("agg")
    from matplotlib.figure import Figure

    assert ml.artifacts.open(keep(Figure())).startswith(b"\x89PNG")
    assert b"<svg" in ml.artifacts.open(keep(Figure(), "a.svg"))
    assert ml.artifacts.open(keep(Figure(), "a.pdf")).startswith(b"%PDF")
    assert ml.artifacts.get(keep(Figure(), "b.tiff")).name == "b.tiff"
    assert ml.artifacts.load(keep(go.Figure(), "p.json"))["data"] == []
    assert b"<html" in ml.artifacts.open(keep(go.Figure()))


def test_no_pickle_is_ever_read(tmp_path: Path) -> None:
    """Neither a file with that ending, nor one dressed up as an array or as a model, runs its author's code."""
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Strange()))
    with pytest.raises(ml.InputError, match="is a pickle, and reading one runs its author's code"):
        ml.artifacts.load(keep(tmp_path / "m.pkl"))
    np.save(tmp_path / "a.npy", np.array([Strange()], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Strange()))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(ml.InputError, match=r"cannot be read as \.npy"):
            ml.artifacts.load(keep(tmp_path / name))
    with pytest.raises(ml.InputError, match="must end in one of"):
        ml.artifacts.load(keep(b"x"))
    with pytest.raises(ml.InputError, match="with a safe format, found object"):
        keep(object())
    with pytest.raises(ml.InputError, match="with a safe format, found ndarray"):
        keep(np.array([object()]))


@pytest.mark.parametrize("suffix", [".json", ".npy", ".parquet", ".skops", ".onnx", ".txt"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfenonsense", b"PK\x05\x06" + bytes(18)])
def test_nonsense_is_refused_in_a_sentence(suffix: str, content: bytes, tmp_path: Path) -> None:
    """A file that is not what its name says ends in our error, never in a library's own."""
    (tmp_path / f"x{suffix}").write_bytes(content)
    found = keep(tmp_path / f"x{suffix}")
    if (suffix, content) in {(".txt", b""), (".txt", b"PK\x05\x06" + bytes(18)), (".onnx", b"")}:
        return  # is what it says
    with pytest.raises(ml.InputError, match="cannot be read"):
        ml.artifacts.load(found)


def test_what_is_too_large_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    """Files, folders, arrays and objects: the limit and the size found are told; at the limit it is kept."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(bytes(60))
    (tmp_path / "d" / "b").write_bytes(bytes(60))
    for value in (tmp_path / "d", tmp_path / "d" / "a", np.zeros(100), {"k": "x" * 100}, b"x" * 51):
        with pytest.raises(ml.InputError, match=r"at most max_size=50 bytes, but .* has "):
            keep(value, max_size=50)
    assert stored() == 0
    assert ml.artifacts.get(keep(tmp_path / "d" / "a", max_size=60)).size == 60
    for wrong in (-1, True, "1 MB"):
        with pytest.raises(ml.InputError, match="max_size must be a whole number"):
            keep(b"", max_size=wrong)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """What has no end cannot be kept."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ml.InputError, match="a pipe or device"):
        keep(tmp_path / "pipe")


def test_without_skops_a_model_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install, and nothing falls back to a pickle."""
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ml.InputError, match="needs skops, which is not installed: pip install skops"):
        keep(LogisticRegression().fit(X, Y))
    with (
        ml.start_run() as run,
        pytest.raises(ml.InputError, match="model must be one of scikit-learn, XGBoost or ONNX"),
    ):
        run.log_model({"a": 1})
