"""Files, folders and objects to blobs and back, in formats that can be read without running their author's code."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from modellab_jupyter.blobs import Blobs
from modellab_jupyter.errors import InputError

_XGBOOST: Final = "application/x-xgboost+json"
_XGBOOST_CLASSES: Final = (
    "Booster", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor",
)  # fmt: skip
_PICKLES: Final = {".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt"}


@dataclass(frozen=True)
class Kept:
    """What became a blob: the name with an ending, the digest, and the bytes in all."""

    name: str
    kind: Literal["file", "folder"]
    digest: str
    size: int
    media_type: str | None


def keep(value: Any, name: str | None, blobs: Blobs, *, max_size: int | None = None) -> Kept:
    """Store a file, a folder or an object.

    Parameters
    ----------
    value : path, bytes, dict, list, DataFrame, Arrow table, array, figure, or model
        A text is a path.
    name : str or None
        Default: the file's name; for an object the name of its type. Of a figure the ending says the format.
    max_size : int, optional
        Bytes; what is larger is refused, and nothing is stored. Files and arrays are refused before they are read.

    Raises
    ------
    InputError
        The file is not there, the object has no safe format, or it is too large.
    """
    if max_size is not None and (isinstance(max_size, bool) or not isinstance(max_size, int) or max_size < 0):
        raise InputError(f"max_size must be a whole number of bytes of at least 0, found {max_size!r}.")
    if isinstance(value, str | os.PathLike):
        return _keep_path(value, name, blobs, max_size)
    _weigh(getattr(value, "nbytes", 0) if type(value).__module__.startswith("numpy") else 0, value, max_size)
    data, suffix, media_type = _bytes(value, name or "")
    _weigh(len(data), value, max_size)
    name = name or type(value).__name__.lower() + suffix
    if not Path(name).suffix:
        name += suffix
    return Kept(name, "file", blobs.put(data), len(data), media_type or _guess(name))


def is_model(value: Any) -> bool:
    """Tell whether `keep` takes an object as a model: scikit-learn's, XGBoost's or an ONNX graph."""
    return any(test(value) for test in (_is_xgboost, _is_onnx, _is_estimator))


def load(data: bytes, name: str, media_type: str | None = None, *, trusted: str | Iterable[str] = ()) -> Any:
    """Return the object that `keep` stored as these bytes.

    Parameters
    ----------
    trusted : str or iterable of str
        Names of types, as the error lists them, that a scikit-learn model may hold besides those known to be safe.

    Raises
    ------
    InputError
        The format is not one that is safe to read, its library is missing, or the model holds types not trusted.
    """
    suffix = Path(name).suffix.lower()
    media, _, about = (media_type or "").partition(";")
    if media == _XGBOOST:
        return _load_xgboost(data, about.strip().removeprefix("class="))
    readers: dict[str, Callable[[bytes], Any]] = {
        ".json": json.loads, ".npy": _load_array, ".parquet": _load_parquet, ".onnx": _load_onnx, ".txt": bytes.decode,
        ".skops": lambda content: _load_skops(content, name, trusted),
    }  # fmt: skip
    if suffix in _PICKLES:
        raise InputError(
            f"artifact {name!r} is a pickle, and reading one runs its author's code; "
            "ml.artifacts.download(id, path) copies it out for you to judge."
        )
    if suffix not in readers:
        raise InputError(
            f"artifact {name!r} must end in one of {', '.join(sorted(readers))} to be loaded; "
            "ml.artifacts.open(id) returns its bytes."
        )
    try:
        return readers[suffix](data)
    except InputError:
        raise
    except (ValueError, OSError, LookupError, EOFError, zipfile.BadZipFile) as error:
        said = str(error).partition("\n")[0]
        raise InputError(f"artifact {name!r} cannot be read as {suffix}: {said}.") from error


def _keep_path(value: str | os.PathLike[str], name: str | None, blobs: Blobs, max_size: int | None) -> Kept:
    path = Path(os.path.expanduser(value))  # noqa: PTH111 - no error for a user that is not there
    if not os.path.exists(path):  # noqa: PTH110 - false, and no error, for a name that is too long
        raise InputError(
            f"path_or_object must be a file or folder that is there, found {os.fspath(value)!r:.200}; "
            f"the current folder is {str(Path.cwd())!r}."
        )
    name = name or path.resolve().name
    if path.is_dir():
        _weigh(sum(p.stat().st_size for p in path.rglob("*") if p.is_file()), name, max_size)
        digest, size = blobs.put_folder(path)
        return Kept(name, "folder", digest, size, None)
    if not path.is_file():
        raise InputError(f"path_or_object must be a file or folder, found {str(path)!r:.200}, a pipe or device.")
    _weigh(path.stat().st_size, name, max_size)
    digest = blobs.put_file(path)
    return Kept(name, "file", digest, blobs.path(digest).stat().st_size, _guess(name))


def _weigh(size: int, value: Any, max_size: int | None) -> None:
    if max_size is not None and size > max_size:
        title = repr(value) if isinstance(value, str) else f"the {type(value).__name__}"
        raise InputError(f"path_or_object must be at most max_size={max_size} bytes, but {title} has {size}.")


def _guess(name: str) -> str | None:
    import mimetypes

    return mimetypes.guess_type(name)[0]


def _bytes(value: Any, name: str) -> tuple[bytes, str, str | None]:
    """Return an object in a format that is safe to read, the ending of its file name, and a media type of ours."""
    if isinstance(value, bytes | bytearray):
        return bytes(value), ".bin", None
    if isinstance(value, dict | list):
        try:
            return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode(), ".json", None
        except (TypeError, ValueError) as error:
            raise InputError(
                f"path_or_object must be writable as JSON, but {error}; write it to a file first."
            ) from None
    if _is_xgboost(value):
        return *_xgboost_bytes(value), f"{_XGBOOST}; class={type(value).__name__}"
    if _is_onnx(value):
        return value.SerializeToString(deterministic=True), ".onnx", None
    if _is_estimator(value):
        return _skops_bytes(value), ".skops", None
    module = type(value).__module__.partition(".")[0]
    if module in {"pandas", "polars", "pyarrow"}:
        return _parquet_bytes(value, module), ".parquet", None
    buffer = io.BytesIO()
    if module == "numpy" and hasattr(value, "dtype") and not value.dtype.hasobject:
        import numpy as np

        np.save(buffer, value, allow_pickle=False)
        return buffer.getvalue(), ".npy", None
    if module == "matplotlib" and hasattr(value, "savefig"):
        suffix = Path(name).suffix.lower()
        suffix = suffix if suffix in {".svg", ".pdf"} else ".png"
        value.savefig(buffer, format=suffix[1:])
        return buffer.getvalue(), suffix, None
    if module == "plotly" and hasattr(value, "to_html"):
        as_json = name.lower().endswith(".json")
        text: str = value.to_json() if as_json else value.to_html()
        return text.encode(), ".json" if as_json else ".html", None
    raise InputError(
        f"path_or_object must be a path or an object with a safe format, found {type(value).__name__}; "
        "write it to a file yourself and log the file's path."
    )


def _parquet_bytes(value: Any, module: str) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = io.BytesIO()
    try:
        if module == "polars" and hasattr(value, "to_arrow"):
            value = value.to_arrow() if hasattr(value, "columns") else value.to_frame().to_arrow()
        elif module == "pandas" and not hasattr(value, "to_parquet"):
            value = value.to_frame()
        if module == "pandas":
            value.to_parquet(buffer)
        else:
            parquet.write_table(value if isinstance(value, pa.Table) else pa.table(value), buffer)
    except (AttributeError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"path_or_object must be a frame that Parquet can hold, but {str(error).partition(chr(10))[0]}; "
            "give each column one type, or log it as a CSV file."
        ) from error
    return buffer.getvalue()


def _load_array(data: bytes) -> Any:
    import numpy as np

    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _load_parquet(data: bytes) -> Any:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(data))


def _is_xgboost(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "xgboost" and type(value).__name__ in _XGBOOST_CLASSES


def _xgboost_bytes(model: Any) -> tuple[bytes, str]:
    """Return a model in XGBoost's own JSON; of its scikit-learn classes with what they add."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            model.save_model(path)
        except Exception as error:
            if type(error).__name__ != "NotFittedError":
                raise
            raise InputError(f"model must be fitted, found {type(model).__name__} before its fit.") from error
        return path.read_bytes(), ".json"


