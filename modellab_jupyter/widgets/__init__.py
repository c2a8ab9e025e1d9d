"""Widgets: live while there is a kernel, readable for ever after.

``base`` is the channel to the browser, ``saved`` what stays in the notebook, ``figures`` turns tables into
pictures; ``dashboard``, ``compare`` and ``evaluation`` are what people see.
"""
