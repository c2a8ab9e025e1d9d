"""What a person does in JupyterLab, as functions."""

from __future__ import annotations

import nbformat

IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


def write_notebook(lab, name, *cells):
    """Put a notebook of code cells into the server's folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
    nbformat.write(notebook, lab.work / name)
    return lab.work / name


def open_notebook(page, lab, name, app="lab/tree", *, kernel=True):
    """Open a notebook in JupyterLab, or with ``app="notebooks"`` in Notebook 7."""
    page.goto(f"{lab.url}/{app}/{name}?token={lab.token}" + ("&reset" if app == "lab/tree" else ""))
    if kernel:
        page.wait_for_function(IDLE, timeout=60_000)
    else:
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length > 0", timeout=60_000
        )


def run_all(page, timeout=120_000):
    """Run every cell and wait for the last one."""
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_function(
        """() => { const w = window.jupyterapp.shell.currentWidget;
        return w.content.widgets.filter(c => c.model.type === 'code' && c.model.sharedModel.source.trim())
          .every(c => c.model.executionCount !== null)
          && w.sessionContext.session.kernel.status === 'idle' }""",
        timeout=timeout,
    )


def output(page, cell):
    """Return the output of a cell, in JupyterLab and in an exported page alike."""
    return page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")


def save(page):
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")


def shut_down(page):
    """End the kernel of the notebook."""
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


def theme(page, name):
    """Choose a JupyterLab theme."""
    page.evaluate("name => { void window.jupyterapp.commands.execute('apputils:change-theme', { theme: name }) }", name)
    page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)


def watched(page):
    """Record each request that would leave the machine, which `host.ARGS` lets none do, and each error of the page."""
    page.outside = []
    page.errors = []
    own = ("http://127.0.0.1", "data:", "blob:", "file:")

    def judge(request):
        if not request.url.startswith(own):
            page.outside.append(request.url)

    page.context.on("request", judge)  # a route would ask us for each file of JupyterLab, and keep none
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.on(
        "console",
        lambda m: page.errors.append(f"{m.text} ({m.location.get('url')})") if m.type == "error" else None,
    )
    return page
