"""What two applications are asked, one request after the other, with an empty database.

``token`` is whose newest token is sent; with ``old`` before the name, the one before.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    body: Any = None
    token: str | None = None

    def __str__(self) -> str:
        """How the request is called in the record, and in what is different."""
        body = "" if self.body is None else f" {self.body}"
        return f"{self.method} {self.path}{body}".replace("'", '"')


ADMIN = {"login": "system", "password": "123456"}
RICK = {"username": "Rick", "email": "RICK@x.com", "password": "secret"}
MORTY = {"username": "Morty", "email": "m@x.com", "password": "secret"}
SUMMER = {"username": "summer", "email": "s@x.com", "password": "secret"}
S1 = {"title": "s1", "text": "one two", "author": "rick", "price": 1.5}
S2 = {"title": "s2", "text": "three", "tags": ["a"], "layout": {"b": 1}}

#: Every kind of write and of read, of items, collections and attributes.
_BASICS = [
    Ask("POST", "/users", RICK),
    Ask("POST", "/users", RICK),
    Ask("POST", "/users", {"username": "x"}),
    Ask("GET", "/users/rick"),
    Ask("GET", "/users/nobody"),
    Ask("PATCH", "/users/rick", {"last_name": "Sanchez"}),
    Ask("PATCH", "/users/rick", {"groups": ["admin", "-user"]}),
    Ask("PATCH", "/users/rick", {"status": "nonsense"}),
    Ask("PATCH", "/users/rick", {"nonsense": 1}),
    Ask("GET", "/users/rick/settings"),
    Ask("POST", "/users/rick/settings", {"language": "en", "age": 70}),
    Ask("POST", "/users/rick/settings", {"-language": ""}),
    Ask("GET", "/users/rick/groups"),
    Ask("POST", "/users/rick/groups", {"user": ""}),
    Ask("POST", "/users/rick/groups", {"nonsense": ""}),
    Ask("POST", "/users/rick/groups", {}),
    Ask("GET", "/users/rick/profile"),
    Ask("POST", "/users/rick/profile", {"address": "C-137"}),
    Ask("PATCH", "/users/rick/profile", {"address": "C-138"}),
    Ask("GET", "/users/rick/profile"),
    Ask("PUT", "/users/rick/profile", {"address": "C-139"}),
    Ask("DELETE", "/users/rick/profile"),
    Ask("POST", "/users/rick/profile", {"address": "C-140"}),
    Ask("GET", "/users/rick"),
    Ask("DELETE", "/users/rick/profile"),
    Ask("GET", "/users/rick/profile"),
    Ask("GET", "/users/rick"),
    Ask("PATCH", "/users/rick/settings", {"age": 71}),
    Ask("PUT", "/users/rick/settings", {"age": 71}),
    Ask("DELETE", "/users/rick/settings"),
    Ask("POST", "/articles", S1),
    Ask("POST", "/articles", S2),
    Ask("POST", "/articles", {"title": "t"}),
    Ask("POST", "/articles", {**S1, "nonsense": 1}),
    Ask("POST", "/articles", {**S1, "author": "ghost"}),
    Ask("POST", "/articles", {**S1, "kind": "poem"}),
    Ask("GET", "/users/rick"),
    # The documents of both are written anew, without what has failed.
    Ask("PATCH", "/users/rick", {"last_name": "Smith"}),
    Ask("PATCH", "/users/system", {"last_name": "Admin"}),
    Ask("GET", "/articles?_sort=id"),
    Ask("GET", "/articles/1"),
    Ask("GET", "/articles/99"),
    Ask("GET", "/users/rick/articles"),
    Ask("GET", "/users/rick/articles/1"),
    Ask("GET", "/users/rick/articles/2"),
    Ask("GET", "/users/rick"),
]

#: Pages, fields, numbers; and what is no page.
_PAGES = [
    Ask("GET", "/articles?_fields=title&_sort=id"),
    Ask("GET", "/articles?_fields=title,price&_sort=-id"),
    Ask("GET", "/articles?_count"),
    Ask("GET", "/articles?_count=1&title=s1"),
    Ask("GET", "/articles?_limit=1&_page=1&_sort=-id"),
    Ask("GET", "/articles?_limit=1&_start=1&_sort=-id"),
    Ask("GET", "/articles?_limit=0"),
    Ask("GET", "/articles?_start=5"),
    Ask("GET", "/articles?_sort=kind,-id"),
    Ask("GET", "/articles?_sort=nonsense"),
    Ask("GET", "/articles?_limit=-1"),
    Ask("GET", "/articles?_limit=x"),
    Ask("GET", "/articles?_page=x"),
    Ask("GET", "/articles?_start=1&_page=1"),
    Ask("GET", "/articles?_nonsense=1"),
]

#: Filters: words in the old server, values here.
_FILTERS = [
    Ask("GET", "/articles?title=s2"),
    Ask("GET", "/articles?title=nothing"),
    Ask("GET", "/articles?author=rick"),
    Ask("GET", "/articles?author=nobody"),
    Ask("GET", "/articles?id=1"),
    Ask("GET", "/articles?updated_at=null"),
    Ask("GET", "/articles?price=1.5"),
    Ask("GET", "/articles?published=false&_sort=id"),
    Ask("GET", "/articles?title=s1&title=s2&_sort=id"),
    Ask("GET", "/articles?title=_all&_sort=id"),
    Ask("GET", "/articles?text=two"),
    Ask("GET", "/articles?text=one two"),
    Ask("GET", "/articles?nonsense=1"),
    Ask("GET", "/articles?price=many"),
    Ask("GET", "/articles?title=s1 OR text:three&_sort=id"),
    Ask("GET", "/articles?__confirmation&_sort=id"),
    Ask("GET", "/users?username=rick"),
    Ask("GET", "/users?email=rick@x.com"),
    Ask("GET", "/users?groups=admin&_sort=username"),
]

#: What only a search server answers.
_SEARCH = [
    Ask("GET", "/articles?q=three"),
    Ask("GET", "/articles?q=nothing"),
    Ask("GET", "/articles?q=text:one"),
    Ask("GET", "/articles?q=text:(one OR three)&_sort=id"),
    Ask("GET", "/articles?q=thr*"),
    Ask("GET", '/articles?q="one two"'),
    Ask("GET", '/articles?q="two one"'),
    Ask("GET", "/articles?q=two&title=s1"),
    Ask("GET", "/articles?q=two&title=s2"),
    Ask("GET", "/articles?q=one three&_sort=id"),
    Ask("GET", "/articles?q=price:[1 TO 2]"),
    Ask("GET", "/articles?q=("),
    Ask("GET", "/articles?q=three&_count"),
    Ask("GET", "/articles?q=three&_search_fields=text"),
    Ask("GET", "/articles?q=three&_search_fields=title"),
    Ask("GET", "/articles?q=s1 three&_search_fields=title,text"),
    Ask("GET", "/articles?q=s1 three&_search_fields=text,title"),
    Ask("GET", "/articles?_search_fields=title"),
    Ask("GET", "/articles?_aggs.cheapest.min.field=price"),
    Ask("GET", "/articles?_aggregations.cheapest.min.field=price"),
    Ask("GET", "/articles?_aggs.all.stats.field=id"),
    Ask("GET", "/articles?_aggs.by.terms.field=author"),
    Ask("GET", "/articles?_aggs.by.terms.field=author&title=s1"),
    Ask("GET", "/articles?_aggs.by.terms.field=author&q=three"),
    Ask("GET", "/articles?_aggs.by.terms.field=text"),
    Ask("GET", "/articles?_aggs.x.min.field=price&_aggs.y.max.field=id"),
    Ask("GET", "/articles?_aggs.x.nonsense.field=price"),
    Ask("GET", "/articles?_aggs.x.min.field=nonsense"),
    Ask("GET", "/users?_aggs.by.terms.field=status"),
]

#: Several collections at once.
_SEVERAL = [
    Ask("GET", "/users,articles"),
    Ask("GET", "/users,articles?_count"),
    Ask("GET", "/users,articles?_sort=username,id"),
    Ask("GET", "/users,articles?_sort=username,id&_limit=1&_start=2"),
    Ask("GET", "/users,articles?_fields=username&_sort=username"),
    Ask("GET", "/users,articles?title=s1"),
    Ask("GET", "/users,articles?username=rick"),
    Ask("GET", "/users,articles?_sort=-username&username=rick"),
    Ask("GET", "/users,articles?_sort=-title,-username"),
    Ask("GET", "/users,articles?username=rick&title=s1"),
    Ask("GET", "/users,articles?q=smith"),
    Ask("GET", "/users,articles?q=rick OR three"),
    Ask("GET", "/users,articles?q=rick&_search_fields=username"),
    Ask("GET", "/users,articles?q=s1 rick&_search_fields=title,username"),
    Ask("GET", "/users,articles?nonsense=1"),
    Ask("GET", "/users,nosuch?_sort=username"),
    Ask("GET", "/nosuch,neither"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=title"),
    Ask("GET", "/users,articles?_aggs.cheapest.min.field=price"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=username&title=s1"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=username&username=rick&title=s1"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=nonsense"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=email"),
    Ask("GET", "/users,articles?_aggs.last.max.field=id"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=status&_aggs.k.terms.field=kind"),
]

#: Types that databases and JSON disagree about.
_TYPES = [
    Ask("PATCH", "/articles/2", {"embargo": 60}),
    Ask("PATCH", "/articles/2", {"embargo": 90061}),
    Ask("PATCH", "/articles/2", {"embargo": None}),
    Ask("PATCH", "/articles/2", {"due_at": "2026-02-18T12:30:00Z"}),
    Ask("PATCH", "/articles/2", {"due_at": None}),
    Ask("PATCH", "/articles/2", {"issue_date": "2026-02-18"}),
    Ask("PATCH", "/articles/2", {"issue_date": None}),
    Ask("PATCH", "/articles/2", {"issue_time": "18:30:00"}),
    Ask("PATCH", "/articles/2", {"issue_time": None}),
    Ask("PATCH", "/articles/2", {"picture": "AAEC"}),
    Ask("PATCH", "/articles/2", {"picture": None}),
    Ask("PATCH", "/articles/2", {"clicks": 2**53 + 1}),
    Ask("PATCH", "/articles/2", {"clicks": "7"}),
    Ask("PATCH", "/articles/2", {"price": "2.5"}),
    Ask("PATCH", "/articles/2", {"progress": 2}),
    Ask("PATCH", "/articles/2", {"published": True}),
    Ask("PATCH", "/articles/2", {"published": "false"}),
    Ask("PATCH", "/articles/2", {"published": False}),
    Ask("PATCH", "/articles/2", {"rating": None}),
    Ask("PATCH", "/articles/2", {"source": {"any": ["thing", 1]}}),
    Ask("PATCH", "/articles/2", {"subtitle": "ünï", "notes": "…"}),
    Ask("PATCH", "/articles/2", {"tags": ["b"]}),
    Ask("PATCH", "/articles/2", {"layout": {"c": {"d": 1}}}),
    Ask("PATCH", "/articles/2", {"layout.e": 2}),
    Ask("PATCH", "/articles/2", {"tags": 5}),
    Ask("PATCH", "/articles/2", {"title": "x" * 101}),
    Ask("PATCH", "/articles/2", {"id": 5}),
    Ask("GET", "/articles/2"),
]

#: Collections, relations, the other methods.
_CHANGES = [
    Ask("PATCH", "/articles?title=s1", {"progress": 0.5}),
    Ask("PUT", "/articles?title=s1", {"progress": 0.6}),
    Ask("PATCH", "/articles?title=nothing", {"progress": 0.5}),
    Ask("PATCH", "/articles?title=s1", {"nonsense": 1}),
    Ask("PATCH", "/articles/2", {"author": "system"}),
    Ask("PATCH", "/articles/1", {"author": "system", "embargo": 60}),
    Ask("GET", "/articles/1"),
    Ask("GET", "/users/system"),
    Ask("PATCH", "/articles/1", {"author": None}),
    Ask("PATCH", "/articles/1", {"reviewer": "rick"}),
    Ask("GET", "/users/rick"),
    Ask("PUT", "/articles/2", {"title": "new", "text": "t"}),
    Ask("PUT", "/articles/2", {"title": "new"}),
    Ask("HEAD", "/articles"),
    Ask("HEAD", "/articles/2"),
    Ask("HEAD", "/users"),
    Ask("OPTIONS", "/articles"),
    Ask("OPTIONS", "/articles/2"),
    Ask("OPTIONS", "/users"),
    Ask("OPTIONS", "/users/rick"),
    Ask("GET", "/articles?_m=POST&title=tunnel&text=x"),
    Ask("GET", "/articles/3?_m=PATCH&title=dug"),
    Ask("GET", "/articles/3?_m=DELETE"),
    Ask("POST", "/users/rick/articles", {"title": "nested", "text": "t"}),
    Ask("GET", "/users/rick/articles"),
    Ask("DELETE", "/articles/1"),
    Ask("DELETE", "/articles/99"),
    Ask("DELETE", "/articles?title=nested"),
    Ask("GET", "/articles"),
    Ask("DELETE", "/articles"),
    Ask("GET", "/articles"),
    Ask("DELETE", "/users"),
    Ask("GET", "/nosuch"),
    Ask("PUT", "/users/rick", {"email": "r@x.com", "password": "secret"}),
    Ask("GET", "/users/rick"),
]

TICKETS = [
    Ask("GET", "/users"),
    Ask("POST", "/articles", S1),
    Ask("GET", "/users/self"),
    Ask("POST", "/auth/login", {**ADMIN, "login": "nobody"}),
    Ask("POST", "/auth/login", {**ADMIN, "password": "wrong"}),
    Ask("POST", "/auth/login", {"login": "system"}),
    Ask("POST", "/auth/login", ADMIN),
    Ask("GET", "/users/self"),
    *(*_BASICS, *_PAGES, *_FILTERS, *_SEARCH, *_SEVERAL, *_TYPES, *_CHANGES),
    Ask("GET", "/auth/logout"),
    Ask("POST", "/auth/register", MORTY),
    Ask("POST", "/auth/register", {**MORTY, "username": "Other"}),
    Ask("POST", "/auth/register", {"username": "x"}),
    Ask("GET", "/users/morty"),
    Ask("GET", "/users/self"),
    Ask("GET", "/users/rick"),
    Ask("PATCH", "/users/morty", {"first_name": "Morty"}),
    Ask("PATCH", "/users/morty", {"status": "blocked"}),
    Ask("PATCH", "/users/rick", {"first_name": "Morty"}),
    Ask("DELETE", "/users/morty"),
    Ask("DELETE", "/users/rick"),
    Ask("GET", "/users?_aggs.by.terms.field=username"),
    Ask("GET", "/users?_aggs.by.terms.field=email"),
    Ask("GET", "/users,articles?_aggs.by.terms.field=email"),
    Ask("POST", "/articles", {"title": "his", "text": "t"}),
    Ask("GET", "/articles"),
    Ask("DELETE", "/articles"),
    Ask("POST", "/auth/logout"),
    Ask("GET", "/users"),
    Ask("GET", "/users/morty"),
    Ask("GET", "/articles"),
    Ask("GET", "/users,articles?_sort=username,id"),
    Ask("GET", "/users?_aggs.by.terms.field=username"),
    Ask("GET", "/users?_aggs.by.terms.field=status"),
    Ask("GET", "/users/rick/profile"),
]

TOKENS = [
    Ask("GET", "/users"),
    Ask("POST", "/articles", S2),
    Ask("POST", "/auth/register", MORTY),
    Ask("POST", "/auth/register", {**MORTY, "username": "Other"}),
    Ask("GET", "/users/morty", token="morty"),
    Ask("GET", "/users/self", token="morty"),
    Ask("POST", "/articles", S2),
    Ask("POST", "/articles", S2, token="morty"),
    Ask("GET", "/articles", token="morty"),
    Ask("PATCH", "/users/morty", {"first_name": "Morty"}, token="morty"),
    Ask("PATCH", "/users/morty", {"status": "blocked"}, token="morty"),
    Ask("DELETE", "/users/morty", token="morty"),
    Ask("POST", "/auth/token", {"login": "morty", "password": "secret"}),
    Ask("POST", "/auth/token", {"login": "m@x.com", "password": "secret"}),
    Ask("POST", "/auth/token", {"login": "morty", "password": "wrong"}),
    Ask("POST", "/auth/token", {"login": "nobody", "password": "secret"}),
    Ask("POST", "/auth/token", {"login": "morty"}),
    Ask("POST", "/auth/reset_token", {"login": "morty", "password": "wrong"}),
    Ask("POST", "/auth/reset_token", {"login": "morty", "password": "secret"}),
    Ask("POST", "/articles", S2, token="old morty"),
    Ask("GET", "/users/morty", token="old morty"),
    Ask("POST", "/articles", {**S2, "author": "morty"}, token="morty"),
    Ask("PATCH", "/articles/2", {"title": "his"}, token="morty"),
    Ask("DELETE", "/articles/2", token="morty"),
    Ask("POST", "/auth/token", ADMIN),
    Ask("GET", "/users/system", token="system"),
    Ask("GET", "/users/morty", token="system"),
    Ask("POST", "/users", SUMMER, token="system"),
    Ask("GET", "/users/summer/settings", token="system"),
    Ask("GET", "/users/summer/settings", token="morty"),
    Ask("GET", "/articles?q=three", token="system"),
    Ask("GET", "/articles?_aggs.by.terms.field=author", token="system"),
    Ask("GET", "/articles?_aggs.by.terms.field=author", token="morty"),
    Ask("GET", "/articles?_aggs.by.terms.field=kind", token="morty"),
    Ask("GET", "/users,articles?_sort=username,id", token="morty"),
    Ask("DELETE", "/articles/2", token="system"),
    Ask("DELETE", "/users/morty", token="system"),
    Ask("GET", "/users/self", token="morty"),
    Ask("GET", "/articles", token="morty"),
    Ask("POST", "/articles", S2, token="morty"),
    Ask("GET", "/auth/logout", token="system"),
]

OPEN = [
    Ask("GET", "/users"),
    Ask("GET", "/users/self"),
    *(*_BASICS, *_PAGES, *_FILTERS, *_SEARCH, *_SEVERAL, *_CHANGES),
    Ask("POST", "/auth/login", ADMIN),
    Ask("DELETE", "/users/rick"),
    Ask("GET", "/users"),
]

#: By how one authenticates oneself.
SCENARIOS = {"tickets": TICKETS, "tokens": TOKENS, "open": OPEN}
