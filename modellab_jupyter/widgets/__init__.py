"""Widgets: live while there is a kernel, readable for ever after.

``base`` is the channel to the browser, ``saved`` what stays in the notebook, ``sections`` what a page is made of,
``figures`` and ``judged`` turn tables into pictures; ``dashboard``, ``compare`` and ``evaluation`` are what people see.
"""
