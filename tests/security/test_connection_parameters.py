"""Whatever libpq can be told of a connection reaches it as it was given."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, cast
from unittest import mock
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from jobqueue.core.errors import DatabaseUrlError
from jobqueue.integrations.django.database import conninfo
from jobqueue.store.database import to_conninfo, worker_conninfo
from tests.client.django_databases import django_database
from tests.security.hostile import texts
from tests.security.settings import known, looking

KEYWORDS = sorted(one.keyword.decode() for one in pq.Conninfo.get_defaults())
# What we set whatever was given, what has to be a number, and the host, in which an @ is a slip.
OURS = {"client_encoding"}
NUMBERS = {"port", "connect_timeout"}
SECURE = [
    one
    for one in KEYWORDS
    if one.startswith(
        ("ssl", "require", "channel", "pass", "service", "gss", "krb", "scram", "oauth")
    )
]


def everywhere(given: dict[str, str]) -> list[str]:
    """Give the same parameters in each form in which a database can be named."""
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    return [
        make_conninfo("", **given),
        f"postgresql://?{pairs}",
        f"postgres://?{pairs}",
        f"postgresql+psycopg://?{pairs}",
        f"postgresql+asyncpg://?{pairs}",
    ]


def word(name: str) -> st.SearchStrategy[str]:
    if name in NUMBERS:
        return st.integers(1, 65_535).map(str)
    if name == "host":
        return st.sampled_from(["db", "/tmp", "db,other", "::1"])
    return texts.filter(lambda one: one.strip() == one and len(one) < 300 and one != "")


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, str]:
    given = [name for name in (*KEYWORDS, *SECURE) if name not in OURS]
    names = draw(st.lists(st.sampled_from(given), min_size=1, max_size=6))
    return {name: draw(word(name)) for name in names}


def kept(made: str, wanted: dict[str, str]) -> bool:
    got = conninfo_to_dict(made)
    return all(str(got.get(name)) == value for name, value in wanted.items())


@looking(150)
@given(wanted=parameters())
def test_every_parameter_of_libpq_arrives_unchanged(wanted: dict[str, str]) -> None:
    for url in everywhere(wanted):
        assert kept(to_conninfo(url), wanted)
        assert kept(worker_conninfo(to_conninfo(url, application_name="jobqueue worker")), wanted)
        assert kept(to_conninfo(to_conninfo(url)), wanted), "also when it is taken twice"


def test_the_parameters_of_security_are_known_here() -> None:
    assert {"sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "service"} <= set(SECURE)
    assert {"sslcrl", "channel_binding", "require_auth", "sslpassword"} <= set(SECURE)


@pytest.mark.parametrize("name", [one for one in KEYWORDS if one not in OURS])
def test_what_is_not_said_is_left_to_the_environment_and_the_service(name: str) -> None:
    """Of its own, a connection gets a name, limits of time and a server that can be written to."""
    added = conninfo_to_dict(worker_conninfo(to_conninfo("postgresql://"))).keys()
    assert name not in added or name in {
        *("application_name", "connect_timeout", "target_session_attrs", "tcp_user_timeout"),
        *("keepalives_idle", "keepalives_interval", "keepalives_count"),
    }


@known("limits over those of the environment")
@pytest.mark.parametrize(
    ("variable", "keyword"),
    [("PGCONNECT_TIMEOUT", "connect_timeout"), ("PGTARGETSESSIONATTRS", "target_session_attrs")],
)
def test_a_limit_of_ours_gives_way_to_one_of_the_environment(variable: str, keyword: str) -> None:
    with mock.patch.dict(os.environ, {variable: "2" if "TIME" in variable else "any"}):
        assert keyword not in conninfo_to_dict(worker_conninfo(to_conninfo("postgresql://")))


def test_the_encoding_is_ours_whatever_the_environment_says() -> None:
    with mock.patch.dict(os.environ, {"PGCLIENTENCODING": "LATIN1"}):
        assert conninfo_to_dict(to_conninfo("postgresql://"))["client_encoding"] == "UTF8"


PASSWORD = "hunter2-of-the-url"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(one, marks=known("addresses within parameters"))
        for one in (
            f"host=db password={PASSWORD} application_name=http://shop",
            f"host=db user=u password='{PASSWORD}://' dbname=d",
            f"password={PASSWORD} options='-c search_path=a://b'",
        )
    ],
)
def test_an_address_within_a_parameter_is_no_scheme(url: str) -> None:
    with suppress(DatabaseUrlError):
        assert PASSWORD in str(conninfo_to_dict(to_conninfo(url))["password"])
        return
    pytest.fail("it was refused")


FORMS = [
    *("postgresql://u:{}@h/d", "postgresql://h/d?password={}", "postgresql+x://u:{}@h:port/d"),
    *("host=h password={}", "host=h password='{}'", "{}", "{}@h", "u:{}@h", "postgresql:/{}"),
    "mysql://u:{}@h",
]


@known("quotes in a malformed URL")
@looking(200)
@given(before=texts, after=texts, form=st.sampled_from(FORMS))
def test_no_message_about_a_url_shows_its_password(before: str, after: str, form: str) -> None:
    # The characters around it are such as make a URL malformed.
    url = form.format(f"{before[:20]}{PASSWORD}{after[:20]}")
    if "://" in url.removeprefix(form.partition("://")[0] + "://"):
        return  # see the test above
    if (error := refusal(url)) is not None:
        assert PASSWORD not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


def refusal(url: str) -> DatabaseUrlError | None:
    try:
        to_conninfo(url)
    except DatabaseUrlError as error:
        return error
    return None


PASSED_ON = {"sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "service"}
OPTIONS = [
    pytest.param(one, marks=() if one in PASSED_ON else known("options of Django"))
    for one in SECURE
]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_migration_from_django_is_no_less_careful_than_django(
    database_url: str, name: str
) -> None:
    with django_database(database_url, "careful"):
        from django import db

        connection = cast("Any", db.connections["careful"])
        connection.settings_dict["OPTIONS"][name] = "as given"
        assert conninfo_to_dict(conninfo("careful")).get(name) == "as given"
