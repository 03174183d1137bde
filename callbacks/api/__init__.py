"""The HTTP API for other systems: cases in, ratings in, codes and outcomes out."""

from __future__ import annotations

from callbacks.api.deps import ApiDeps
from callbacks.api.problems import ApiError
from callbacks.api.wsgi import beside, create_api

__all__ = ["ApiDeps", "ApiError", "beside", "create_api"]
