"""Secrets in texts: what looks like one is replaced by a mark, and every removal is told, never with what was removed.

Three sources agree on nothing but the result: rules for tokens that have a form of their own, rules for places where
secrets stand (assignments, headers, addresses), and the detectors of detect-secrets that do not guess by entropy. What
was found once is removed wherever it stands, also escaped, quoted or in base64.
"""

from __future__ import annotations

import ast
import base64
import codecs
import contextlib
import functools
import json
import math
import re
import urllib.parse
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

MARK: Final = "«removed: {}»"
ASCII_MARK: Final = "<removed: {}>"  # where the other would break a text: literals of bytes
NAME_MARK: Final = "removed_{}"  # outside of quotes

SHORTEST: Final = 6  # characters of a value that is removed where it stands elsewhere
WINDOW: Final = 8 << 20  # bytes of a file that are looked at together
OVERLAP: Final = 8 << 10
FILE_CAP: Final = 256 << 20  # bytes of a file that are looked through
PROSE_CAP: Final = 512 << 10  # bytes of a data file that are looked at as one text; larger ones in windows
HINTED_CAP: Final = 512 << 10  # characters around hints that are looked at in a large data file
KEY_CAP: Final = 64 << 10  # bytes of a file that is nothing but a secret


class Found(NamedTuple):
    """A secret's place in a text."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Removal:
    """Something that was taken out.

    Attributes
    ----------
    member : str
        The file of the pack; behind ``!`` the file of a wheel.
    where : int or str
        The line, or a JSON pointer.
    replacement : str or None
        What stands there now; None where the whole file was left out.
    """

    member: str
    kind: str
    where: int | str
    replacement: str | None


class Rule(NamedTuple):
    """Tokens of a form of their own: a literal that each has, in lower case, and the pattern; group 1 if any."""

    kind: str
    anchors: tuple[str, ...]
    pattern: str


_B = r"(?<![A-Za-z0-9_])"  # what stands before a token is no part of a word
_TOKENS: Final = (
    Rule("Anthropic key", ("sk-ant-",), _B + r"sk-ant-[A-Za-z0-9_-]{20,}"),
    Rule("OpenRouter key", ("sk-or-",), _B + r"sk-or-(?:v\d-)?[A-Za-z0-9]{32,}"),
    Rule("OpenAI key", ("sk-",),
         _B + r"sk-(?=[\w-]{0,200}[0-9])(?=[\w-]{0,200}[A-Z])[A-Za-z0-9_-]{20,300}(?![\w-]{100})"),
    Rule("API key", ("sk-",), _B + r"sk-(?:[a-z]{2,8}-)?(?=[0-9a-f]*[0-9])[0-9a-f]{32,}(?![A-Za-z0-9_-])"),
    Rule("Hugging Face token", ("hf_", "api_org_"), _B + r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Rule("W&B key", ("wandb_v",), _B + r"wandb_v\d_[A-Za-z0-9_]{30,}"),
    Rule("W&B key", ("wandb",),
         r"(?i:wandb)[^\n]{0,80}?(?<![A-Za-z0-9])((?:local-)?[0-9a-f]{40})(?![0-9a-z])"),
    Rule("Google key", ("aiza",), _B + r"AIza[0-9A-Za-z_-]{35}"),
    Rule("Google client secret", ("gocspx-",), r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    Rule("Google token", ("ya29.",), _B + r"ya29\.[0-9A-Za-z_-]{20,}"),
    Rule("Google refresh token", ("1//0",), _B + r"1//0[A-Za-z0-9_-]{30,}"),
    Rule("AWS access key", ("akia", "asia", "abia", "acca", "a3t"),
         _B + r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    Rule("AWS secret key", ("aws",),
         r"(?i:aws)[^\n]{0,40}?(?i:secret|key|token)[^\n]{0,20}?[\"'=:\s]([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    Rule("AWS session token", ("session_token", "sessiontoken"),
         r"(?i:session_?token)[\"'\]]*\s*[=:,]\s*[\"']?([A-Za-z0-9/+=]{80,})"),
    Rule("Azure key", ("accountkey=", "sharedaccesskey="), r"(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]{40,})"),
    Rule("Azure signature", ("sig=",), r"[?&;]sig=([A-Za-z0-9%+/=]{30,})"),
    Rule("Azure client secret", ("q~",), r"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34})"),
    Rule("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
         _B + r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    Rule("GitLab token",
         ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glcbt-", "glptt-", "glagent-", "gloas-", "glimt-"),
         _B + r"gl(?:pat|dt|ft|soat|rt|cbt|ptt|agent|oas|imt)-[A-Za-z0-9_.-]{20,}"),
    Rule("Slack token", ("xox", "xapp-"), _B + r"(?:xox[abceoprsd]|xapp)-[A-Za-z0-9-]{10,}"),
    Rule("Slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9_/]{20,})"),
    Rule("Discord webhook", ("/api/webhooks/",), r"/api/webhooks/\d+/([A-Za-z0-9_-]{30,})"),
    Rule("Stripe key", ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"),
         _B + r"(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9+/=]{16,}"),
    Rule("npm token", ("npm_", "_authtoken"), _B + r"npm_[A-Za-z0-9]{30,}|_authToken\s*=\s*[\"']?([^\s\"']{8,})"),
    Rule("PyPI token", ("pypi-ag",), _B + r"pypi-Ag[A-Za-z0-9_-]{40,}"),
    Rule("Databricks token", ("dapi",), _B + r"dapi[0-9a-f]{32}(?:-\d)?"),
    Rule("JSON web token", ("eyj",), _B + r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    Rule("SendGrid key", ("sg.",), _B + r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,}"),
    Rule("Twilio key", ("sk", "ac"), _B + r"(?:SK|AC)(?=[0-9a-f]*\d)[0-9a-f]{32}(?![A-Za-z0-9])"),
    Rule("Telegram token", (":aa",), r"(?<![\w])\d{8,10}:AA[0-9A-Za-z_-]{33}"),
    Rule("DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), _B + r"do[por]_v1_[0-9a-f]{40,}"),
    Rule("Replicate token", ("r8_",), _B + r"r8_[A-Za-z0-9]{30,}"),
    Rule("Groq key", ("gsk_",), _B + r"gsk_[A-Za-z0-9]{30,}"),
    Rule("xAI key", ("xai-",), _B + r"xai-[A-Za-z0-9]{40,}"),
    Rule("Perplexity key", ("pplx-",), _B + r"pplx-[A-Za-z0-9]{30,}"),
    Rule("NVIDIA key", ("nvapi-",), _B + r"nvapi-[A-Za-z0-9_-]{40,}"),
    Rule("Notion token", ("secret_", "ntn_"), _B + r"(?:secret|ntn)_(?=[A-Za-z]*\d)[A-Za-z0-9]{40,}"),
    Rule("Docker token", ("dckr_",), _B + r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    Rule("Vault token", ("hvs.", "hvb."), _B + r"hv[sb]\.[A-Za-z0-9_-]{20,}"),
    Rule("Terraform token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}"),
    Rule("Grafana token", ("glsa_", "glc_"), _B + r"gl(?:sa|c)_[A-Za-z0-9+/=_]{30,}"),
    Rule("Shopify token", ("shpat_", "shpss_", "shpca_"), _B + r"shp(?:at|ss|ca)_[0-9a-fA-F]{32}"),
    Rule("Linear key", ("lin_api_",), _B + r"lin_api_[A-Za-z0-9]{30,}"),
    Rule("Postman key", ("pmak-",), _B + r"PMAK-[0-9a-f]{20,}-[0-9a-f]{30,}"),
    Rule("New Relic key", ("nrak-",), _B + r"NRAK-[A-Z0-9]{25,}"),
    Rule("Supabase token", ("sbp_", "sb_secret_"), _B + r"(?:sbp|sb_secret)_[A-Za-z0-9_]{20,}"),
    Rule("Mapbox token", ("sk.eyj",), _B + r"sk\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{10,}"),
    Rule("age key", ("age-secret-key-",), r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    Rule("Mailchimp key", ("-us",), _B + r"[0-9a-f]{32}-us\d{1,2}(?![0-9a-z])"),
    Rule("Kaggle key", ('"username"',), r'"username"[^{}\n]{0,120}"key\\?"\s*:\s*\\?"([0-9a-f]{32})'),
    Rule("private key", ("private key",),
         r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----((?:(?!-----BEGIN)[\s\S]){16,20000}?)(?=-----END)"),
    Rule("private key", ("private key",),
         r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----([A-Za-z0-9+/=\s\\]{40,})(?![A-Za-z0-9+/=\s\\]|-----END)"),
    Rule("private key", ("putty-user-key",), r"Private-Lines: \d+\s+([A-Za-z0-9+/=\s]{40,})"),
    Rule("password in an address", ("://",),
         r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@\"'<>`]{0,200}:(?!\d{1,5}/)([^\s@\"'<>`]{1,500})@(?=[A-Za-z0-9\[{$<])"),
    Rule("token in an address", ("://",), r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://((?=[A-Za-z]{0,300}\d)[A-Za-z0-9_.~-]{16,300})@(?=[A-Za-z0-9\[])"),
)  # fmt: skip

_STRONG = "|".join((
    r"pass(?:word|wd|phrase)|pwd|secret|apikey|credentials?",
    r"(?:api|access|account|private|auth|encryption|signing|master|service|license|subscription)[_-]?key",
    r"(?:auth|access|refresh|bearer|api|hf)[_-]?token",
))  # fmt: skip
_NAMES = (
    rf"(?:[\w.-]{{0,60}}?(?:{_STRONG})\d{{0,9}}|[\w.-]{{0,60}}?(?<![A-Za-z])(?:token|pass|pw|cred|auth|pat)\d{{0,9}})"
)
_WEAK = re.compile(r"(?:^|[_.\-])(?:token|pass|pw|pat|cred|auth)\d*$", re.IGNORECASE)
_NAME = re.compile(_NAMES, re.IGNORECASE)

_FREE = r"(?<![\w.-])"  # a name begins here
_OPEN = r"[rbfu]{0,2}"  # before a literal
_BARE = r"[^\s\"'`;,()\[\]{}]+"  # a value without quotes
_SITE = r"(?:host|hostname|dbname|database|user|username|uid|server|port|data source|initial catalog)"
_BY = r"(?:bearer|basic|token|apikey|key|digest)"

# Where secrets stand: the kind, the pattern whose last group is the value, whether that must look drawn by lot.
_PLACES: Final = tuple(
    (kind, re.compile("".join(pattern), re.IGNORECASE | re.MULTILINE), lot)
    for kind, lot, *pattern in (
        ("named", False, rf"{_FREE}({_NAMES})\\?[\"']?\]?\s*(?::\s*[\w.\[\]| ]+\s*=|:=|=>?|:)\s*\(?\s*{_OPEN}",
         r"(\\?[\"'`]{1,3})((?:(?!\2)(?:\\.|[^\n\\])){1,600}?)\2"),
        ("password", False, rf"{_FREE}[\w.-]{{0,60}}?(?:pass(?:word|wd|phrase|code)|pwd)\\?[\"']?\]?\s*",
         r"(?::\s*int\s*=|=|:)\s*(\d{8,64})(?![\w.])"),
        ("named", False, r"(?:environ|env|setdefault|putenv|set_?secret|set_password|userdata)\W[^\n]{0,40}?",
         rf"({_NAMES})[\"']\]?\s*,\s*{_OPEN}", r"([\"'])((?:(?!\2)[^\n\\]){1,600}?)\2"),
        ("named", True, rf"{_FREE}([\w.-]{{0,60}}?(?:secret|token|api[_-]?key|password|passwd|credential)",
         r"[\w.-]{0,60})",
         rf"\\?[\"']?\]?\s*(?:==?|:=|=>|:|,|\()\s*{_OPEN}", r"(\\?[\"'])([^\s\"'\\]{16,600})\2"),
        ("named", False, r"^[ \t]*(?:[%!$>#]\s*)?(?:export\s+|%?env\s+|set\s+|setx\s+|ENV\s+)",
         rf"({_NAMES})(\s*=\s*|\s+)([^\s\"';]+)"),
        ("named", True, rf"(?:^|[\s;\"'])([A-Z][A-Z0-9_]{{0,60}}?(?:{_STRONG}|TOKEN|PASS|PW))(=)",
         rf"({_BARE})(?=[\s\"';\\]|$)"),
        ("named", False, rf"(?:^|[\s\"'])--?({_NAMES})(?:=|\s+)([^\s\"'`,()\[\]\\-][^\s\"'`,()\[\]]*)"),
        ("password", False, rf"(?:[;?&]|\b{_SITE}\s{{0,9}}=\s{{0,9}}[^\s;,()\"'=]{{1,200}}(?:;|\s{{1,9}}))\s{{0,9}}",
         r"(?:password|passwd|pwd)\s*=\s*([^\s;&\"',()]+)"),
        ("password", False, rf"\b(?:password|pwd)\s*=\s*([^\s;&\"',()]+)(?:;|\s+)\s*{_SITE}\s*="),
        ("named", True, rf"^[ \t-]*\\?[\"']?({_NAMES})\\?[\"']?\s*[:=]\s+([^\s\"'`,()\[\]{{}}<>]+)[ \t]*$"),
        ("named", False, rf"<({_NAMES})>([^<>\s]{{1,600}})</"),
        ("password", False, r"\bmachine\s{1,9}\S{1,200}\s{1,9}login\s{1,9}\S{1,200}\s{1,9}password\s{1,9}(\S{1,300})"),
        ("password", False, r"\b(?:curl|wget)\b[^\n]{0,300}?\s(?:-u|--user)[ =]*[\"']?[^\s:\"']+:([^\s\"']+)"),
        ("password", False, r"\bauth\s*=\s*\(\s*[\"'][^\"'\n]{0,200}[\"']\s*,\s*[\"']([^\"'\n]{1,300})[\"']\s*\)"),
        ("authorization", False, rf"authorization\\?[\"']?\]?\s*[:=,]\s*{_OPEN}\\?[\"']?{_BY}\s+",
         r"([^\s\"'\\,<>{}]{6,})"),
        ("authorization", True, r"\bbearer[ ]+([A-Za-z0-9._~+/=-]{16,})"),
        ("authorization", False, r"\bx-(?:api-key|auth-token|access-token|amz-security-token)",
         r"\\?[\"']?\s*[:=,]\s*\\?[\"']?([^\s\"'\\]{6,})"),
        ("cookie", True, r"\b(?:set-)?cookie\\?[\"']?\s*:\s*\\?[\"']?[^\n\"'=;]{1,60}=([^\s\"';\\]{12,})"),
    )
)  # fmt: skip
_HINT = re.compile(  # in lower case; the rules for places are slow, and tried around these alone
    r"pass(?!\s*(?:\n|#|$))|pwd|secret|token|cred|auth(?!or[^i])|bearer|cookie|curl|wget|apikey|ibm|cloudant|softlayer"
    r"|(?:api|access|account|private|auth|encryption|signing|master|service|license|subscription)[_-]?key"
    r"|(?<![a-z])pw|(?<![a-z])pat(?![a-z])|x-amz-"
)
_LARGE_HINT = re.compile(  # what such a word begins in large texts, which have many of them and few values behind
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|cred(?:ential)?s?|auth|pw|pat|apikey|[a-z]{3,12}[_-]?key)\d{0,9}"
    r"(?:\\?[\"'`]?\]?\s{0,3}[:=>,]|[\w.-]{0,20}\\?[\"']?\]?\s{0,3}[:=,(]\s{0,3}\\?[\"'][^\s\"']{16})"
    r"|authorization|bearer|cookie|curl|wget|x-amz-|password\s{1,9}\S"
)
_BEFORE, _AFTER = 200, 800  # characters around a hint that are looked at, where lines are long

_DULL = {
    "str", "string", "text", "object", "float", "float32", "float64", "int", "int32", "int64", "bool", "category",
    "password", "passwd", "pwd", "passphrase", "secret", "token", "key", "apikey", "api_key", "none", "null", "nan",
    "true", "false", "hidden", "redacted", "removed", "masked", "required", "optional", "basic", "bearer", "plain",
    "example", "test", "default", "unknown", "missing", "empty", "todo", "value", "name", "username", "user", "yes",
    "no", "on", "off", "auto", "prompt", "keyring", "bytes", "any", "type", "field", "column", "label", "feature",
    "number", "integer", "numeric", "positional", "store_true", "query", "header", "invalid", "wrong", "ok",
}  # fmt: skip
_PLACEHOLDER = re.compile(  # the first is also what stands between two literals
    r"[\W_]*[rbfu]{0,2}|<[^<>]*>|\{[^{}]*\}|%\(?\w*\)?[sdr]|\$\{?[A-Za-z_]\w*\}?|%\w+%|x{3,}|\.{3}|\*+|your[\W_][^\d]*"
    r"|(?:insert|enter|put|add|replace|change)[\W_]?(?:me|your|here|it)?[^\d]*here",
    re.IGNORECASE | re.DOTALL,
)
_LETTERS = re.compile(r"[^\W_]")
_CONSTANT = re.compile(r"[A-Z]+\d?(?:_[A-Z]+\d?)+")  # the name of a variable
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*\(?|[A-Za-z_][\w.]*\[.*|[\d.,eE+-]+%?")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{60,}\r?\n)*[A-Za-z0-9+/]+={0,2}\s*")  # a picture: long lines, no blanks
_KEY_NAME = re.compile(r"(?:^|[^a-z])(?:key|token|secret|passw(?:or)?d|credential)s?(?:[^a-z]|$)|apikey|api_key")
_KEY_FILE = re.compile(
    r"\.(?:pem|key|p12|pfx|jks|ppk|keystore)$|(?:^|/)\.env(?:\.[\w.-]+)?$|\.env$"
    r"|(?:^|/)id_(?:rsa|dsa|ecdsa|ed25519)$"
)


def _dull(value: str) -> bool:
    """Tell whether a value that stands where a secret would is a word, a type or a place for one."""
    bare = value.strip()
    return (
        len(bare) < 4
        or bare.lower() in _DULL
        or _PLACEHOLDER.fullmatch(bare) is not None
        or _CONSTANT.fullmatch(bare) is not None
        or bare.startswith(("«removed", "<removed", "removed_", "os.environ", "getpass", "${", "{{", "{"))
    )


def entropy(value: str) -> float:
    """Return Shannon's entropy of a text's characters in bits each."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def drawn(value: str) -> bool:
    """Tell whether a value looks drawn by lot, and is neither a word, a path, a digest nor an id of the usual kinds."""
    if len(value) < 8 or any(c.isspace() for c in value) or _UUID.fullmatch(value):
        return False
    if re.fullmatch(r"(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})", value):
        return False  # a digest
    if "://" in value or value.count("/") > 2 or value.endswith((".py", ".csv", ".json", ".txt", ".parquet")):
        return False
    digits, letters = any(c.isdigit() for c in value), any(c.isalpha() for c in value)
    return digits and letters and entropy(value) >= (2.5 if len(value) < 16 else 3.0)


