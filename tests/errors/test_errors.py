import importlib
import pkgutil
from collections.abc import Iterator

from raftkv import errors
from raftkv.errors import BY_TEXT, CompactedError, RaftKVError, RequestError, WatchCompactedError, error_of_status


def test_package_offers_every_class_of_its_modules() -> None:
    assert {kind.__name__ for kind in classes()} <= set(errors.__all__)


def test_every_name_offered_is_there() -> None:
    assert all(hasattr(errors, name) for name in errors.__all__)


def test_every_text_leads_back_to_the_class_that_has_it() -> None:
    named = [kind for kind in classes() if issubclass(kind, RequestError) and kind.__dict__.get("text")]
    assert {kind.text: kind for kind in named} == BY_TEXT
    assert len(named) == len(BY_TEXT), "two classes have the same text"


def test_inherited_text_leads_to_the_class_that_says_no_more_than_the_text() -> None:
    assert WatchCompactedError.text == CompactedError.text
    assert type(error_of_status(11, CompactedError.text)) is CompactedError


def classes() -> Iterator[type[RaftKVError]]:
    for module in pkgutil.iter_modules(errors.__path__):
        for kind in vars(importlib.import_module(f"raftkv.errors.{module.name}")).values():
            if isinstance(kind, type) and issubclass(kind, RaftKVError) and kind.__module__.endswith(module.name):
                yield kind
