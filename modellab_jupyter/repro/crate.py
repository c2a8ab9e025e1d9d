"""What a pack says of itself to machines and people: RO-Crate metadata, a citation, instructions. Texts alone."""

from __future__ import annotations

import json
import mimetypes
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from modellab_jupyter.repro.records import Recorded

SPECIFICATION: Final = "https://w3id.org/ro/crate/1.2"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
METADATA: Final = "ro-crate-metadata.json"

_FORMATS = {
    ".ipynb": "application/x-ipynb+json", ".jsonl": "application/jsonl", ".md": "text/markdown", ".lock": "text/plain",
    ".toml": "application/toml", ".cff": "application/yaml", ".sha256": "text/plain", ".diff": "text/x-diff",
    ".whl": "application/zip", ".py": "text/x-python", ".json": "application/json", ".csv": "text/csv",
    ".png": "image/png", ".txt": "text/plain", ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip
_WHAT = {
    "reproduce.md": "What this pack is and how to use it", "code/executions.jsonl": "Every executed cell, in order",
    "code/replay.ipynb": "What ran, as a notebook", "env/requirements.lock": "The environment, with hashes",
    "env/pylock.toml": "The environment, as PEP 751 has it", "env/environment.json": "Every installed distribution",
    "env/platform.json": "The machine that it ran on", "data/index.json": "Every file that was read",
    "params.json": "Parameters of the run", "metrics.json": "Metrics of the run", "state/rng.json": "Random states",
    "redactions.json": "What was taken out", "manifest.sha256": "Digests of all files", "CITATION.cff": "How to cite",
    "code/git.json": "The commit it ran from", "code/dirty.diff": "What differed from the commit",
}  # fmt: skip


def iri(name: str) -> str:
    """Return a member's name as RO-Crate refers to it."""
    return urllib.parse.quote(name, safe="/:@!$&'()*+,;=~-._")


def media(name: str) -> str:
    """Return a media type by a file's name, the same on every system."""
    suffix = name[name.rfind(".") :].lower() if "." in name.rsplit("/", 1)[-1] else ""
    known = _FORMATS.get(suffix) or mimetypes.types_map_default.get(suffix) if suffix else None  # type: ignore[attr-defined]
    return str(known or "application/octet-stream")


def began(recorded: Recorded) -> datetime:
    """Return when a run started, in UTC; the beginning of 1970 where nobody knows."""
    try:
        when = datetime.fromisoformat(str(recorded.run.get("started_at")))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def title(run: Mapping[str, Any]) -> str:
    """Return what a run is called in a sentence."""
    project = f" of project {run['project']!r}" if run.get("project") else ""
    return f"run {run.get('name') or run.get('run_id')!r}{project}"


def metadata(recorded: Recorded, run: Mapping[str, Any], params: Mapping[str, Any], sizes: Mapping[str, int],
             data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # fmt: skip
    """Return RO-Crate metadata of a run whose files are known.

    Parameters
    ----------
    run, params : mapping
        Without secrets.
    sizes : mapping
        Member -> bytes, of all but the metadata and the manifest.
    data : sequence
        The rows of ``data/index.json``.
    """
    start = began(recorded)
    instrument = next((name for name in sizes if re.fullmatch(r"code/[^/]+\.(py|ipynb)", name)
                       and name != "code/replay.ipynb"), "code/replay.ipynb")  # fmt: skip
    results = [name for name in sizes if name == "metrics.json" or name.startswith("eval/")]
    used = [row["member"] for row in data if row["member"]]
    failed = run.get("status") not in {"completed", "finished", "ok", "running"} or bool(run.get("error"))
    numbers = [
        {"@id": f"#param-{iri(name)}", "@type": "PropertyValue", "name": name, "value": _plain(value)}
        for name, value in sorted(params.items())
    ]
    figures = [
        {"@id": f"#metric-{iri(name)}", "@type": "PropertyValue", "name": name, "value": _plain(one.get("last"))}
        for name, one in sorted(recorded.metrics.items()) if one.get("last") is not None
    ]  # fmt: skip
    action: dict[str, Any] = {
        "@id": "#run", "@type": "CreateAction", "name": title(run), "instrument": _ref(instrument),
        "object": [_ref(name) for name in used] + [{"@id": one["@id"]} for one in numbers],
        "result": [_ref(name) for name in results] + [{"@id": one["@id"]} for one in figures],
        "startTime": start.isoformat(timespec="seconds"), "agent": {"@id": "#who"},
        "actionStatus": f"http://schema.org/{'Failed' if failed else 'Completed'}ActionStatus",
        "description": f"Recorded by modellab-jupyter {_version(recorded)}.",
    }  # fmt: skip
    if isinstance(run.get("duration"), int | float):
        action["endTime"] = (start + timedelta(seconds=float(run["duration"]))).isoformat(timespec="seconds")
    if run.get("error"):
        action["error"] = str(run["error"])[:1000]
    files = [_file(name, sizes[name], instrument) for name in sorted(sizes)]
    graph: list[dict[str, Any]] = [
        {
            "@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": SPECIFICATION},
        },
        {
            "@id": "./", "@type": "Dataset", "name": f"Reproducibility pack of {title(run)}",
            "description": str(run.get("note") or f"All that is needed to run {title(run)} again and to compare."),
            "datePublished": start.date().isoformat(), "license": {"@id": "#licence"}, "author": {"@id": "#who"},
            "publisher": {"@id": "#who"}, "conformsTo": {"@id": PROFILE},
            "mentions": {"@id": "#run"}, "mainEntity": _ref(instrument),
            "hasPart": [_ref(name) for name in sorted(sizes)],
        },
        {"@id": PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": "#licence", "@type": "CreativeWork", "name": "No licence was stated",
            "description": "Whoever made this run said nothing of a licence; ask before you use it for more than "
            "checking it.",
        },
        {"@id": "#who", "@type": "Person", "name": author(recorded)},
        {
            "@id": "#python", "@type": "ComputerLanguage", "name": "Python", "url": "https://www.python.org/",
            "version": str(recorded.environment.get("python") or "unknown"),
        },
        action, *files, *numbers, *figures,
    ]  # fmt: skip
    if recorded.git is not None and recorded.git.remote and recorded.git.remote.startswith("http"):
        graph[1]["isBasedOn"] = {"@id": recorded.git.remote}
        graph.append({"@id": recorded.git.remote, "@type": "CreativeWork", "name": "The repository",
                      "version": recorded.git.commit})  # fmt: skip
    return {"@context": f"{SPECIFICATION}/context", "@graph": graph}


def author(recorded: Recorded) -> str:
    """Return who is credited: what the run's tag ``author`` says."""
    tags = recorded.run.get("tags")
    said = tags.get("author") if isinstance(tags, Mapping) else None
    return str(said) if said else "Anonymous"


def _version(recorded: Recorded) -> str:
    for one in recorded.environment.get("distributions") or []:
        if re.sub(r"[-_.]+", "-", str(one.get("name"))).lower() == "modellab-jupyter":
            return str(one.get("version"))
    return str((recorded.environment.get("packages") or {}).get("modellab-jupyter", "unknown"))


def _ref(name: str) -> dict[str, str]:
    return {"@id": iri(name)}


def _file(name: str, size: int, instrument: str) -> dict[str, Any]:
    kinds: Any = ["File", "SoftwareSourceCode"] if name == instrument else "File"
    entry = {
        "@id": iri(name), "@type": kinds, "name": name.rsplit("/", 1)[-1], "contentSize": str(size),
        "encodingFormat": media(name), "description": _described(name),
    }  # fmt: skip
    if name == instrument:
        entry |= {"programmingLanguage": {"@id": "#python"}, "version": "as recorded"}
    return entry


def _described(name: str) -> str:
    kinds = {
        "data/files/": "A file that the run read", "code/modules/": "A local module that the run imported",
        "env/wheels/": "A distribution that no index has", "eval/": "A file of an evaluation",
    }  # fmt: skip
    return _WHAT.get(name) or next(
        (what for top, what in kinds.items() if name.startswith(top)), "The code as it was saved"
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON-LD has one: a number, a truth value or a text."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def citation(recorded: Recorded, run: Mapping[str, Any]) -> str:
    """Return CITATION.cff; its texts are JSON strings, which YAML reads."""

    def quoted(text: str) -> str:
        kept = "".join(c if c.isprintable() else " " for c in text)
        return json.dumps(kept, ensure_ascii=False)

    who = author(recorded)
    first, _, last = who.rpartition(" ")
    people = (
        f"  - given-names: {quoted(first)}\n    family-names: {quoted(last)}\n"
        if first
        else f"  - alias: {quoted(who)}\n"
    )
    lines = [
        "cff-version: 1.2.0\n", "message: If you use this run, please cite it.\n", "type: dataset\n",
        f"title: {quoted(f'Reproducibility pack of {title(run)}')}\n", "authors:\n", people,
        f"date-released: {began(recorded).date().isoformat()}\n",
    ]  # fmt: skip
    if recorded.git is not None and re.fullmatch(r"https?://[^\s\"]+", recorded.git.remote or ""):
        lines.append(f"repository-code: {quoted(recorded.git.remote or '')}\n")
    if recorded.git is not None and re.fullmatch(r"[0-9a-f]{7,64}", recorded.git.commit):
        lines.append(f"commit: {quoted(recorded.git.commit)}\n")
    lines += [
        "references:\n", "  - type: software\n", "    title: modellab-jupyter\n",
        f"    version: {quoted(_version(recorded))}\n", "    authors:\n",
        "      - name: The ModelLab authors\n",
    ]  # fmt: skip
    return "".join(lines)


def instructions(recorded: Recorded, run: Mapping[str, Any], data: Sequence[Mapping[str, Any]],
                 removed: Sequence[Mapping[str, Any]], caveats: Sequence[str]) -> str:  # fmt: skip
    """Return reproduce.md, for whoever holds the pack and nothing else."""
    environment = recorded.environment
    python = str(environment.get("python") or "3")
    minor = ".".join(python.split(".")[:2])
    ran = [one for one in recorded.executions if one.parent is None]
    carried = [row for row in data if row["member"]]
    left = [row for row in data if not row["member"]]
    code = "a script" if recorded.script else f"{len(ran)} executed cells"
    hashes = "" if any("no hash" in one for one in caveats) else "--require-hashes "
    summary = (
        f"Started {began(recorded).isoformat(sep=' ')}, Python {python} on "
        f"{_line(str(environment.get('platform') or 'an unknown system'))}; {code}, {len(recorded.metrics)} metrics, "
        f"{len(carried)} of {len(data)} files that it read."
    )
    by_hand = [
        "unzip PACK.zip -d pack && cd pack", "sha256sum -c manifest.sha256", f"uv venv --python {minor} .venv",
        f"(cd env && uv pip install --python ../.venv --no-deps {hashes}-r requirements.lock)",
        "# data/index.json says which file of data/files/ belongs at which path", _run(recorded),
    ]  # fmt: skip
    by_command = [
        "pip install modellab-jupyter", "modellab verify PACK.zip       # runs nothing",
        "modellab reproduce PACK.zip    # asks, then rebuilds, runs the code in the pack and compares",
    ]  # fmt: skip
    said = [
        f"# {_line(title(run)[:1].upper() + title(run)[1:])}\n", f"{summary}\n",
        "\n".join(["## Check it\n", "```bash", *by_command, "```\n"]),
        "\n".join(["## By hand\n", "```bash", *by_hand, "```\n"]),
    ]  # fmt: skip
    if recorded.metrics:
        rows = [f"| {_cell(name)} | {_cell(repr(one.get('last')))} |" for name, one in sorted(recorded.metrics.items())]
        said.append("## What came out\n\n| metric | last value |\n| --- | --- |\n" + "\n".join(rows[:200]) + "\n")
    if caveats:
        said.append("## Caveats\n\n" + "".join(f"- {_line(one)}\n" for one in caveats))
    if left:
        rows = [f"| {_cell(row['path'])} | {row['size']} | {_cell(row['left_out'])} |" for row in left]
        said.append("## Left out\n\n| file | bytes | why |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    if removed:
        rows = [f"| {_cell(row['member'])} | {_cell(row['where'])} | {_cell(row['kind'])} |" for row in removed]
        said.append("## Removed\n\nWhat looked like a secret. Give it anew where the code needs it.\n\n"
                    "| file | where | kind |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")  # fmt: skip
    else:
        said.append("## Removed\n\nNothing looked like a secret.\n")
    return "\n".join(said)


def _run(recorded: Recorded) -> str:
    if recorded.script:
        return ".venv/bin/python code/" + _line(recorded.script.replace("\\", "/").rsplit("/", 1)[-1])
    return ".venv/bin/python -m jupyter nbconvert --to notebook --execute code/replay.ipynb --output replayed.ipynb"


def _line(text: str) -> str:
    """Return a text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", " ".join(text.split()))


def _cell(value: object) -> str:
    return _line(str(value))[:300]