def _wanted(kind: str, name: str, value: str, *, lot: bool) -> bool:
    """Tell whether a value that a place holds is taken for a secret."""
    if _dull(value) or _LETTERS.findall(value.lower()) == _LETTERS.findall(name.lower()):  # it names itself
        return False
    if kind == "named" and lot:  # no quotes around it: code and prose look the same
        return drawn(value) or (not _CODE.fullmatch(value) and any(c.isdigit() for c in value))
    if kind == "authorization" and _CODE.fullmatch(value) and not any(c.isdigit() for c in value):
        return False
    if lot:
        return drawn(value)
    if _WEAK.search(name):
        return len(value) >= 8 and " " not in value and any(c.isdigit() for c in value) and not set("<[({") & set(value)
    return " " not in value or not re.fullmatch(r"[A-Z][a-z']+( [A-Za-z']+)+[.:?!…]*\s*", value)


_ANCHORS_EXACT = {  # as they are written, since bytes are not folded
    "aiza": "AIza", "gocspx-": "GOCSPX-", "akia": "AKIA", "asia": "ASIA", "abia": "ABIA", "acca": "ACCA",
    "eyj": "eyJ", "pypi-ag": "pypi-Ag",
    "private key": "PRIVATE KEY", "q~": "Q~", "_authtoken": "_authToken", "accountkey=": "AccountKey=",
    "sharedaccesskey=": "SharedAccessKey=", "sg.": "SG.", "pmak-": "PMAK-",
    "nrak-": "NRAK-", "age-secret-key-": "AGE-SECRET-KEY-", "putty-user-key": "PuTTY-User-Key", ":aa": ":AA",
    "sk.eyj": "sk.eyJ", "sk": "SK", "ac": "AC", "a3t": "A3T",
}  # fmt: skip
_FOLDED = {"aws", "wandb", "session_token", "sessiontoken", "accountkey=", "sharedaccesskey="}  # patterns of any case
_ASSIGNED = {"Cloudant Credentials", "IBM COS HMAC Credentials", "IBM Cloud IAM Key", "SoftLayer Credentials"}


