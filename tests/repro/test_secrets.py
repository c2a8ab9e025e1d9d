"""Secrets do not leave in a pack; ordinary code, digests and pictures stay as they are."""

from __future__ import annotations

import ast
import base64
import importlib.util
import json
import random
import string
import urllib.parse
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab_jupyter import environment as surroundings
from modellab_jupyter.repro import secrets
from modellab_jupyter.repro.pack import pack_recorded
from modellab_jupyter.repro.records import Execution, Git
from modellab_jupyter.repro.secrets import Redactor
from tests.conftest import ROOT
from tests.repro.made import editable, environment, notebook, read, recorded
from tests.repro.planted import drawn, placed, tokens


def test_forty_kinds_are_known_by_their_form() -> None:
    """Each kind is taken out of code, prose, JSON, comments and bytes, and the code can still be parsed."""
    kinds = tokens()
    assert len(kinds) >= 40
    for kind, secret in kinds.items():
        for form in ('x = "{}"', "say {}, please", '{{"a": "{}"}}', "x = 1  # {}\n", "f(b'{}')", "f'''\n{}\n'''"):
            redactor = Redactor()
            text = form.format(secret)
            made = redactor.text("m", text)
            assert secret not in made, (kind, form)
            assert redactor.removals, kind
            assert "removed: " in made
            if secrets.parses(text):
                assert secrets.parses(made), (kind, made)


def test_secrets_are_known_by_where_they_stand() -> None:
    """Assignments, dicts, headers, addresses and commands lose their secret, and what could be parsed still can."""
    for seed in range(3):
        for kind, (line, secret) in placed(seed).items():
            redactor = Redactor()
            made = redactor.text("m", line)
            assert secret not in made, kind
            assert not any(part in made for part in secret.split("\n")), kind
            assert secrets.parses(made) or not secrets.parses(line), (kind, made)
            assert Redactor().text("m", made) == made, kind  # nothing is taken out twice


@pytest.mark.parametrize(
    "line", ["password = {}", "connect(user='me', passwd={}, port=5432)", "x = {{'db_password': {}}}", "pwd: int = {}"]
)
def test_a_password_may_be_a_number(line: str) -> None:
    """A number of eight digits or more is taken out where a password stands, and the code can still be parsed."""
    made = Redactor().text("m", line.format(8417263590))
    assert "8417263590" not in made
    assert secrets.parses(made)


