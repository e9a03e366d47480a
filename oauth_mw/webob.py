"""WebOb's request and response: every other module imports them from here.

On Python 3.11 and 3.12 WebOb imports ``cgi``, which is deprecated there. Where warnings are errors, as in many test
suites, nothing that imports WebOb could be imported.
"""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from webob import Request, Response

__all__ = ["Request", "Response"]
