"""The figures of the artifact folder: each a function of the sample or of tables, drawn without pyplot.

Colours are those of Okabe & Ito (2008, Color universal design), which colour-blind readers can tell apart;
lines differ in dash as well. A figure that cannot be drawn says why in words, so that the folder always holds
the same files.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import calibration, curves, resample
from evalharness.batch import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.evaluators import Report
    from evalharness.schemas import Sample

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
CYCLE = (BLUE, RED, GREEN, ORANGE, PINK, SKY, BLACK)
DASHES = ("-", "--", "-.", ":")
GREY = "#6B6B6B"
SIZE, DPI = (6.4, 4.8), 120
MAX_CLASSES = 7
MAX_POINTS = 5000


def draw(report: Report) -> dict[str, bytes]:
    """Return the PNG bytes of every figure of a report's task, by name.

    The same report gives the same bytes with the same matplotlib: nothing is stamped with a date or a
    version, and the user's rcParams are not read.
    """
    import matplotlib as mpl
    from matplotlib import style

    table = _CLASSIFICATION if report.task_type == "classification" else _REGRESSION
    out: dict[str, bytes] = {}
    # the user's settings come back at the end; a font without a glyph is no reason to warn in their notebook
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        style.use("default")
        mpl.rcParams.update(_STYLE)
        for name, paint in table.items():
            out[name] = _png(report, paint)
    return out


_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 1.8,
    "text.usetex": False,
}


def _png(report: Report, paint: Callable[[Any, Report], None]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=SIZE, dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
    canvas: Any = FigureCanvasAgg(figure)
    paint(figure, report)
    out = io.BytesIO()
    canvas.print_png(out, metadata={"Software": None})
    return out.getvalue()


def _words(figure: Any, title: str, text: str) -> None:
    """Say in words why there is nothing to draw."""
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, color=GREY, wrap=True, transform=axes.transAxes)


def _remark(axes: Any, text: str, height: float = 0.6) -> None:
    """Say over a drawing, at a height where it hides nothing, what is peculiar about it."""
    box = {"facecolor": "white", "edgecolor": GREY, "linewidth": 0.8, "boxstyle": "round,pad=0.4"}
    axes.text(0.5, height, text, ha="center", va="center", color=BLACK, bbox=box, transform=axes.transAxes, zorder=5)


def _short(value: Any, most: int = 18) -> str:
    """Cut a name in its middle: long names often differ at the end."""
    text = " ".join(str(value).encode("utf-8", "replace").decode().split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else f"{text[: most - most // 2 - 1]}…{text[-(most // 2) :]}"


def _number(value: float) -> str:
    """Print with about four digits and without exponents where they can be helped."""
    size = abs(value)
    if size >= 1e7 or 0 < size < 5e-4:
        return f"{value:.3g}"
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def _compact(value: float) -> str:
    """Print with three digits and a letter for thousands, for ticks."""
    size = abs(value)
    for least, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= least * 0.9995:
            return f"{value / least:.3g}{letter}"
    return f"{value:.3g}"


def _estimate(report: Report, name: str) -> str:
    value, found = report.metrics[name], report.intervals[name]
    if value is None:
        return "undefined"
    if found.low is None or found.high is None:
        return _number(value)
    return f"{_number(value)} [{_number(found.low)}, {_number(found.high)}]"


def _rows(report: Report) -> str:
    return f"n = {report.n:,}"


def _p(report: Report, test: str) -> str:
    """Return the p-value of a test of the report in words."""
    value = report.tests[test]["p_value"]
    return "no test" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _reach(*columns: Any) -> tuple[float, float, int]:
    """Return limits that hold what is drawn, without the outermost of very many rows, and the rows beyond."""
    many = len(columns[0]) >= 1000
    ends = [np.quantile(values, [0.0005, 0.9995] if many else [0, 1]) for values in columns]
    low, high = float(min(e[0] for e in ends)), float(max(e[1] for e in ends))
    pad = 0.03 * (high - low) or 1.0
    low, high = low - pad, high + pad
    return low, high, int(np.sum(np.any([(v < low) | (v > high) for v in columns], axis=0)))


# Classification -----------------------------------------------------------------------------------


def _confusion_matrix(figure: Any, report: Report) -> None:
    counts = Prepared(report.sample).estimate().confusion[0]
    names = [_short(c) for c in report.classes]
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    k = len(names)
    axes = figure.add_subplot()
    axes.grid(visible=False)
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("okabe-ito blue", ["#FFFFFF", BLUE])
    image = axes.imshow(share, cmap=shades, vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("share of the actual class (row)")
    bar.outline.set_visible(False)
    if k <= 12:
        exact = report.sample.weights is None
        for i in range(k):
            for j in range(k):
                colour = "white" if share[i, j] > 0.9 else "black"
                text = f"{counts[i, j]:,.0f}" if exact else f"{counts[i, j]:,.1f}"
                percent = f"\n{share[i, j]:.0%}" if k <= 7 and total[i, 0] > 0 else ""
                axes.text(j, i, text + percent, ha="center", va="center", color=colour, fontsize=11 if k <= 4 else 8)
    small = 9 if k <= 12 else 6.5
    ticks = range(k) if k <= 30 else range(0, k, -(-k // 30))
    axes.set_xticks(
        list(ticks),
        [names[t] for t in ticks],
        **({} if k <= 4 else {"rotation": 45, "ha": "right", "rotation_mode": "anchor", "fontsize": small}),
    )
    axes.set_yticks(list(ticks), [names[t] for t in ticks], fontsize=small if k > 4 else 10)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("actual class")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#BBBBBB")
    axes.set_xticks(np.arange(1, k) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, k) - 0.5, minor=True)
    if k <= 30:
        axes.grid(visible=True, which="minor", color="#BBBBBB", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    kind = "weighted rows" if report.sample.weights is not None else "rows"
    axes.set_title(f"Confusion matrix ({kind}, {_rows(report)})\naccuracy {_estimate(report, 'accuracy')}", fontsize=11)


def _scored(report: Report) -> list[tuple[int, str]]:
    """Return the classes whose curves are drawn: the positive one of two, else the most frequent ones."""
    sample = report.sample
    if sample.positive is not None:
        return [(sample.positive, _short(report.classes[sample.positive]))]
    counts = np.bincount(sample.labels, minlength=len(report.classes))
    most = sorted(np.argsort(-counts, kind="stable")[:MAX_CLASSES].tolist())
    return [(c, _short(report.classes[c])) for c in most if 0 < counts[c] < sample.n]


def _unscored(figure: Any, report: Report, title: str) -> bool:
    """Say why a curve of scores cannot be drawn, if so."""
    sample = report.sample
    if sample.probabilities is None:
        _words(figure, title, "No probabilities were given,\nso there is no curve to draw.")
        return True
    met = np.unique(sample.labels)
    if len(met) < 2:
        _words(
            figure,
            title,
            f"All {sample.n:,} labels are {_short(repr(report.classes[int(met[0])]))}.\nA curve needs "
            "rows of two classes.",
        )
        return True
    return False


def _score_curve(figure: Any, report: Report, title: str, kind: curves.Kind, area: str) -> Any:
    """Draw a curve with its band for each scored class; return the axes, or None."""
    if _unscored(figure, report, title):
        return None
    axes = figure.add_subplot()
    scored, binary = _scored(report), report.sample.task == "binary"
    batch, banded = Prepared(report.sample).estimate(), False
    for i, (c, name) in enumerate(scored):
        ranked = curves.ranking(report, c)
        x, y = kind.points(*ranked.counted(curves.weights(report)))
        value = float(getattr(batch.ranked(c), area)[0])
        label = "model" if binary else f"{name}: {'AUC' if area == 'auc' else 'AP'} {value:.3f}"
        look = {"color": CYCLE[i], "linestyle": DASHES[i % 4], "label": label}
        axes.plot(x, y, drawstyle="default" if area == "auc" else "steps-pre", **look)
        band = curves.band(report, ranked, kind) if report.n * len(scored) <= curves.BAND_ROWS else None
        if band is not None:
            alpha = 0.18 if len(scored) == 1 else 0.12
            axes.fill_between(kind.grid, *band, color=CYCLE[i], alpha=alpha, linewidth=0)
            banded = True
    if banded:
        level = f"{report.config.confidence_level:.0%} band, pointwise"
        axes.fill_between([], [], [], color=CYCLE[0] if binary else GREY, alpha=0.18, linewidth=0, label=level)
    p = report.sample.probabilities
    if binary and p is not None and np.ptp(p[:, scored[0][0]]) == 0:
        _remark(axes, "Every row has the same\nprobability: nothing is ranked.", 0.25)
    if binary:
        lead = f"positive class {_short(repr(report.positive))}, "
        lead += (
            f"AUC {_estimate(report, 'roc_auc')}" if area == "auc" else f"AP {_estimate(report, 'average_precision')}"
        )
    else:
        drawn, k = len(scored), len(report.classes)
        lead = "each class" if drawn == k else f"the {drawn} most frequent of {k} classes, each"
        lead += " against the rest"
        lead += f"\nmean AUC {_estimate(report, 'roc_auc_ovr')}" if area == "auc" else ""
    axes.set_title(f"{title} ({_rows(report)})\n{lead}", fontsize=11)
    return axes


def _roc_curve(figure: Any, report: Report) -> None:
    axes = _score_curve(figure, report, "ROC curve", curves.KINDS["roc"], "auc")
    if axes is None:
        return
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")


def _pr_curve(figure: Any, report: Report) -> None:
    axes = _score_curve(figure, report, "Precision-recall curve", curves.KINDS["pr"], "average_precision")
    if axes is None:
        return
    if report.sample.task == "binary":
        weight = curves.weights(report)
        share = float(weight[report.sample.labels == report.sample.positive].sum() / weight.sum())
        label = f"chance ({share:.3f}, share of positives)"
        axes.axhline(share, color=GREY, linestyle=":", linewidth=1.2, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
    axes.legend(loc="best")


def _calibration_curve(figure: Any, report: Report) -> None:
    title = "Calibration"
    sample = report.sample
    if sample.probabilities is None:
        _words(figure, title, "No probabilities were given,\nso calibration cannot be drawn.")
        return
    bins = curves.reliability(report)
    assert bins is not None
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="perfect calibration")
    level = report.config.confidence_level
    observed, predicted = bins["observed"], bins["predicted"]
    error = np.clip(np.array([observed - bins["low"], bins["high"] - observed]), 0, None)
    axes.errorbar(
        predicted,
        observed,
        yerr=error if sample.plain else None,
        color=BLUE,
        marker="o",
        markersize=4.5,
        capsize=2.5,
        elinewidth=1.2,
        linewidth=1.2,
        label=f"bins of about {int(np.median(bins['n'])):,} rows"
        + (f" ({level:.0%} intervals)" if sample.plain else ""),
    )
    if len(predicted) == 1:
        low = observed[0] > 0.5
        _remark(axes, f"All probabilities fall into one bin (mean {predicted[0]:.3f}).", 0.3 if low else 0.75)
    what = f"positive class {_short(repr(report.positive))}" if sample.task == "binary" else "most probable class"
    one = _estimate(report, "debiased_calibration_error")
    plug_in = f"{report.metrics['expected_calibration_error']:.3f}"
    lines = [f"{title} ({what}, {_rows(report)})", f"debiased error {one}, plug-in ECE {plug_in}"]
    if sample.task == "binary":
        slope, intercept = (_estimate(report, f"calibration_{which}") for which in ("slope", "intercept"))
        lines.append(f"slope {slope}, intercept {intercept}")
    else:
        lines.append(f"class-wise ECE {report.metrics['expected_calibration_error_classwise']:.3f}")
    axes.set_title("\n".join(lines), fontsize=11)
    # rare events: zoom in on the corner where everything is
    reach = 1.1 * max(float(np.max(np.where(np.isnan(bins["high"]), observed, bins["high"]))), float(predicted.max()))
    top = reach if reach < 0.5 else 1.0
    axes.set(
        xlabel="predicted probability (bin mean)",
        ylabel="observed frequency",
        xlim=(-0.02 * top, 1.02 * top),
        ylim=(-0.02 * top, 1.02 * top),
    )
    p, _ = calibration.event(sample)
    heights, edges = np.histogram(p, np.linspace(0, top, 41))
    scale = 0.13 * top / max(int(heights.max()), 1)
    axes.bar(edges[:-1], heights * scale, np.diff(edges), align="edge", color="#C9C9C9", linewidth=0, zorder=0.5)
    axes.plot([], [], color="#C9C9C9", linewidth=6, label=f"rows (up to {int(heights.max()):,} a bar)")
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.14))


def _confidence_histogram(figure: Any, report: Report) -> None:
    title = "Confidence"
    sample = report.sample
    if sample.probabilities is None:
        _words(figure, title, "No probabilities were given,\nso there is no confidence to show.")
        return
    axes = figure.add_subplot()
    edges = np.linspace(0, 1, 21)
    if sample.task == "binary":
        assert sample.positive is not None
        p = sample.probabilities[:, sample.positive]
        other = 1 - sample.positive
        parts = [
            (p[sample.labels == c], f"actually {_short(repr(report.classes[c]))}") for c in (other, sample.positive)
        ]
        axes.axvline(sample.threshold, color=GREY, linestyle=":", linewidth=1.4)
        axes.text(
            sample.threshold,
            1.0,
            f" threshold {sample.threshold:g}",
            color=GREY,
            fontsize=9,
            va="bottom",
            transform=axes.get_xaxis_transform(),
        )
        axes.set_xlabel(f"probability of {_short(repr(report.positive))}")
    else:
        p, _ = calibration.event(sample)
        hit = sample.labels == sample.predictions
        parts = [(p[~hit], "predicted wrongly"), (p[hit], "predicted correctly")]
        axes.set_xlabel("probability of the most probable class")
    heights = [np.histogram(values, edges)[0] for values, _ in parts]
    width = 0.05
    styles: tuple[dict[str, Any], ...] = ({"color": ORANGE, "hatch": "///"}, {"color": BLUE})
    bottom = np.zeros(20)
    for height, (values, label), look in zip(heights, parts, styles, strict=True):
        axes.bar(
            edges[:-1] + width / 2,
            height,
            width * 0.94,
            bottom=bottom,
            label=f"{label} ({len(values):,})",
            edgecolor="white",
            linewidth=0.4,
            **look,
        )
        bottom = bottom + height
    same = f": every row has the probability {p[0]:.3f}" if np.ptp(p) == 0 else ""
    axes.set_title(f"{title} ({_rows(report)}){same}", fontsize=11, pad=16)
    axes.set(ylabel="rows (stacked)", xlim=(0, 1))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.14))


# Regression ---------------------------------------------------------------------------------------


def _some(sample: Sample, seed: int) -> Any:
    """Return the rows that are drawn as points: all, or 5,000 drawn once."""
    if sample.n <= MAX_POINTS:
        return np.arange(sample.n)
    return np.sort(np.argsort(resample.Stream(seed, 4).words(sample.n)[0], kind="stable")[:MAX_POINTS])


def _points(report: Report) -> tuple[Any, dict[str, Any], str]:
    rows = _some(report.sample, report.seed)
    look = {
        "s": 9 if len(rows) > 500 else 16,
        "alpha": 0.35 if len(rows) > 500 else 0.6,
        "color": BLUE,
        "linewidths": 0,
    }
    note = "" if len(rows) == report.n else f", {len(rows):,} drawn"
    return rows, look, note


def _predicted_vs_actual(figure: Any, report: Report) -> None:
    y, guess = report.sample.labels, report.sample.predictions
    rows, look, note = _points(report)
    axes = figure.add_subplot()
    low, high, beyond = _reach(y, guess)
    ends = np.array([low, high])
    for found in report.prediction_intervals:
        if found.level == report.config.confidence_level and found.half_width is not None:
            held = "" if found.coverage is None else f", held in {found.coverage:.1%} of {found.test_rows:,} others"
            label = f"{found.level:.0%} of labels within ±{_number(found.half_width)}{held}"
            width = found.half_width
            axes.fill_between(ends, ends - width, ends + width, color=ORANGE, alpha=0.16, linewidth=0, label=label)
    axes.scatter(y[rows], guess[rows], **look)
    axes.plot(ends, ends, color=BLACK, linestyle="--", linewidth=1.2, label="prediction = label")
    if np.ptp(guess) == 0:
        _remark(axes, f"Every prediction is {guess[0]:g}.", 0.08)
    axes.set(xlabel="label", ylabel="prediction", xlim=(low, high), ylim=(low, high), aspect="equal")
    outside = f", {beyond:,} rows beyond the axes" if beyond else ""
    axes.set_title(
        f"Predicted against actual ({_rows(report)}{note})\nR squared {_estimate(report, 'r2')}{outside}", fontsize=11
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=1)


def _residuals(figure: Any, report: Report) -> None:
    guess, error = report.sample.predictions, report.sample.predictions - report.sample.labels
    rows, look, note = _points(report)
    axes = figure.add_subplot()
    axes.scatter(guess[rows], error[rows], **look)
    axes.axhline(0, color=BLACK, linestyle="--", linewidth=1.2)
    order = np.argsort(guess, kind="stable")
    parts = [part for part in np.array_split(order, min(20, max(1, report.n // 20))) if len(part) >= 5]
    if len(parts) > 2 and np.ptp(guess) > 0:
        x = [float(np.mean(guess[part])) for part in parts]
        middle = [float(np.median(error[part])) for part in parts]
        axes.plot(x, middle, color=RED, marker="o", markersize=3.5, label=f"median of {len(parts)} parts")
        spread = np.array([np.quantile(error[part], [0.1, 0.9]) for part in parts]).T
        axes.fill_between(x, *spread, color=ORANGE, alpha=0.25, linewidth=0, label="middle 80 %")
        axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.14))
    elif np.ptp(guess) == 0:
        _remark(axes, f"Every prediction is {guess[0]:g}.", 0.92)
    (left, right, one), (low, high, other) = _reach(guess), _reach(error)
    if max(one, other):
        axes.set(xlim=(left, right), ylim=(low, high))
        note += f", {one + other:,} beyond the axes"
    axes.set(xlabel="prediction", ylabel="prediction - label")
    spread_test = _p(report, "residual_heteroscedasticity")
    axes.set_title(
        f"Residuals ({_rows(report)}{note})\nmean bias {_estimate(report, 'mean_bias_error')}, "
        f"unequal spread: {spread_test}",
        fontsize=11,
    )


def _residual_histogram(figure: Any, report: Report) -> None:
    error = report.sample.predictions - report.sample.labels
    axes = figure.add_subplot()
    low, high = np.quantile(error, [0.001, 0.999] if report.n >= 1000 else [0, 1])
    bins = int(np.clip(np.sqrt(report.n), 10, 60))
    if high <= low:
        low, high, bins = float(error.min()) - 0.5, float(error.max()) + 0.5, 11
    outside = int(np.sum((error < low) | (error > high)))
    axes.hist(
        error[(error >= low) & (error <= high)],
        bins=bins,
        range=(low, high),
        color=SKY,
        edgecolor="white",
        linewidth=0.4,
    )
    axes.axvline(0, color=BLACK, linestyle="--", linewidth=1.2, label="no error")
    axes.axvline(float(error.mean()), color=RED, linewidth=1.6, label=f"mean {_number(float(error.mean()))}")
    same = f": every row has the error {error[0]:g}" if np.ptp(error) == 0 else ""
    note = f", {outside:,} beyond the axis" if outside else ""
    axes.set(xlabel="prediction - label", ylabel="rows")
    axes.set_title(
        f"Residuals ({_rows(report)}{note}){same}\nRMSE {_estimate(report, 'root_mean_squared_error')}", fontsize=11
    )
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.14))


def _qq_plot(figure: Any, report: Report) -> None:
    from scipy.special import ndtri

    error = np.sort(report.sample.predictions - report.sample.labels)
    title = "Residuals against the normal distribution"
    spread = float(error.std())
    if report.n < 3 or spread <= 1e-12 * max(1.0, float(np.abs(error).max())):
        _words(
            figure,
            title,
            f"{'Fewer than three rows' if report.n < 3 else 'All residuals are equal'},\nso there is no "
            "distribution to compare.",
        )
        return
    axes = figure.add_subplot()
    place = ndtri((np.arange(1, report.n + 1) - 0.375) / (report.n + 0.25))
    rows = np.arange(report.n)
    if report.n > MAX_POINTS:  # both tails whole, the middle thinned evenly
        rows = np.unique(
            np.r_[:500, np.linspace(0, report.n - 1, MAX_POINTS - 1000).astype(int), report.n - 500 : report.n]
        )
    scaled = (error - error.mean()) / spread
    axes.scatter(place[rows], scaled[rows], s=9, color=BLUE, alpha=0.5, linewidths=0, label="residuals")
    ends = [float(place[0]), float(place[-1])]
    axes.plot(ends, ends, color=BLACK, linestyle="--", linewidth=1.2, label="normal")
    axes.set(xlabel="normal quantile", ylabel="residual in standard deviations from its mean")
    normal = _p(report, "residual_normality")
    axes.set_title(f"{title}\n{_rows(report)}, standard deviation {_number(spread)}, normality: {normal}", fontsize=11)
    axes.legend(loc="upper left")


def _error_by_decile(figure: Any, report: Report) -> None:
    y, size = report.sample.labels, np.abs(report.sample.predictions - report.sample.labels)
    title = "Mean absolute error by decile of the label"
    cuts = np.unique(np.quantile(y, np.arange(1, 10) / 10, method="inverted_cdf"))
    cuts = cuts[cuts < y.max()]
    place = np.searchsorted(cuts, y, side="left")
    counts = np.bincount(place, minlength=len(cuts) + 1)
    axes = figure.add_subplot()
    from scipy.special import stdtrit

    level = report.config.confidence_level
    means, halves, names = [], [], []
    edges = np.r_[y.min(), cuts, y.max()]
    for b in range(len(counts)):
        part = size[place == b]
        means.append(float(part.mean()))
        halves.append(
            float(stdtrit(len(part) - 1, (1 + level) / 2) * part.std(ddof=1) / np.sqrt(len(part)))
            if len(part) > 1
            else np.nan
        )
        left, right = _compact(edges[b]), _compact(edges[b + 1])
        names.append(left if left == right else f"{left}\nto\n{right}")
    at = np.arange(len(means))
    axes.bar(at, means, 0.8, color=SKY, edgecolor=BLUE, linewidth=0.8)
    if report.sample.groups is None and not np.all(np.isnan(halves)):
        axes.errorbar(
            at,
            means,
            yerr=[np.minimum(halves, means), halves],
            fmt="none",
            ecolor=BLACK,
            capsize=3,
            elinewidth=1.2,
            label=f"{level:.0%} interval (Student t)",
        )
    axes.axhline(
        float(size.mean()), color=RED, linestyle="--", linewidth=1.3, label=f"all rows: {_number(float(size.mean()))}"
    )
    axes.set_xticks(at, names, fontsize=7.5)
    axes.set(xlabel="label", ylabel="mean absolute error")
    axes.grid(visible=False, axis="x")
    span = (
        f"{int(counts.min()):,} to {int(counts.max()):,}" if counts.min() < counts.max() else f"{int(counts.max()):,}"
    )
    word = "row" if span == "1" else "rows"
    axes.set_title(f"{title}\n{_rows(report)}, {span} {word} a part, unweighted", fontsize=11)
    if not size.any():
        _remark(axes, "Every error is 0.")
    axes.set_ylim(0, axes.get_ylim()[1] if size.any() else 1)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.2))


_CLASSIFICATION: dict[str, Callable[[Any, Report], None]] = {
    "confusion_matrix": _confusion_matrix,
    "roc_curve": _roc_curve,
    "pr_curve": _pr_curve,
    "calibration_curve": _calibration_curve,
    "confidence_histogram": _confidence_histogram,
}
_REGRESSION: dict[str, Callable[[Any, Report], None]] = {
    "predicted_vs_actual": _predicted_vs_actual,
    "residuals": _residuals,
    "residual_histogram": _residual_histogram,
    "qq_plot": _qq_plot,
    "error_by_decile": _error_by_decile,
}