def test_ordinary_code_stays_as_it_is() -> None:
    """Hundreds of files of other packages lose almost nothing."""
    found, lines = [], 0
    for package in ("sklearn", "matplotlib"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        for path in sorted(Path(spec.origin).parent.glob("*/*.py"))[:90]:
            text = path.read_text("utf-8")
            lines += text.count("\n")
            found += [(path.name, text[one.start : one.end]) for one in Redactor().find(text)]
    assert lines > 30_000
    assert found == []


def test_our_own_code_travels_as_it_is() -> None:
    """The rules themselves are no secrets: a pack that carries this package carries it whole."""
    for package in ("modellab_jupyter", "evalharness"):
        for path in (ROOT / package).rglob("*.py"):
            redactor = Redactor()
            text = path.read_text("utf-8")
            assert (redactor.text(path.name, text), redactor.removals) == (text, [])


HARMLESS = [
    "commit = '0123456789abcdef0123456789abcdef01234567'",
    "digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
    "md5 = 'd41d8cd98f00b204e9800998ecf8427e'",
    "run_id = '123e4567-e89b-12d3-a456-426614174000'",
    "password = os.environ['PASSWORD']", "api_key = getpass('API key: ')", "token = get_token(user)",
    "password = input('Password: ')", "def login(password: str, token: str | None = None) -> None: ...",
    "api_key = ''", "api_key = None", "password = '***'", "password = '<your password>'", "token = '{token}'",
    "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')", "pad_token = '<pad>'", "token = 'hello'",
    "vectorizer = TfidfVectorizer(token_pattern=r'(?u)\\b\\w\\w+\\b')", "df['password_length'] = df.text.str.len()",
    "url = 'https://example.org:8080/path@2x.png'", "see https://example.org/@user/post", "mail me@example.org",
    "key = 'mean_squared_error_on_validation_2'", "keys = ['password', 'email', 'name']", "sort(key=lambda x: x[1])",
    "<div class='sk-toggleable__label sk-toggleable__label-arrow fitted'>", "<div id='sk-container-id-1'>",
    "author = 'Somebody'", "auth = None", "cross_val_score(estimator, X, y, cv=5)", "x = 'sk-learn-contrib-lightning'",
    "np.random.seed(12345678901234567890)", "secret_santa = True", "pass", "raise NotImplementedError  # pass",
    "pd.read_csv('s3://bucket/key.csv')", "dtype = {'token': 'category', 'password': 'str'}", "--- a/x.py\n+++ b/x.py",
    "git@github.com:user/repo.git", "postgresql://localhost:5432/database", "http://localhost:8888/?x=1",
    "authors = ['A. B.', 'C. D.']", "max_token_length = 512", "n_tokens: 1024", "auth_method = 'basic'",
    "max_tokens = 100000000", "password_changed = 20240131", "token = 12345678", "attempts_per_password = 3",
    "password == 12345678901 * factor", "pwd = 12345678.5", "kinds = {'auth_token': 'authToken'}",
    "keys = ('secret_key=', 'access_key='), r'x'",
]  # fmt: skip


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_lines_stay(line: str) -> None:
    """What only looks a little like a secret is left alone."""
    assert Redactor().text("m", line) == line


def test_pictures_and_tables_of_a_notebook_stay() -> None:
    """Base64 pictures, hexadecimal digests and HTML of estimators in outputs are not touched."""
    rng = random.Random(3)
    picture = base64.b64encode(rng.randbytes(60_000)).decode()
    outputs = [
        {"output_type": "display_data", "metadata": {}, "data": {
            "image/png": picture, "text/plain": ["<Figure size 640x480 with 1 Axes>"],
            "text/html": [f'<img src="data:image/png;base64,{picture}">\n', "<b>x</b>"]}},
        {"output_type": "stream", "name": "stdout", "text": [f"{rng.randbytes(32).hex()}\n" for _ in range(50)]},
    ]  # fmt: skip
    value = notebook(["1"], outputs)
    redactor = Redactor()
    redactor.study_json(value)
    assert redactor.json("m", value) == value


def test_what_was_found_once_is_taken_out_everywhere() -> None:
    """A password that an assignment gives away is gone from outputs too, in whatever way it is written there."""
    rng = random.Random(5)
    secret = drawn(rng, 9) + "/+ " + drawn(rng, 6) + '"é'
    redactor = Redactor()
    redactor.study(f"password = {secret!r}")
    told = [secret, json.dumps(secret), urllib.parse.quote(secret), json.dumps(json.dumps(secret)),
            base64.b64encode(b"me:" + secret.encode()).decode(),
            base64.b64encode(b"user:" + secret.encode()).decode(),
            base64.urlsafe_b64encode(secret.encode()).decode(), secret.encode().hex()]  # fmt: skip
    for text in told:
        made = redactor.text("m", f"it is {text}.")
        assert made != f"it is {text}.", text
        assert secret not in made
        assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-2] not in made


def test_json_stays_json_and_is_pointed_at() -> None:
    """Values under telling names go whole, others lose what is in them; removals say where, and never what."""
    rng = random.Random(6)
    one, two = drawn(rng, 12), tokens()["hugging face"]
    value = {"db": {"password": one, "user": "me"}, "list": ["a", f"use {two} here"], "a/b": {two: 1}, "n": 3}
    redactor = Redactor()
    made = redactor.json("m.json", value)
    assert one not in json.dumps(made)
    assert two not in json.dumps(made)
    assert made["db"] == {"password": "«removed: password»", "user": "me"}
    assert made["list"] == ["a", "use «removed: Hugging Face token» here"]
    rows = secrets.listed(redactor.removals)
    assert {row["where"] for row in rows} == {"/db/password", "/list/1", "/a~1b"}
    assert one not in json.dumps(rows)
    assert two not in json.dumps(rows)


words = st.text(string.ascii_letters + string.digits + " \n=\"'():,.#{}[]_-/", max_size=60)


