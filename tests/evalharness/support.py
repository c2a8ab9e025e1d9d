"""Data that several tests of the harness share."""

import numpy as np
import pandas as pd

from evalharness import evaluate

QUICK = {"compute_cis": False, "plots": False}


def churn(n=1500, seed=0, weak=None, **given):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "age": rng.normal(40, 12, n).round(1),
            "city": rng.choice(["Oslo", "Rome", "Bern <b>"], n),
            "customer_id": np.arange(n),
            "since": pd.date_range("2020-01-01", periods=n, freq="D").to_numpy(),
            "paid": rng.random(n) < 0.4,
            "plan": "basic",
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
        }
    )
    p = 1 / (1 + np.exp(-(data["age"].to_numpy() - 40) / 8))
    true = np.where(weak(data), 0.5, p) if weak is not None else p
    labels = np.where(rng.random(n) < true, "yes", "no")
    return evaluate(task_type="classification", labels=labels, predictions=p, data=data, **given)