@functools.cache
def _rules() -> tuple[tuple[str, tuple[tuple[str, str], ...], re.Pattern[str], re.Pattern[bytes]], ...]:
    """Return kind, anchors (in lower case, and as written where the pattern tells case), pattern, pattern of bytes."""
    return tuple(
        (
            rule.kind,
            tuple((a, "" if a in _FOLDED else _ANCHORS_EXACT.get(a, a)) for a in rule.anchors),
            re.compile(rule.pattern),
            re.compile(rule.pattern.encode()),
        )
        for rule in _TOKENS
    )


@functools.cache
def _detectors() -> tuple[tuple[str, Any], ...]:
    """Return detect-secrets' detectors but those that guess by entropy or take public things for secrets."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    guessing = {
        "Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector", "ArtifactoryDetector",
        "TwilioKeyDetector", "BasicAuthDetector", "PrivateKeyDetector", "KeywordDetector", "JwtTokenDetector",
        "NpmDetector", "OpenAIDetector",
    }  # fmt: skip
    known: dict[str, Any] = get_mapping_from_secret_type_to_class()
    return tuple((str(kind), known[kind]()) for kind in sorted(known) if known[kind].__name__ not in guessing)


@functools.cache
def _keywords() -> Any:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()


def tokens(text: str) -> Iterator[Found]:
    """Yield what has the form of a token, in any text."""
    lower = text.lower()
    for kind, anchors, pattern, _ in _rules():
        if not any((exact in text) if exact else (anchor in lower) for anchor, exact in anchors):
            continue
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            value = match[group]
            if kind.endswith("in an address") and (_dull(value) or "{" in value or value.startswith(("$", "%"))):
                continue
            if kind == "AWS secret key" and not (
                drawn(value) and re.search("[A-Z]", value) and re.search("[a-z]", value)
            ):
                continue
            if kind == "private key":
                yield from _runs(text, *match.span(group))
            else:
                yield Found(*match.span(group), kind)
    for kind, detector in _detectors():
        if kind not in _ASSIGNED:
            for value in set(detector.analyze_string(text)):
                if len(value) >= 8 and not _dull(value):
                    yield from _everywhere(text, value, kind)


def _runs(text: str, start: int, end: int) -> Iterator[Found]:
    """Yield the body of a private key; line by line where the lines are literals of their own."""
    body = text[start:end]
    if not {'"', "'", ","} & set(body):
        inner = re.search(r"(?:\\[nr]|\s)*([\s\S]*?)(?:\\[nr]|\s)*$", body)
        if inner and inner[1]:
            yield Found(start + inner.start(1), start + inner.end(1), "private key")
        return
    for run in re.finditer(r"(?:(?<=\\n)|(?<!\\))[A-Za-z0-9+/=]{2,}", body):
        yield Found(start + run.start(), start + run.end(), "private key")


def places(text: str, parts: list[tuple[int, int]] | None = None) -> Iterator[Found]:
    """Yield what stands where secrets stand: behind names, in headers, in commands; in all parts that hint at one."""
    for start, end in _sliced(hinted(text, large=len(text) > PROSE_CAP) if parts is None else parts):
        part = text[start:end]
        for kind, pattern, lot in _PLACES:
            for match in pattern.finditer(part):
                last = match.lastindex or 0
                name = match[1] if last > 1 else ""
                if _wanted(kind, name, match[last], lot=lot):
                    first, stop = match.span(last)
                    yield Found(start + first, start + stop, _kind(name) if kind == "named" else kind)
        values = {
            (value, kind) for kind, one in _detectors() if kind in _ASSIGNED for value in one.analyze_string(part)
        }
        for line in part.split("\n"):
            if len(line) > _AFTER:
                continue
            values |= {(value, "secret") for value in _keywords().analyze_string(line) if len(value) >= 12}
        for value, kind in values:
            if len(value) >= 8 and not _dull(value) and (kind != "secret" or drawn(value)):
                for found in _everywhere(part, value, kind):
                    yield Found(start + found.start, start + found.end, kind)


def _sliced(parts: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield parts of a bounded length, since patterns may need its square; what lies across a cut is in both."""
    for start, end in parts:
        yield from ((at, min(at + 4 * _AFTER, end)) for at in range(start, max(end - _AFTER, start + 1), 3 * _AFTER))


