import click
import pytest

from raftkv_cli.requests import RangeArguments, delete_arguments, put_arguments, range_arguments


def ranged(**changed: object) -> RangeArguments:
    plain: dict[str, object] = {
        "key": b"k",
        "range_end": None,
        "prefix": False,
        "from_key": False,
        "limit": 0,
        "rev": 0,
        "keys_only": False,
        "count_only": False,
        "order": None,
        "sort_by": None,
        "consistency": "l",
    }
    return range_arguments(**(plain | changed))  # type: ignore[arg-type]  # the table is as wide as the parameters


def test_a_get_speaks_the_client_s_language() -> None:
    arguments = ranged(rev=7, order="DESCEND", sort_by="MODIFY", consistency="s")
    assert arguments["revision"] == 7
    assert (arguments["order"], arguments["sort_by"]) == ("descend", "mod")
    assert arguments["serializable"]


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": True, "from_key": True},
        {"prefix": True, "range_end": b"z"},
        {"from_key": True, "range_end": b"z"},
        {"keys_only": True, "count_only": True},
    ],
)
def test_a_get_refuses_options_that_contradict_each_other(options: dict[str, object]) -> None:
    with pytest.raises(click.UsageError):
        ranged(**options)


def test_a_delete_names_its_range_in_one_way() -> None:
    with pytest.raises(click.UsageError, match="choose one"):
        delete_arguments(key=b"k", range_end=None, prefix=True, from_key=True, prev_kv=False)


def test_a_put_has_either_a_value_or_ignores_it() -> None:
    with pytest.raises(click.UsageError, match="needs a value"):
        put_arguments(key=b"k", value=None, lease=0, prev_kv=False, ignore_value=False, ignore_lease=False)
    with pytest.raises(click.UsageError, match="takes no value"):
        put_arguments(key=b"k", value=b"v", lease=0, prev_kv=False, ignore_value=True, ignore_lease=False)


def test_a_put_has_either_a_lease_or_ignores_it() -> None:
    with pytest.raises(click.UsageError, match="choose one"):
        put_arguments(key=b"k", value=b"v", lease=5, prev_kv=False, ignore_value=False, ignore_lease=True)
