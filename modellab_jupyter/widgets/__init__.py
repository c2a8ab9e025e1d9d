"""Widgets: live while there is a kernel, readable for ever after.

``base`` is the channel to the browser, ``saved`` what stays in the notebook, ``sections`` what a page is made of,
``figures`` and ``judged`` turn tables into pictures; ``dashboard``, ``compare``, ``evaluation``, ``datasets`` and
``projects`` are what people see, the last two of them as a ``listing`` with small ``bars``.
"""