@settings(max_examples=150, deadline=None)
@given(words, words, st.integers(0, 10_000), st.data())
def test_no_surrounding_hides_a_token(before: str, after: str, seed: int, data: st.DataObject) -> None:
    """Whatever stands around a token, unless it is a part of the same word, it is taken out, and once is enough."""
    kinds = tokens(seed)
    secret = kinds[data.draw(st.sampled_from(sorted(kinds)))]
    text = f"{before} {secret} {after}"
    made = Redactor().text("m", text)
    assert secret not in made
    if secrets.parses(text):
        assert secrets.parses(made)


def test_secrets_across_a_wide_text_take_little_time() -> None:
    """A long line is looked through in time that grows with its length alone, whatever it repeats."""
    import time

    key = "-----BEGIN PRIVATE" + " KEY-----"
    for part in (
        "password",
        "a.b-",
        "key=",
        "://",
        "token: ",
        '"token',
        "sk-",
        "eyJ",
        key,
        "password='",
        "AWS secret ",
    ):
        text = part * (200_000 // len(part))
        began = time.perf_counter()
        Redactor().find(text)
        assert time.perf_counter() - began < 60, part  # squared, it would be an hour


def everywhere(folder: Path, kinds: dict[str, tuple[str, str]]):
    """Return a run that holds every secret in every place of a pack: kind -> line of code and secret."""
    lines = [line for line, _ in kinds.values()]
    values = [secret for _, secret in kinds.values()]
    made = recorded(folder)
    text = "\n".join(lines)
    output = {"output_type": "stream", "name": "stdout", "text": [f"{value}\n" for value in values]}
    shown = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {
        "text/plain": [repr(values)], "application/json": {"held": values},
        "text/html": [f"<b>{v}</b>" for v in values]}}  # fmt: skip
    failed = {
        "output_type": "error",
        "ename": "E",
        "evalue": values[0],
        "traceback": [f"\x1b[31m{v}\x1b[0m" for v in values],
    }
    (folder / "work.ipynb").write_text(json.dumps(notebook([*lines, text], [output, shown, failed])))
    (folder / "helpers.py").write_text(text)
    (folder / "eval" / "takeaway.txt").write_text(text)
    (folder / "eval" / "metrics.json").write_text(json.dumps({"notes": values, "of": dict.fromkeys(values, 1)}))
    tools = editable(folder / "more", "house-more")
    (folder / "more" / "house_more" / "settings.py").write_text(text)
    executions = [Execution(i, "s", line, "error", f"c{i}", i, error=values[i]) for i, line in enumerate(lines)]
    executions.append(Execution(len(lines), "s", text, "ok", "whole"))
    files = [read(folder, f"conf/{i}.yaml", f"{line}\n".encode()) for i, line in enumerate(lines)]
    files.append(read(folder, "rows.csv", ("a,b\n" + "\n".join(f"{i},{v!r}" for i, v in enumerate(values))).encode()))
    files.append(read(folder, "held.bin", b"\0\xff" + "\0".join(values).encode()))
    run = {**made.run, "name": f"rf {values[0]}", "note": text, "tags": dict(enumerate(values)), "error": values[1]}
    series = {"last": 1.0, "series": {"steps": [0], "values": [1.0]}, "low": None, "high": None, "n": 1}
    git = Git(
        "0" * 40, True, f"https://me:{values[2]}@git.example.org/x.git", None, f"--- a\n+++ b\n+{text}\n".encode()
    )
    return replace(
        made, run=run, executions=tuple(executions), files=tuple(files), git=git,
        params={f"p{i}": v for i, v in enumerate(values)} | {"password": values[3], "nested": {"list": values}},
        metrics={f"m{i} {v}": series for i, v in enumerate(values)},
        environment={**environment(tools), "variables": {"TZ": values[4], "LANG": values[5]}},
    )  # fmt: skip