def hinted(text: str, *, large: bool) -> list[tuple[int, int]]:
    """Return the parts of a text around hints: their lines and the one behind, or less where lines are long."""
    parts: list[tuple[int, int]] = []
    lower = text.lower()
    lower = lower if len(lower) == len(text) else text
    for hint in _HINT.finditer(lower):
        at = hint.start()
        if large and not _LARGE_HINT.match(lower, at):
            continue
        if parts and at < parts[-1][1] - _AFTER // 2:
            continue
        start = max(text.rfind("\n", 0, at) + 1, at - _BEFORE)
        end = text.find("\n", hint.end())
        end = text.find("\n", end + 1) if 0 <= end < at + _AFTER else end
        end = min(end if end >= 0 else len(text), at + _AFTER)
        if parts and start <= parts[-1][1]:
            parts[-1] = parts[-1][0], max(end, parts[-1][1])
        else:
            parts.append((start, end))
    return parts


def _kind(name: str) -> str:
    low = name.lower()
    for word, kind in (
        ("pass", "password"),
        ("pw", "password"),
        ("token", "token"),
        ("key", "key"),
        ("cred", "credential"),
    ):
        if word in low:
            return kind
    return "secret" if low else "password"


def _everywhere(text: str, value: str, kind: str) -> Iterator[Found]:
    at = text.find(value)
    while at >= 0:
        yield Found(at, at + len(value), kind)
        at = text.find(value, at + len(value))


