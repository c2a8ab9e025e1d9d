"""Settings: one frozen value, and the only reader of this package's environment variables."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from modellab_jupyter.errors import InputError

STORE_NAME = "modellab.duckdb"
DEFAULT_PROJECT = "default"


TOKEN_MINIMUM = 16  # characters; shorter ones can be tried out
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # one letter would be a drive
_PASSWORD = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)|(://[^:/@\s]*:)[^@\s]*(?=@)")


@dataclass(frozen=True)
class Server:
    """A DuckDB server that ``modellab serve`` started: ``quack:HOST:PORT``.

    Attributes
    ----------
    tls : bool
        Whether another machine is reached by HTTPS, from a proxy before the server; ``?tls=off`` says no.
    """

    host: str
    port: int
    tls: bool = True

    def __str__(self) -> str:
        return f"quack:{self.host}:{self.port}" + ("" if self.tls else "?tls=off")


@dataclass(frozen=True)
class Lake:
    """A DuckLake: its catalogue in PostgreSQL, its rows as Parquet files below a folder or a bucket.

    Attributes
    ----------
    conninfo : str
        How to reach PostgreSQL, as libpq takes it; may hold a password, so it is never shown.
    data : str or None
        Where files lie: an absolute folder or ``s3://bucket/prefix``; None where the catalogue knows it already.
    """

    conninfo: str = field(repr=False)
    data: str | None

    def __str__(self) -> str:
        return f"ducklake:postgres:{redacted(self.conninfo)}" + (f"?data={self.data}" if self.data else "")


@dataclass(frozen=True)
class S3:
    """What the usual AWS_* variables say; None where they say nothing."""

    key: str | None
    secret: str | None = field(repr=False)
    token: str | None = field(repr=False)
    region: str | None
    endpoint: str | None


@dataclass(frozen=True)
class Settings:
    """Where things are logged to.

    Attributes
    ----------
    store : Path
        The DuckDB file; its journals, blobs and evaluations lie in `files`, beside it. Of a shared store: where the
        file would be; only journals that wait and copies of files lie there.
    project : str
        Name of the project that a run belongs to when none is named.
    shared : Server or Lake or None
        The store that several machines share, if it is one.
    """

    store: Path
    project: str
    shared: Server | Lake | None = None

    @property
    def place(self) -> str:
        """The store as it may be shown: a path or an address, without secrets."""
        return str(self.shared or self.store)

    @property
    def files(self) -> Path:
        """The folder beside the store: ``modellab.files`` for ``modellab.duckdb``."""
        return self.store.with_suffix(".files")


def settings(store: str | os.PathLike[str] | None = None, project: str | None = None) -> Settings:
    """Return the settings that hold in the current folder.

    Parameters
    ----------
    store : path, optional
        A DuckDB file, ``quack:HOST:PORT``, or ``ducklake:postgres:CONNINFO?data=PATH``. Default: the variable
        ``MODELLAB_STORE``, else the nearest ``modellab.duckdb`` in this folder or one above it, else
        ``modellab.duckdb`` in this folder.
    project : str, optional
        Default: the variable ``MODELLAB_PROJECT``, else ``"default"``.

    Raises
    ------
    InputError
        The store is an address that is not understood, or a file of another kind.
    """
    if store is None:
        store = os.environ.get("MODELLAB_STORE") or nearest(Path.cwd())
    text = os.fspath(store) if isinstance(store, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise InputError(f"store must be the path of a DuckDB file, found {store!r}; give a text or a Path.")
    name = os.environ.get("MODELLAB_PROJECT", DEFAULT_PROJECT) if project is None else project
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"project must be a name or an id, found {name!r}; give a text that is not empty.")
    if _URL.match(text):
        shared = address(text)
        import hashlib  # loads OpenSSL, which takes a third of the time to the first metric

        key = hashlib.sha256(str(shared).encode()).hexdigest()[:12]
        return Settings(home() / "stores" / f"{text.partition(':')[0]}-{key}" / STORE_NAME, name, shared)
    path = Path(text).expanduser().absolute()
    if os.path.isdir(path):  # noqa: PTH112 - false, and no error, for a name that is too long
        path = path / STORE_NAME
    if path.suffix != ".duckdb":
        raise InputError(f"store must be a path that ends in .duckdb, found {text!r}; try {path.stem + '.duckdb'!r}.")
    above = next(place for place in path.parents if place.exists())
    if not above.is_dir():
        raise InputError(f"store must lie in a folder, found {text!r}, and {str(above)!r} is none; give another path.")
    return Settings(path, name)


def address(text: str) -> Server | Lake:
    """Return the shared store that an address names.

    Raises
    ------
    InputError
        It is none of the two forms; the message shows no password.
    """
    kind, _, rest = text.partition(":")
    if kind == "quack":
        bare = rest.removesuffix("?tls=off")
        host, _, port = bare.rpartition(":")
        if re.fullmatch(r"[A-Za-z0-9._-]+", host) and port.isdecimal() and 0 < int(port) < 65_536:
            return Server(host, int(port), tls=bare == rest)
        raise InputError(f"store must be quack:HOST:PORT, found {text!r}; for example quack:127.0.0.1:9494.")
    if kind == "ducklake" and rest.startswith("postgres:"):
        conninfo, _, data = rest.removeprefix("postgres:").partition("?data=")
        if "://" in data and not data.startswith("s3://"):
            raise InputError(f"data must be a folder or s3://bucket/prefix, found {data!r}.")
        if data and "://" not in data:
            data = str(Path(data).expanduser().absolute())
        if conninfo.strip():
            return Lake(conninfo.strip(), data.rstrip("/") or None)
    raise InputError(
        f"store must be a path, quack:HOST:PORT, or ducklake:postgres:CONNINFO?data=PATH, found {redacted(text)!r}; "
        "for example ducklake:postgres:host=db dbname=lake?data=s3://bucket/prefix."
    )


def redacted(text: str) -> str:
    """Return a text without the passwords of connection strings that it holds."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[3]}***", text)