def test_none_of_many_planted_secrets_is_in_any_byte_of_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind in every place: none is in the file, in a member, in a member of a wheel, escaped or in base64."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kinds = {kind: (f'x = "{secret}"', secret) for kind, secret in tokens(11).items()} | placed(11)
    rng = random.Random(12)
    held = drawn(rng, 22) + "=" + drawn(rng, 4)
    monkeypatch.setenv("HOUSE_TOKEN", held)
    kinds["variable"] = (f'print("{held}")', held)
    assert len(kinds) >= 75
    pack = pack_recorded(everywhere(tmp_path / "nb", kinds), tmp_path / "a.zip")

    parts = {"the file": pack.path.read_bytes(), "its name": str(pack.path).encode()}
    with zipfile.ZipFile(pack.path) as file:
        parts |= {name: file.read(name) for name in file.namelist()} | {"names": "\n".join(file.namelist()).encode()}
    for name in [name for name in parts if name.endswith(".whl")]:
        (tmp_path / "w.whl").write_bytes(parts[name])
        with zipfile.ZipFile(tmp_path / "w.whl") as wheel:
            parts |= {f"{name}!{inner}": wheel.read(inner) for inner in wheel.namelist()}
    parts["str"] = (str(pack) + repr(pack)).encode()
    found = []
    for kind, (_, secret) in kinds.items():
        raw = secret.encode()
        ways = {raw, json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
                base64.b64encode(raw).rstrip(b"=")[:-1], repr(secret)[1:-1].encode()}  # fmt: skip
        ways |= {line for line in raw.split(b"\n") if len(line) > 20}  # of a private key
        found += [f"{kind} in {where}" for where, data in parts.items() if any(way in data for way in ways)]
    assert not found, found[:20]

    told = json.loads(parts["redactions.json"])
    assert {row["member"] for row in told} >= {
        "code/executions.jsonl", "code/replay.ipynb", "code/work.ipynb", "code/modules/helpers.py", "code/dirty.diff",
        "code/git.json", "params.json", "metrics.json", "data/index.json", "eval/eval/metrics.json",
        "eval/eval/takeaway.txt", "env/environment.json", "env/wheels!/house_more/settings.py",
    }  # fmt: skip
    assert all(set(row) == {"member", "kind", "where", "replacement"} for row in told)
    assert len(pack.redactions) == len(told)
    for line in parts["code/executions.jsonl"].splitlines():
        json.loads(line)
    cells = json.loads(parts["code/replay.ipynb"])["cells"]
    for (kind, (line, _)), cell in zip(kinds.items(), cells, strict=False):
        if secrets.parses(line):
            ast.parse("".join(cell["source"])) if not line.startswith(("%", "!")) else None
        assert cell["source"], kind


def test_variables_that_look_secret_are_known_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of such variables are looked for; paths, words and numbers are not, nor are other variables."""
    secret = drawn(random.Random(1), 16)
    monkeypatch.setenv("X_API_KEY", secret)
    monkeypatch.setenv("X_PASSWORD", "changeme")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent.sock")
    monkeypatch.setenv("X_TOKEN", "12345678")
    monkeypatch.setenv("X_OTHER", secret + "2")
    known = surroundings.secret_values()
    assert secret in known
    assert not {"changeme", "/tmp/agent.sock", "12345678", secret + "2"} & set(known)
    assert secret not in "".join(known.values())


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def whole(path: Path, folder: Path) -> dict[str, bytes]:
    """Return every member of a pack, those of its wheels included."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    for name in [name for name in parts if name.endswith(".whl")]:
        (folder / "w.whl").write_bytes(parts.pop(name))
        with zipfile.ZipFile(folder / "w.whl") as wheel:
            parts |= {f"{name}!{inner}": wheel.read(inner) for inner in wheel.namelist()}
    return parts


@pytest.mark.usefixtures("_own_cache")
@pytest.mark.parametrize("name", [".env", "settings.ini", "secret.txt", "service.key"])
def test_a_password_of_a_data_file_is_gone_from_what_printed_it(tmp_path: Path, name: str) -> None:
    """What a file gives away is taken out of cells and outputs as well, and the file stays here."""
    secret = drawn(random.Random(8), 18)
    text = f"DB_PASSWORD={secret}\n" if name == ".env" else f"[db]\npassword = {secret}\n" if "ini" in name else secret
    folder = tmp_path / "nb"
    made = recorded(folder)
    output = {"output_type": "stream", "name": "stdout", "text": [f"it is {secret}\n"]}
    (folder / "work.ipynb").write_text(json.dumps(notebook(["print(x)"], [output])))
    made = replace(made, files=(read(folder, name, text.encode()),),
                   executions=(Execution(0, "s", f"x = f({secret!r})", "ok"),))  # fmt: skip
    pack = pack_recorded(made, tmp_path / "a.zip")
    parts = whole(pack.path, tmp_path)
    assert not [where for where, data in parts.items() if secret.encode() in data]
    (row,) = json.loads(parts["data/index.json"])
    assert row["member"] is None
    assert "secret" in row["left_out"]
    assert [one["path"] for one in pack.left_out] == [name]


