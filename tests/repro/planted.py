"""Secrets of many kinds, made anew at each call: none of them stands in this file."""

from __future__ import annotations

import base64
import json
import random
import string

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def drawn(rng: random.Random, count: int, letters: str = ALNUM) -> str:
    """Return letters of which one is a digit, one small and one large where there are such."""
    text = [rng.choice(letters) for _ in range(count)]
    for place, kind in enumerate((string.digits, string.ascii_lowercase, string.ascii_uppercase)):
        some = [c for c in kind if c in letters]
        if some and count > 6:
            text[place * 2 + 1] = rng.choice(some)
    return "".join(text)


def tokens(seed: int = 0) -> dict[str, str]:
    """Return secrets that are known by their form alone: kind -> secret."""
    rng = random.Random(seed)

    def d(count: int, letters: str = ALNUM) -> str:
        return drawn(rng, count, letters)

    def b64(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    upper = string.ascii_uppercase + string.digits
    return {
        "anthropic": "sk-" + "ant-api03-" + d(80),
        "openai": "sk-" + d(20) + "T3Blbk" + "FJ" + d(20),
        "openai project": "sk-" + "proj-" + d(60) + "_" + d(40),
        "openrouter": "sk-" + "or-v1-" + d(64, HEX),
        "deepseek": "sk-" + d(32, HEX),
        "hugging face": "hf" + "_" + d(34),
        "google": "AI" + "za" + d(35),
        "google client": "GOC" + "SPX-" + d(28),
        "google access": "ya" + "29." + d(60),
        "aws": "AK" + "IA" + d(16, upper),
        "aws temporary": "AS" + "IA" + d(16, upper),
        "azure client": d(3) + "8" + "Q~" + d(34),
        "github": "gh" + "p_" + d(36),
        "github fine": "github" + "_pat_" + d(22) + "_" + d(59),
        "github app": "gh" + "s_" + d(36),
        "gitlab": "gl" + "pat-" + d(20),
        "slack": "xo" + "xb-" + d(11, string.digits) + "-" + d(12, string.digits) + "-" + d(24),
        "slack app": "xa" + "pp-1-" + d(11, upper) + "-" + d(13, string.digits) + "-" + d(64, HEX),
        "stripe": "sk_" + "live_" + d(24),
        "stripe restricted": "rk_" + "live_" + d(24),
        "stripe hook": "wh" + "sec_" + d(32),
        "npm": "np" + "m_" + d(36),
        "pypi": "py" + "pi-Ag" + "EIcHlwaS5vcmc" + d(90),
        "databricks": "da" + "pi" + d(32, HEX),
        "jwt": b64({"alg": "HS256", "typ": "JWT"}) + "." + b64({"sub": d(20), "name": "x"}) + "." + d(43),
        "sendgrid": "S" + "G." + d(22) + "." + d(43),
        "twilio": "S" + "K" + d(32, HEX),
        "telegram": d(9, string.digits) + ":" + "AA" + d(33),
        "digitalocean": "dop" + "_v1_" + d(64, HEX),
        "replicate": "r" + "8_" + d(37),
        "groq": "gs" + "k_" + d(52),
        "xai": "xa" + "i-" + d(80),
        "nvidia": "nv" + "api-" + d(64),
        "docker": "dck" + "r_pat_" + d(27),
        "vault": "hv" + "s." + d(90),
        "terraform": d(14) + ".atlas" + "v1." + d(60),
        "grafana": "gl" + "sa_" + d(32) + "_" + d(8, HEX),
        "linear": "lin" + "_api_" + d(40),
        "postman": "PM" + "AK-" + d(24, HEX) + "-" + d(34, HEX),
        "new relic": "NR" + "AK-" + d(27, upper),
        "mailchimp": d(32, HEX) + "-us" + "12",
        "wandb": "wandb" + "_v1_" + d(40),
    }


def placed(seed: int = 0) -> dict[str, tuple[str, str]]:
    """Return secrets that are known by where they stand: kind -> a line of Python that holds it, and the secret."""
    rng = random.Random(seed + 1)

    def d(count: int = 14, letters: str = ALNUM) -> str:
        return drawn(rng, count, letters)

    rows = {
        "password": 'password = "{}"',
        "single quotes": "db_password='{}'",
        "raw literal": 'PASSWORD = r"{}"',
        "bytes literal": 'passphrase = b"{}"',
        "annotated": 'api_key: str = "{}"',
        "in a dict": 'settings = {{"user": "me", "password": "{}"}}',
        "keyword": 'connect(user="me", passwd="{}")',
        "environment": 'import os; os.environ["SERVICE_API_KEY"] = "{}"',
        "environment default": 'os.environ.setdefault("MY_SECRET", "{}")',
        "client secret": 'client_secret = "{}"',
        "token": 'access_token = "{}"',
        "plain token": 'token = "{}"',
        "address": 'url = "postgresql://me:{}@db.example.org:5432/x"',
        "address of git": 'git = "https://{}@git.example.org/a/b.git"',
        "sqlalchemy": 'engine = create_engine("mysql+pymysql://root:{}@localhost/x")',
        "libpq": 'conn = "host=db.example.org user=me password={} dbname=x"',
        "odbc": 'conn = "Driver=ODBC;Server=db;Uid=me;Pwd={};"',
        "redis": 'redis = "redis://:{}@localhost:6379/0"',
        "bearer": 'headers = {{"Authorization": "Bearer {}"}}',
        "basic": 'headers = {{"Authorization": "Basic {}"}}',
        "api header": 'headers = {{"x-api-key": "{}"}}',
        "tuple": 'requests.get(u, auth=("me", "{}"))',
        "magic": "%env SERVICE_TOKEN={}",
        "shell": "!export SERVICE_PASSWORD={} && run",
        "flag": "!tool --password {} --user me",
        "flag with sign": "!tool --api-key={} x",
        "curl": "!curl -u me:{} https://example.org",
        "comment": '# the old one was password="{}"',
    }
    made: dict[str, tuple[str, str]] = {}
    for kind, row in rows.items():
        secret = d(20)
        made[kind] = row.format(secret), secret
    spoken = "correct " + "horse " + d(8, string.ascii_lowercase)
    made["spoken"] = f'password = "{spoken}"', spoken
    odd = 'p"' + d(8) + "\\" + d(4) + "é"
    made["odd characters"] = f"password = {json.dumps(odd)}", odd
    key = d(40, ALNUM + "/+")
    made["aws secret"] = f'aws_secret_access_key = "{key}"', key
    wandb = d(40, HEX)
    made["wandb"] = f'wandb.login(key="{wandb}")', wandb
    account = d(86) + "=="
    made["azure"] = f'c = "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={account};"', account
    body = "\n".join(d(64, ALNUM + "/+") for _ in range(12))
    label = "PRIVATE" + " KEY"
    made["private key"] = f'key = """-----BEGIN RSA {label}-----\n{body}\n-----END RSA {label}-----"""', body
    line = d(300, ALNUM + "/+")
    made["private key in a line"] = f'key = "-----BEGIN {label}-----\\n{line}\\n-----END {label}-----\\n"', line
    return made