def _load_xgboost(data: bytes, name: str) -> Any:
    xgboost = _library("xgboost", "a model of XGBoost")
    model = getattr(xgboost, name if name in _XGBOOST_CLASSES else "Booster")()
    try:
        model.load_model(bytearray(data))
    except xgboost.core.XGBoostError as error:
        raise InputError(f"the model cannot be read by XGBoost: {str(error).partition(chr(10))[0]}.") from error
    return model


def _is_onnx(value: Any) -> bool:
    return type(value).__module__.startswith("onnx") and type(value).__name__ == "ModelProto"


def _load_onnx(data: bytes) -> Any:
    onnx = _library("onnx", "an ONNX model")
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:  # of protobuf, which is not ours to import
        if type(error).__name__ != "DecodeError":
            raise
        raise InputError(f"the model cannot be read as ONNX: {error}.") from error


def _is_estimator(value: Any) -> bool:
    base = sys.modules.get("sklearn.base")  # who has an estimator has it loaded
    return base is not None and isinstance(value, base.BaseEstimator)


def _skops_bytes(model: Any) -> bytes:
    io_ = _skops()
    try:
        return bytes(io_.dumps(model))
    except Exception as error:
        if not type(error).__module__.startswith("skops") and not isinstance(error, TypeError | ValueError):
            raise
        said = str(error).partition("\n")[0]
        raise InputError(
            f"model must hold what skops can write, but {said}; write {type(model).__name__} to a file yourself."
        ) from error


def _load_skops(data: bytes, name: str, trusted: str | Iterable[str]) -> Any:
    """Return a model whose types are all known to skops as safe, or were named."""
    if isinstance(trusted, bool) or not isinstance(trusted, str | Iterable):
        raise InputError(f"trusted must name types, as in trusted=['package.Type'], found {trusted!r}.")
    io_ = _skops()
    named = {trusted} if isinstance(trusted, str) else {str(one) for one in trusted}
    unknown = io_.get_untrusted_types(data=data)
    missing = [one for one in unknown if one not in named]
    if missing:
        raise InputError(
            f"model {name!r} holds types that are not known to be safe: {', '.join(missing)}; "
            f"where you know them, load it with trusted={missing!r}."
        )
    return io_.loads(data, trusted=list(unknown))


def _skops() -> Any:
    return _library("skops.io", "a scikit-learn model")


def _library(name: str, what: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise InputError(f"{what} needs {package}, which is not installed: pip install {package}.") from error