@pytest.mark.usefixtures("_own_cache")
def test_every_text_of_a_wheel_is_looked_through(tmp_path: Path) -> None:
    """Whatever a file of an editable package is called, its secrets stay here; key files and such bytes go whole."""
    rng = random.Random(9)
    secret, other, token = drawn(rng, 18), drawn(rng, 40), tokens(9)["hugging face"]
    row = editable(tmp_path / "tools")
    package = tmp_path / "tools" / "house_tools"
    (package / "settings.py").write_text(f"PASSWORD = {secret!r}\n")
    (package / "deploy.sh").write_text(f"#!/bin/sh\nexport API_TOKEN={token}\n")
    (package / "service.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{other}\n-----END PRIVATE KEY-----\n")
    (package / "model.bin").write_bytes(b"\xff\0" + token.encode() + b"\0")
    (package / "fine.bin").write_bytes(b"\xff\0 fine")
    made = recorded(tmp_path / "nb")
    made = replace(
        made, environment=environment(row), executions=(Execution(0, "s", f"f({secret!r}, {other!r})", "ok"),)
    )
    pack = pack_recorded(made, tmp_path / "a.zip")
    parts = whole(pack.path, tmp_path)
    for one in (secret, other, token):
        assert not [where for where, data in parts.items() if one.encode() in data]
    names = {name.rpartition("/")[2] for name in parts}
    assert {"deploy.sh", "settings.py", "fine.bin"} <= names
    assert not {"service.pem", "model.bin"} & names
    assert {one["path"].rpartition("/")[2] for one in pack.left_out if "env/wheels" in one["path"]} == {
        "service.pem", "model.bin",
    }  # fmt: skip


def test_secrets_of_long_texts_are_found_by_their_place() -> None:
    """However long a text is, an assignment in its middle is seen."""
    secret = drawn(random.Random(10), 20)
    line = "the quick brown fox jumps over the lazy dog\n" * 40_000
    assert secret not in Redactor().text("m", f"{line}password = {secret!r}\n{line}")
    assert len(line) * 2 > secrets.PROSE_CAP


def test_keys_that_are_printed_often_are_no_picture() -> None:
    """Base64 is a picture only in long lines without blanks."""
    secret = drawn(random.Random(11), 40)
    for between in ("\n", " "):
        redactor = Redactor()
        redactor.study(f"aws_secret_access_key = {secret!r}")
        text = between.join([secret] * 25)
        assert secret not in redactor.text("m", text)
    key = tokens(11)["aws"]
    assert key not in Redactor().text("m", "\n".join([key] * 25))


def test_numbers_under_telling_names_are_secrets() -> None:
    """A number of six digits or more under the name of a password goes; counts of tokens and small numbers stay."""
    value = {
        "password": 12345678,
        "api_key": 987654,
        "max_token": 1000000,
        "passwords": 3,
        "secret": True,
        "token": 123456,
    }
    made = Redactor().json("m", value)
    assert made == value | {"password": "«removed: password»", "api_key": "«removed: key»"}


@pytest.mark.usefixtures("_own_cache")
def test_compressed_data_are_told_to_be_unseen(tmp_path: Path) -> None:
    """A pack that carries compressed data says that nobody looked for secrets inside."""
    made = recorded(tmp_path / "nb")
    files = (read(tmp_path / "nb", "a.csv.gz", b"\x1f\x8b\0\xff"), read(tmp_path / "nb", "b.npz", b"PK\3\4\xff"))
    pack = pack_recorded(replace(made, files=files), tmp_path / "a.zip")
    assert any("a.csv.gz, b.npz" in one for one in pack.caveats)


@pytest.mark.usefixtures("_own_cache")
def test_known_secrets_are_taken_out_of_locks_and_digests_stay() -> None:
    """A lock loses what was found elsewhere, never a digit of a digest."""
    redactor = Redactor({"abcdef12": "token", "corp-index-7": "token"})
    digest = "abcdef12" * 8
    made = redactor.known("lock", f"a @ https://corp-index-7/a.whl --hash=sha256:{digest}\n")
    assert made == f"a @ https://<removed: token>/a.whl --hash=sha256:{digest}\n"