def forms(value: str) -> tuple[str, ...]:
    """Return how a value may be written: as it is, escaped for JSON and Python, in addresses, in base64."""
    made = [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1],
            urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value),
            value.encode().hex()]  # fmt: skip
    made += [json.dumps(one)[1:-1] for one in made[:3]]  # JSON within JSON
    raw = value.encode()
    if len(raw) >= 8:
        for shift in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                text = encode(bytes(shift) + raw).decode().rstrip("=")
                first, spare = (0, 2, 3)[shift], -1 if (len(raw) + shift) % 3 else None
                made.append(text[first:spare])
    return tuple(dict.fromkeys(sorted(made, key=len, reverse=True)))


class Redactor:
    """Takes secrets out of texts and remembers what it took out, in order.

    Parameters
    ----------
    known : mapping
        Values that are secret wherever they occur -> their kind.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.removals: list[Removal] = []
        self.partly: list[Path] = []  # data files of which not all places were looked at
        self._known: dict[str, str] = {}
        self._seen: dict[str, tuple[Found, ...]] = {}
        for value, kind in (known or {}).items():
            self._learn(value, kind)

    # -- finding -------------------------------------------------------------------------------------

    def _learn(self, value: str, kind: str) -> None:
        value = value.strip()
        if "\n" in value or kind == "private key":
            for line in re.findall(r"[A-Za-z0-9+/=]{20,}", value):
                self._known.setdefault(line, kind)
            return
        if "\\" in value:  # as a literal has it; outputs have what it means
            for quote in ('"', "'"):
                with contextlib.suppress(SyntaxError, ValueError), warnings.catch_warnings(action="ignore"):
                    meant = str(ast.literal_eval(f"{quote}{value}{quote}"))
                    if meant != value:
                        self._learn(meant, kind)
                    break
        plain = re.fullmatch(r"[a-z]{1,12}|[A-Z]?[a-z]{1,12}|\d{1,7}|[\d.]+", value)
        if len(value) < SHORTEST or plain or _dull(value):
            return  # so common a text says nothing where it stands alone
        for form in forms(value):
            if len(form) >= SHORTEST:
                self._known.setdefault(form, kind)

    def _rules(self, text: str) -> tuple[Found, ...]:
        if text not in self._seen:
            image = len(text) > 400 and _BASE64.fullmatch(text)
            found = [] if image else [*tokens(text), *places(text)]
            self._seen[text] = tuple(found)
        return self._seen[text]

    def study(self, text: str) -> None:
        """Look for secrets, so that they are known in whatever text is redacted afterwards."""
        if len(text) < 4:
            return
        for one in self._rules(text):
            self._learn(text[one.start : one.end], one.kind)

    def study_json(self, value: Any) -> None:
        """Look through every text of a JSON value, and at what stands under telling names."""
        for text, name in _texts(value):
            if name is not None and _telling(name, text):
                self._learn(text, _kind(name))
            self.study(text)

    def study_key(self, data: bytes) -> None:
        """Learn the content of a file that is nothing but a secret, or, of several lines, each that looks like one."""
        lines = [line.strip() for line in data.decode("utf-8", "ignore").splitlines() if line.strip()]
        for line in lines:
            if len(lines) == 1 or drawn(line) or re.fullmatch(r"[A-Za-z0-9+/=]{20,}", line):
                self._learn(line, "key")

    def study_file(self, path: Path) -> tuple[str, int] | None:
        """Look for secrets in a data file that is no table; return kind and line of the first, None without any."""
        decoder, first, before, lines = codecs.getincrementaldecoder("utf-8")(), None, "", 1
        small, budget = path.stat().st_size <= PROSE_CAP, HINTED_CAP
        done = 0
        with path.open("rb") as file:
            while done < FILE_CAP and (chunk := file.read(WINDOW)):
                try:
                    text = before + decoder.decode(chunk)
                except UnicodeDecodeError:
                    return first
                if "\0" in text[:4096]:
                    return first
                parts = [] if small else hinted(text, large=True)
                if (budget := budget - sum(end - start for start, end in parts)) < 0:
                    self.partly.append(path)
                    return first
                for one in sorted(self._rules(text) if small else places(text, parts)):
                    self._learn(text[one.start : one.end], one.kind)
                    first = first or (one.kind, lines + text.count("\n", 0, one.start))
                before = text[-_AFTER:]
                lines += text.count("\n", 0, len(text) - len(before))
                done += len(chunk)
        return first

    def in_bytes(self, data: bytes) -> str | None:
        """Return the kind of a secret in bytes that are no text, None where there is none."""
        known = [(form.encode(), kind) for form, kind in self._known.items()]
        hit = _in_bytes(data, known) if _suspect(data, _sieve(form for form, _ in known)) else None
        return hit[0] if hit else None

    def known(self, member: str, text: str) -> str:
        """Return a text without what was found elsewhere, digests left whole; nothing new is looked for in it."""
        for form, kind in self._known.items():
            if form not in text:
                continue
            parts = re.split(r"((?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f]))", text)
            made = "".join(one if i % 2 else one.replace(form, ASCII_MARK.format(kind)) for i, one in enumerate(parts))
            if made != text:
                self.removals.append(Removal(member, kind, 1, ASCII_MARK.format(kind)))
                text = made
        return text

    def find(self, text: str) -> list[Found]:
        """Return the secrets of a text in order, none within another."""
        found = [*self._rules(text)] if len(text) >= 4 else []
        for form, kind in self._known.items():
            if form in text:
                found += _everywhere(text, form, kind)
        found.sort(key=lambda one: (one.start, -one.end))
        merged: list[Found] = []
        for one in found:
            if merged and one.start < merged[-1].end:
                last = merged[-1]
                merged[-1] = Found(last.start, max(last.end, one.end), last.kind)
            else:
                merged.append(one)
        return merged

    # -- taking out ----------------------------------------------------------------------------------

    def _marked(self, text: str, mark: str) -> tuple[str, list[tuple[Found, str]]]:
        parts, at, done = [], 0, []
        for one in self.find(text):
            kind = re.sub(r"\W+", "_", one.kind) if mark is NAME_MARK else one.kind
            parts += [text[at : one.start], mark.format(kind)]
            done.append((one, mark.format(kind)))
            at = one.end
        return "".join([*parts, text[at:]]), done

    def text(self, member: str, text: str, where: int | str | None = None) -> str:
        """Return a text without its secrets; code that could be parsed still can be.

        Parameters
        ----------
        member : str
            The file it is of.
        where : int or str, optional
            Its place in the file; by default the line of each secret is told.
        """
        made, done = self._marked(text, MARK)
        if not done:
            return text
        if parses(text) and not parses(made):
            for mark in (ASCII_MARK, NAME_MARK):
                other, told = self._marked(text, mark)
                if parses(other):
                    made, done = other, told
                    break
        for one, replacement in done:
            place = where if where is not None else text.count("\n", 0, one.start) + 1
            self.removals.append(Removal(member, one.kind, place, replacement))
        return made

    def json(
        self, member: str, value: Any, pointer: str = "", name: str | None = None, where: int | None = None
    ) -> Any:
        """Return a JSON value of which every text has lost its secrets, names too."""
        if isinstance(value, str):
            if name is not None and _telling(name, value):
                mark = MARK.format(_kind(name))
                self.removals.append(Removal(member, _kind(name), pointer if where is None else where, mark))
                return mark
            return self.text(member, value, pointer if where is None else where)
        if _secret_number(value, name):
            mark = MARK.format(_kind(str(name)))
            self.removals.append(Removal(member, _kind(str(name)), pointer if where is None else where, mark))
            return mark
        if isinstance(value, list):
            if _is_lines(value):
                whole = self.text(member, "".join(value), pointer if where is None else where)
                return whole.splitlines(keepends=True) if whole != "".join(value) else value
            return [self.json(member, one, f"{pointer}/{i}", name, where) for i, one in enumerate(value)]
        if isinstance(value, dict):
            made: dict[str, Any] = {}
            for key, inner in value.items():
                step = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                told = self.text(member, key, pointer if where is None else where)
                if told != key:
                    step = f"{pointer}/{told.replace('~', '~0').replace('/', '~1')}"
                while told in made:
                    told += "'"
                made[told] = self.json(member, inner, step, key, where)
            return made
        return value

    def file(self, path: Path, *, table: bool) -> tuple[str, int] | None:
        """Return the kind and the line of a secret in a data file, None where there is none in its first bytes.

        Parameters
        ----------
        table : bool
            It holds rows, in which a column called ``password`` is no secret of the run.
        """
        size = path.stat().st_size
        if size <= PROSE_CAP and not table:
            try:
                text = path.read_bytes().decode()
            except UnicodeDecodeError:
                pass
            else:
                found = self.find(text)
                return (found[0].kind, text.count("\n", 0, found[0].start) + 1) if found else None
        known = [(form.encode(), kind) for form, kind in self._known.items()]
        sieve = _sieve(form for form, _ in known)
        lines, before, done = 1, b"", 0
        with path.open("rb") as file:
            while done < FILE_CAP and (chunk := file.read(WINDOW)):
                window = before + chunk
                if _suspect(window, sieve) and (hit := _in_bytes(window, known)):
                    return hit[0], lines + window.count(b"\n", 0, hit[1])
                keep = window[-OVERLAP:]
                lines += window.count(b"\n") - keep.count(b"\n")
                before, done = keep, done + len(chunk)
        return None


_LOUD = {"Twilio key", "AWS secret key", "AWS session token", "Azure signature", "Mailchimp key", "W&B key",
         "token in an address", "Kaggle key", "Google refresh token", "API key"}  # fmt: skip


@functools.cache
def _byte_rules() -> tuple[tuple[str, bytes, re.Pattern[bytes]], ...]:
    """Return anchors and patterns that are rare enough in any bytes to be looked for in large data."""
    return tuple(
        (kind, (exact or _ANCHORS_EXACT.get(anchor, anchor)).encode(), pattern)
        for kind, anchors, _, pattern in _rules() if kind not in _LOUD for anchor, exact in anchors
    )  # fmt: skip


def _sieve(forms: Iterable[bytes]) -> str:
    """Return a pattern of RE2 that all that `_in_bytes` looks for meets, and little else."""
    anchors = sorted({anchor for _, anchor, _ in _byte_rules()} - {b"://", b"PRIVATE KEY", b"PuTTY-User-Key"})
    joined = "|".join(re.escape(anchor.decode()) for anchor in anchors)
    literal = "".join("|" + "".join(rf"\x{byte:02x}" for byte in form) for form in forms)
    address = r"""://[^\s/:@"'<>`]*:[^\s@"'<>`]+@"""
    return rf"(?:{joined})[A-Za-z0-9_./+=~:\s-]{{8}}|PRIVATE KEY|PuTTY-User-Key|{address}{literal}"