def home() -> Path:
    """Return the folder of this user for what belongs to no notebook: waiting journals of shared stores, the token."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share").absolute() / "modellab"


def token() -> str | None:
    """Return the token for servers: the variable ``MODELLAB_TOKEN``, else the file that `token_file` names.

    Raises
    ------
    InputError
        It is too short, or others may read the file.
    """
    text, origin = os.environ.get("MODELLAB_TOKEN"), "MODELLAB_TOKEN"
    path = token_file()
    if text is None and path.is_file():
        origin = str(path)
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(f"{origin} holds a token and must be its owner's alone; run chmod 600 {origin}.")
        text = path.read_text("utf-8").strip()
    if text is not None and (len(text) < TOKEN_MINIMUM or not text.isprintable()):
        raise InputError(f"the token in {origin} must have at least {TOKEN_MINIMUM} printable characters.")
    return text


def token_file() -> Path:
    """Return the file that holds the token where no variable does; ``MODELLAB_TOKEN_FILE`` names another."""
    named = os.environ.get("MODELLAB_TOKEN_FILE")
    return Path(named).expanduser().absolute() if named else home() / "token"


def s3() -> S3:
    """Return the keys of S3 from the usual variables."""
    read = os.environ.get
    return S3(
        read("AWS_ACCESS_KEY_ID"),
        read("AWS_SECRET_ACCESS_KEY"),
        read("AWS_SESSION_TOKEN"),
        read("AWS_REGION") or read("AWS_DEFAULT_REGION"),
        read("AWS_ENDPOINT_URL_S3") or read("AWS_ENDPOINT_URL"),
    )


def nearest(folder: Path) -> Path:
    """Return the nearest ``modellab.duckdb`` here or above, else where one would be made here."""
    for place in (folder, *folder.parents):
        if (place / STORE_NAME).is_file():
            return place / STORE_NAME
    return folder / STORE_NAME


def caches() -> list[str]:
    """Return the folders in which Jupyter, IPython and Matplotlib keep what is theirs."""
    read, home = os.environ.get, Path.home()
    cache, data = Path(read("XDG_CACHE_HOME") or home / ".cache"), Path(read("XDG_DATA_HOME") or home / ".local/share")
    named = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")
    places = [Path(value) for value in map(read, (*named, "PYTHONPYCACHEPREFIX")) if value]
    places += [home / ".ipython", home / ".jupyter", home / "Library" / "Jupyter", data / "jupyter", data / "fonts"]
    places += [cache / "matplotlib", cache / "fontconfig", cache / "modellab"]
    return [os.path.join(os.path.abspath(place), "") for place in places]  # noqa: PTH100, PTH118 - beginnings of paths


def notebook() -> str | None:
    """Return the path of the notebook that this kernel belongs to, where the host says it."""
    name = os.environ.get("JPY_SESSION_NAME")
    return name if name and name.endswith(".ipynb") else None


def in_kernel() -> bool:
    """Say whether this process is a Jupyter kernel; IPython is not imported for the question."""
    module = sys.modules.get("IPython")
    return getattr(module and module.get_ipython(), "kernel", None) is not None


def in_server() -> bool:
    """Tell whether this kernel was started by an interactive Jupyter Server (not nbclient, nbval or papermill)."""
    return bool(os.environ.get("JPY_SESSION_NAME"))


# What a replay may see of the variables around it: where programs and libraries are, and how the processor is driven.
_MACHINE = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "CUDA_HOME",
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE",
)  # fmt: skip


def cache() -> Path:
    """Return the folder of this user for what can be made again: rebuilt environments."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "modellab"


def machine() -> dict[str, str]:
    """Return the variables that say where things are on this machine; none that could hold a secret."""
    return {name: os.environ[name] for name in _MACHINE if name in os.environ}


_INSTALLING = re.compile(
    r"(?!UV_PUBLISH_)(UV_|PIP_|LC_|XDG_).+|(HTTPS?|ALL|NO|FTP)_PROXY|SSL_(CERT_FILE|CERT_DIR|CLIENT_CERT)"
    r"|(REQUESTS|CURL)_CA_BUNDLE|NETRC|HOME|USER|LOGNAME|USERPROFILE|USERNAME|HOMEDRIVE|HOMEPATH|APPDATA|LOCALAPPDATA"
    r"|PROGRAMDATA|TMPDIR|TEMP|TMP|LANG|LANGUAGE|SYSTEMDRIVE|DBUS_SESSION_BUS_ADDRESS",
    re.IGNORECASE,
)


def around(**more: str) -> dict[str, str]:
    """Return what a package manager in the user's name needs: its settings, proxies, certificates, and the machine's.

    No other variable, since what it builds could read them.
    """
    return {name: value for name, value in os.environ.items() if _INSTALLING.fullmatch(name)} | machine() | more
