"""What a page that is passed on says of places on the machine that made it: the last name."""

from __future__ import annotations

from collections.abc import Mapping


def source_shown(source: str) -> str:
    """A source without what the page's readers need not know: where it lay, who may read it."""
    scheme, separator, rest = source.partition("://")
    if separator:
        return f"{scheme}://{rest.rpartition('@')[2]}".partition("?")[0]
    return source.rstrip("/").rpartition("/")[2] or source


def settings_shown(settings: object) -> object:
    """Settings whose absolute paths are the last names of them."""
    if isinstance(settings, Mapping):
        return {name: settings_shown(value) for name, value in settings.items()}
    is_path = isinstance(settings, str) and settings.startswith("/")
    return source_shown(str(settings)) if is_path else settings