def _suspect(window: bytes, sieve: str) -> bool:
    """Tell whether any part of some bytes meets a pattern; RE2 needs a hundredth of the time of looking for each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return bool(pc.match_substring_regex(pa.array([window], pa.large_binary()), pattern=sieve)[0].as_py())
    except pa.ArrowException:  # too long a pattern
        return True


def _in_bytes(window: bytes, known: list[tuple[bytes, str]]) -> tuple[str, int] | None:
    for form, kind in known:
        at = window.find(form)
        if at >= 0:
            return kind, at
    for kind, anchor, pattern in _byte_rules():
        at = window.find(anchor)
        tries = 0
        while at >= 0:
            found = pattern.search(window, max(0, at - 64), at + 4096)
            value = found[found.lastindex or 0].decode("latin-1") if found else ""
            if found and not (kind.endswith("address") and _dull(value)):
                return kind, found.start()
            at = window.find(anchor, at + max(len(anchor), 1))
            tries += 1
            if tries > 10_000:  # a column of addresses, not one that slipped in
                break
    return None


def parses(text: str) -> bool:
    """Tell whether a text is Python, its magics left aside."""
    kept = re.sub(r"^(\s*)[%!?].*$", r"\1pass", text, flags=re.MULTILINE)
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that are none
            ast.parse(kept)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


_CODE_ENDS = (".py", ".pyi", ".js", ".css", ".html", ".md", ".rst", ".ipynb")


def _telling(name: str, value: str) -> bool:
    """Tell whether a value under a name is secret because of the name."""
    return bool(_NAME.fullmatch(name)) and _wanted("named", name, value, lot=False)


def _secret_number(value: Any, name: str | None) -> bool:
    """Tell whether a whole number of six digits or more stands under a name of a secret; tokens are counted, too."""
    return (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 100_000 and name is not None
        and _NAME.fullmatch(name) is not None and not _WEAK.search(name)
    )  # fmt: skip


def is_key_file(name: str, data: bytes) -> bool:
    """Tell whether a file is nothing but a secret: by its ending, or by its name where it is one word or so."""
    low = name.replace("\\", "/").lower()
    if _KEY_FILE.search(low):
        return True
    if len(data) > 4096 or not _KEY_NAME.search(low.rsplit("/", 1)[-1]) or low.endswith(_CODE_ENDS):
        return False
    text = data.decode("utf-8", "ignore").strip()
    return bool(text) and "\n" not in text and text[:1] not in "[{<" and not re.search(r"\s.*\s", text)


def _is_lines(value: list[Any]) -> bool:
    """Tell whether a list is how notebooks write a text: each item a line with its end, but the last."""
    return (
        len(value) > 1 and all(isinstance(one, str) for one in value) and all(one.endswith("\n") for one in value[:-1])
    )


def _texts(value: Any, name: str | None = None) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, str):
        yield value, name
    elif isinstance(value, list):
        if _is_lines(value):
            yield "".join(value), name
        else:
            for one in value:
                yield from _texts(one, name)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key, None
            yield from _texts(inner, key)


def listed(removals: Iterable[Removal]) -> list[dict[str, Any]]:
    """Return removals as redactions.json tells them."""
    rows = [
        {"member": one.member, "kind": one.kind, "where": one.where, "replacement": one.replacement} for one in removals
    ]
    return sorted(rows, key=lambda row: (row["member"], str(row["where"]).zfill(12), row["kind"]))
